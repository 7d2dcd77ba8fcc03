-- grant: owner only
-- What is wrong with a unit's content and axes, as a JSON array of fn_iu_field_error; empty when
-- nothing is. p_pointer is where the content stands in the request ('' for the request itself).
CREATE OR REPLACE FUNCTION iu_core.fn_iu_content_errors(
    p_pointer text, p_media_type text, p_title text, p_body text, p_axes jsonb)
RETURNS jsonb
LANGUAGE sql IMMUTABLE
AS $$
    SELECT coalesce(pg_catalog.jsonb_agg(
               iu_core.fn_iu_field_error(p_pointer || c.pointer, c.rule, c.detail) ORDER BY c.place)
               FILTER (WHERE c.is_wrong), '[]'::jsonb)
           || iu_core.fn_iu_axes_errors(p_pointer || '/axes', p_axes)
      FROM (VALUES
          (1, '/media_type', 'media_type', 'must be a media type such as text/markdown',
           iu_core.fn_iu_media_type(p_media_type) IS NULL),
          (2, '/title', 'title', 'must be at most 500 characters, none of them a control character',
           NOT coalesce(p_title = '' OR iu_core.fn_iu_is_line(p_title, 500), false)),
          (3, '/body', 'missing', 'is missing', p_body IS NULL)
      ) AS c(place, pointer, rule, detail, is_wrong)
$$;
