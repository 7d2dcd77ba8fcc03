-- grant: owner only
-- The rules that an item broke, in words: p_wrong are the JSON pointers of its wrong fields, joined
-- by spaces. An array of {"pointer", "rule", "detail"}, in the order of the fields.
CREATE OR REPLACE FUNCTION iu_core.fn_iu_compose_input_errors(p_wrong text)
RETURNS jsonb
LANGUAGE sql IMMUTABLE
AS $$
    SELECT jsonb_agg(jsonb_build_object('pointer', c.pointer, 'rule', c.rule, 'detail', c.detail)
                     ORDER BY c.place)
      FROM (VALUES
          (1, '/event_id', 'missing', 'Field required'),
          (2, '/event_type', 'string', 'must be 1 to 200 characters, none of them a control character'),
          (3, '/template', 'template_reference', 'must be a collection''s UUID, a key such as '
              'tpl:wf:onboarding/v2, or a family such as tpl:wf:onboarding'),
          (4, '/suffix', 'string', 'must be at most 200 characters, none of them a control character'),
          (5, '/actor', 'actor', 'must match [a-z0-9][a-z0-9._:-]{0,127}'),
          (6, '/reason', 'string', 'must be at most 500 characters, none of them a control character')
      ) AS c(place, pointer, rule, detail)
     WHERE c.pointer = ANY (string_to_array(p_wrong, ' '))
$$;
