-- grant: owner only
-- Stores a template's schema, RFC 8785 text, once, and answers its digest; NULL for NULL. Whoever
-- stores the same one at the same time waits for the other's transaction.
CREATE OR REPLACE FUNCTION iu_core.fn_iu_template_schema_store(p_schema text)
RETURNS text
LANGUAGE plpgsql VOLATILE
AS $$
DECLARE
    v_digest text := iu_core.fn_iu_template_schema_digest(p_schema);
BEGIN
    INSERT INTO iu_core.iu_template_schema (schema_digest, schema)
    SELECT v_digest, p_schema::json WHERE p_schema IS NOT NULL
        ON CONFLICT DO NOTHING;
    RETURN v_digest;
END
$$;
