-- Collections, and what makes some of them templates.

-- Distributed by collection_id. Its key is also the claim on an instance's identity
-- (idempotency key and instance id are the same 128 bits), so nothing else may be unique here.
CREATE TABLE iu_core.iu_piece_collection (
    collection_id      uuid        PRIMARY KEY DEFAULT gen_random_uuid(),
    created_at         timestamptz NOT NULL,
    is_instance        boolean     NOT NULL DEFAULT false,
    collection_key     text        NOT NULL,
    composition_digest text        NOT NULL REFERENCES iu_core.iu_composition (composition_digest)
);
-- Where a piece is used. Instances, which are many, are left out: they cost nothing here.
CREATE INDEX iu_piece_collection_by_composition ON iu_core.iu_piece_collection (composition_digest)
    WHERE NOT is_instance;

CREATE TABLE iu_core.iu_collection_template_family (
    family_id      uuid        PRIMARY KEY DEFAULT gen_random_uuid(),
    family_key     text        NOT NULL UNIQUE CHECK (family_key ~ '^tpl:[a-z0-9-]+:[a-z0-9-]+$'),
    title          text        NOT NULL DEFAULT '',
    description    text        NOT NULL DEFAULT '',
    -- Counts the changes of the version chain; the ETag that authors send back as If-Match.
    chain_revision bigint      NOT NULL DEFAULT 1,
    created_by     text        NOT NULL,
    created_at     timestamptz NOT NULL
);

-- The foreign key to iu_piece_collection is not declared, because a reference table can't point
-- to a distributed one; the integrity check looks for registry rows without a collection.
CREATE TABLE iu_core.iu_collection_template_registry (
    template_collection_id uuid        PRIMARY KEY,
    template_key           text        NOT NULL UNIQUE
        CHECK (template_key ~ '^tpl:[a-z0-9-]+:[a-z0-9-]+/v[1-9][0-9]{0,8}$'),
    composition_digest     text        NOT NULL REFERENCES iu_core.iu_composition (composition_digest),
    piece_count            integer     NOT NULL CHECK (piece_count > 0),
    marked_by              text        NOT NULL,
    marked_at              timestamptz NOT NULL,
    reason                 text        NOT NULL DEFAULT ''
);

CREATE TABLE iu_core.iu_collection_template_version (
    template_collection_id uuid        PRIMARY KEY
        REFERENCES iu_core.iu_collection_template_registry (template_collection_id),
    family_id              uuid        NOT NULL
        REFERENCES iu_core.iu_collection_template_family (family_id),
    version_number         integer     NOT NULL CHECK (version_number > 0),
    status                 text        NOT NULL CHECK (status IN ('current', 'superseded', 'withdrawn')),
    composition_digest     text        NOT NULL REFERENCES iu_core.iu_composition (composition_digest),
    supersedes_collection_id uuid
        REFERENCES iu_core.iu_collection_template_version (template_collection_id),
    created_by             text        NOT NULL,
    created_at             timestamptz NOT NULL,
    reason                 text        NOT NULL DEFAULT '',
    withdrawn_by           text,
    withdrawn_at           timestamptz,
    withdrawn_reason       text,
    UNIQUE (family_id, version_number)
);
CREATE UNIQUE INDEX iu_collection_template_version_one_current
    ON iu_core.iu_collection_template_version (family_id) WHERE status = 'current';

-- What was current since when: the answer to "current at that time", withdrawals included.
CREATE TABLE iu_core.iu_collection_template_current_log (
    current_id             bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    family_id              uuid        NOT NULL
        REFERENCES iu_core.iu_collection_template_family (family_id),
    template_collection_id uuid
        REFERENCES iu_core.iu_collection_template_version (template_collection_id),
    current_from           timestamptz NOT NULL,
    actor                  text        NOT NULL,
    reason                 text        NOT NULL DEFAULT ''
);
COMMENT ON COLUMN iu_core.iu_collection_template_current_log.template_collection_id IS
    'NULL: since then the family has no current version';
CREATE INDEX iu_collection_template_current_log_by_family
    ON iu_core.iu_collection_template_current_log (family_id, current_from, current_id);
