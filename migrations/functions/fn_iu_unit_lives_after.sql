-- grant: owner only
-- The lives that an operator may ask for after this one. superseded is not among them: a unit is
-- superseded by its revision (fn_iu_piece_revise), from draft or active.
CREATE OR REPLACE FUNCTION iu_core.fn_iu_unit_lives_after(p_life text)
RETURNS text[]
LANGUAGE sql IMMUTABLE STRICT
AS $$
    SELECT CASE p_life WHEN 'draft'      THEN ARRAY['active', 'retired']
                       WHEN 'active'     THEN ARRAY['retired']
                       WHEN 'superseded' THEN ARRAY['retired']
                       ELSE '{}'::text[]
           END
$$;
