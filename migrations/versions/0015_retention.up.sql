-- Retention: how long what is kept for looking back is kept. One row for each of the four targets.
CREATE TABLE iu_core.iu_core_retention_policy (
    target     text        PRIMARY KEY CHECK (target IN
        ('command_record', 'delivery_attempts', 'ended_leases', 'stored_events')),
    keep_days  integer     NOT NULL CHECK (keep_days BETWEEN 1 AND 36500),
    enabled    boolean     NOT NULL DEFAULT true,
    revision   bigint      NOT NULL DEFAULT 1,
    updated_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    updated_by text        NOT NULL DEFAULT 'iu-core-migration',
    reason     text        NOT NULL DEFAULT 'kept for long by default'
);
COMMENT ON COLUMN iu_core.iu_core_retention_policy.keep_days IS
    'days of 24 hours: nothing younger is deleted';
COMMENT ON COLUMN iu_core.iu_core_retention_policy.enabled IS 'false: nothing of it is deleted';
COMMENT ON COLUMN iu_core.iu_core_retention_policy.revision IS 'counts its changes, from 1';

INSERT INTO iu_core.iu_core_retention_policy (target, keep_days)
VALUES ('command_record', 730),
       ('delivery_attempts', 90),
       ('ended_leases', 365),
       ('stored_events', 365);
