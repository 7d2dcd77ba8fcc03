-- Event types and the transactional outbox. Nothing leaves the system from here by itself.

CREATE TABLE iu_core.event_type_registry (
    event_type    text        PRIMARY KEY,
    delivery_lane text        NOT NULL CHECK (delivery_lane IN ('delayed', 'live')),
    domain        text        NOT NULL CHECK (domain IN ('iu', 'system')),
    description   text        NOT NULL DEFAULT '',
    created_at    timestamptz NOT NULL DEFAULT clock_timestamp()
);

INSERT INTO iu_core.event_type_registry (event_type, delivery_lane, domain, description)
VALUES ('iu.template.instance_auto_composed', 'delayed', 'iu', 'an event composed an instance'),
       ('iu.template.instance_rolled_back', 'delayed', 'iu', 'an instance was rolled back');

-- Distributed by subject_id: the instance that a message is about, else a random id.
CREATE TABLE iu_core.event_outbox (
    subject_id   uuid        NOT NULL,
    outbox_id    uuid        NOT NULL DEFAULT gen_random_uuid(),
    created_at   timestamptz NOT NULL,
    delivered_at timestamptz,
    cancelled_at timestamptz,
    domain       text        NOT NULL CHECK (domain IN ('iu', 'system')),
    event_type   text        NOT NULL,
    payload      jsonb       NOT NULL,
    PRIMARY KEY (subject_id, outbox_id)
);
COMMENT ON COLUMN iu_core.event_outbox.delivered_at IS 'since then it has left the system';
COMMENT ON COLUMN iu_core.event_outbox.cancelled_at IS
    'since then it will never leave: its instance was rolled back';
