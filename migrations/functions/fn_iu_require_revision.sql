-- grant: owner only
-- Raises precondition_failed, with the present entity tag, unless the family's chain is at one of
-- the revisions that the author has seen. NULL p_expected asks for none. The caller holds the
-- family's lock.
CREATE OR REPLACE FUNCTION iu_core.fn_iu_require_revision(p_family_key text, p_expected bigint[])
RETURNS void
LANGUAGE plpgsql VOLATILE
AS $$
DECLARE
    v_revision bigint;
BEGIN
    SELECT f.chain_revision INTO v_revision
      FROM iu_core.iu_collection_template_family AS f WHERE f.family_key = p_family_key;
    IF p_expected IS NOT NULL AND (v_revision = ANY (p_expected)) IS NOT TRUE THEN
        PERFORM iu_core.fn_iu_raise_refusal('precondition_failed', jsonb_strip_nulls(
            jsonb_build_object('etag', '"' || v_revision || '"')));
    END IF;
END
$$;
