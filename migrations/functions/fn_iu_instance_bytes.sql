-- grant: owner only
-- One instance and its data as the digest of a run's instances has it: the 16 bytes of an id and the 32 of
-- a digest (docs/digests.md). Few and binary, because every composing call digests them.
CREATE OR REPLACE FUNCTION iu_core.fn_iu_instance_bytes(p_id uuid, p_digest text)
RETURNS bytea
LANGUAGE sql IMMUTABLE
AS $$
    SELECT uuid_send(p_id) || decode(p_digest, 'hex')
$$;
