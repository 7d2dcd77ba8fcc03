-- grant: owner only
-- What is before the instances of a template where a run's instances are digested: 48 bytes of zeros, and
-- the template with its composition (docs/digests.md). But for the zeros, a template could be taken for an
-- instance of the one before it, and its instances with it.
CREATE OR REPLACE FUNCTION iu_core.fn_iu_template_bytes(p_id uuid, p_composition_digest text)
RETURNS bytea
LANGUAGE sql IMMUTABLE
AS $$
    SELECT decode(repeat('00', 48), 'hex') || iu_core.fn_iu_instance_bytes(p_id, p_composition_digest)
$$;
