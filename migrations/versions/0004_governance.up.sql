-- Settings, gates, who may call, and the record of what was refused.

CREATE TABLE iu_core.iu_core_config (
    config_key    text        PRIMARY KEY CHECK (config_key LIKE 'iu\_core.%'),
    config_value  jsonb       NOT NULL,
    is_write_gate boolean     NOT NULL,
    -- A lease is good only in the epoch it was taken in. Closing begins a new one, and so ends
    -- all leases without waiting for the composers that hold their rows.
    lease_epoch   bigint      NOT NULL DEFAULT 0,
    revision      bigint      NOT NULL DEFAULT 1,
    sealed_at     timestamptz,
    sealed_by     text,
    updated_at    timestamptz NOT NULL DEFAULT clock_timestamp(),
    updated_by    text        NOT NULL DEFAULT 'iu-core-migration',
    reason        text        NOT NULL DEFAULT 'closed by default',
    CHECK (NOT is_write_gate OR jsonb_typeof(config_value) = 'boolean')
);

INSERT INTO iu_core.iu_core_config (config_key, config_value, is_write_gate)
SELECT 'iu_core.' || gate, 'false'::jsonb, true
  FROM unnest(ARRAY['piece_write_enabled', 'lifecycle_enabled', 'template_authoring_enabled',
                    'composer_enabled', 'auto_instantiate_enabled', 'event_intake_enabled',
                    'instance_upgrade_enabled', 'envelope_refresh_enabled', 'delivery_enabled',
                    'retention_enabled', 'vector_sync_enabled']) AS gate;

INSERT INTO iu_core.iu_core_config (config_key, config_value, is_write_gate, reason)
VALUES ('iu_core.delivery_live_routes', '[]'::jsonb, false, 'no live route by default'),
       ('iu_core.unknown_event_types', '"inert"'::jsonb, false, 'unknown types are stored, and start nothing');

CREATE TABLE iu_core.iu_core_config_history (
    history_id  bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    config_key  text        NOT NULL REFERENCES iu_core.iu_core_config (config_key),
    action      text        NOT NULL CHECK (action IN
        ('open', 'close', 'lease', 'revoke_lease', 'seal', 'unseal', 'window', 'set')),
    actor       text        NOT NULL,
    principal   text        NOT NULL,
    reason      text        NOT NULL,
    request_id  uuid,
    occurred_at timestamptz NOT NULL,
    details     jsonb       NOT NULL DEFAULT '{}'::jsonb
);
CREATE INDEX iu_core_config_history_by_key ON iu_core.iu_core_config_history (config_key, history_id);

CREATE TABLE iu_core.iu_gate_lease (
    lease_id   uuid        PRIMARY KEY DEFAULT gen_random_uuid(),
    gate_key   text        NOT NULL REFERENCES iu_core.iu_core_config (config_key),
    epoch      bigint      NOT NULL,
    actor      text,
    uses_limit integer     CHECK (uses_limit > 0),
    uses_left  integer     CHECK (uses_left >= 0),
    opened_by  text        NOT NULL,
    reason     text        NOT NULL,
    opened_at  timestamptz NOT NULL,
    expires_at timestamptz NOT NULL CHECK (expires_at <= opened_at + interval '24 hours'),
    revoked_at timestamptz,
    revoked_by text,
    CHECK ((uses_limit IS NULL) = (uses_left IS NULL))
);
COMMENT ON COLUMN iu_core.iu_gate_lease.actor IS 'NULL: for every actor';
COMMENT ON COLUMN iu_core.iu_gate_lease.uses_limit IS
    'newly composed instances it is good for; NULL: any number';
CREATE INDEX iu_gate_lease_by_gate ON iu_core.iu_gate_lease (gate_key, expires_at)
    WHERE revoked_at IS NULL;

-- One row: how far the factory's clock is ahead of the machine's. Set by the owner, in tests.
CREATE TABLE iu_core.iu_clock (
    only_row  boolean  PRIMARY KEY DEFAULT true CHECK (only_row),
    set_ahead interval NOT NULL DEFAULT interval '0'
);
INSERT INTO iu_core.iu_clock DEFAULT VALUES;

CREATE TABLE iu_core.iu_api_key (
    key_id         text        PRIMARY KEY CHECK (key_id ~ '^[0-9a-z]{4,32}$'),
    key_sha256     bytea       NOT NULL CHECK (length(key_sha256) = 32),
    principal      text        NOT NULL,
    scope          text        NOT NULL CHECK (scope IN ('producer', 'viewer', 'operator', 'admin')),
    actor          text        NOT NULL CHECK (actor ~ '^[a-z0-9][a-z0-9._:-]{0,127}$'),
    actor_prefixes text[]      NOT NULL DEFAULT '{}',
    created_by     text        NOT NULL,
    created_at     timestamptz NOT NULL,
    expires_at     timestamptz,
    revoked_at     timestamptz,
    revoked_by     text
);

-- What was refused, and what was asked for as a dry run. Distributed by subject_id: the would-be
-- instance where there is one, else random. Refusals at a closed gate are one row per actor,
-- code, template and minute, and count.
CREATE TABLE iu_core.iu_command_record (
    subject_id             uuid        NOT NULL,
    record_id              uuid        NOT NULL DEFAULT gen_random_uuid(),
    template_collection_id uuid,
    request_id             uuid,
    first_at               timestamptz NOT NULL,
    last_at                timestamptz NOT NULL,
    occurrences            bigint      NOT NULL DEFAULT 1 CHECK (occurrences > 0),
    command                text        NOT NULL,
    outcome                text        NOT NULL CHECK (outcome IN ('refused', 'dry_run')),
    code                   text        NOT NULL,
    actor                  text,
    principal              text,
    details                jsonb       NOT NULL DEFAULT '{}'::jsonb,
    PRIMARY KEY (subject_id, record_id)
);
COMMENT ON COLUMN iu_core.iu_command_record.code IS
    'the refusal''s code; for a dry run what it would have been';
CREATE INDEX iu_command_record_by_time ON iu_core.iu_command_record (last_at, record_id);
CREATE INDEX iu_command_record_dry_runs ON iu_core.iu_command_record (template_collection_id)
    WHERE outcome = 'dry_run';

-- One row: what the last integrity check found, for an overview that can't look at every row.
CREATE TABLE iu_core.iu_integrity_check (
    only_row   boolean     PRIMARY KEY DEFAULT true CHECK (only_row),
    checked_at timestamptz NOT NULL,
    holds      boolean     NOT NULL,
    counts     jsonb       NOT NULL,
    examined   jsonb       NOT NULL
);
COMMENT ON COLUMN iu_core.iu_integrity_check.counts IS 'findings by kind';
COMMENT ON COLUMN iu_core.iu_integrity_check.examined IS 'rows that were looked at';
