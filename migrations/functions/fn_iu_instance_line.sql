-- grant: owner only
-- One instance, as the digest of a run's instances has it: SHA-256 over these lines, sorted by the
-- instance's id (docs/digests.md).
CREATE OR REPLACE FUNCTION iu_core.fn_iu_instance_line(
    p_instance_id uuid, p_template_id uuid, p_composition_digest text, p_data_digest text)
RETURNS text
LANGUAGE sql IMMUTABLE
AS $$
    SELECT p_instance_id::text || E'\t' || p_template_id::text || E'\t' || p_composition_digest
        || E'\t' || p_data_digest || E'\n'
$$;
