-- grant: iu_app
-- Compares the database with the manifest of a release: migrations/manifests/<PostgreSQL's major>.json.
-- p_manifest NULL: the release has none for this server. Writes nothing, locks nothing. Answers
--   {"verdict": "conforms" | "differs" | "not_comparable", "reason", "remedy",
--    "manifest", "database": {postgresql, program, revision, files},
--    "kinds": [{kind, passes, expected, actual, own, missing, unexpected, changed}],
--    "findings": [{kind, name, finding, facet, expected, actual}], "truncated"}
-- reason and remedy: why they can't be compared and what to do, else NULL. own counts what operators
-- made: routes, types and keys are not unexpected. Of findings the first 1000.
CREATE OR REPLACE FUNCTION iu_core.fn_iu_conformance(p_manifest jsonb)
RETURNS jsonb
LANGUAGE plpgsql STABLE SECURITY DEFINER
SET search_path = pg_catalog, iu_core, pg_temp
AS $$
DECLARE
    v_actual   jsonb := iu_core.fn_iu_conformance_manifest();
    v_obstacle jsonb := iu_core.fn_iu_conformance_obstacle(p_manifest, v_actual);
    v_answer   jsonb := jsonb_build_object(
        'reason', v_obstacle -> 'reason', 'remedy', v_obstacle -> 'remedy',
        'manifest', CASE WHEN iu_core.fn_iu_conformance_is_manifest(p_manifest)
                         THEN p_manifest - 'objects' END,
        'database', v_actual - 'objects');
BEGIN
    IF v_obstacle IS NOT NULL THEN
        RETURN v_answer || jsonb_build_object(
            'verdict', 'not_comparable', 'kinds', '[]'::jsonb, 'findings', '[]'::jsonb,
            'truncated', false);
    END IF;
    RETURN (
        WITH compared AS MATERIALIZED (
            SELECT k.kind, k.place, o.*,
                   CASE WHEN o.actual IS NULL THEN 'missing'
                        WHEN o.expected IS NULL AND k.kind IN ('config', 'event_type', 'route') THEN 'own'
                        WHEN o.expected IS NULL THEN 'unexpected'
                        WHEN o.expected <> o.actual THEN 'changed' END AS finding
              FROM unnest(ARRAY['table', 'view', 'function', 'trigger', 'config', 'event_type', 'route'])
                   WITH ORDINALITY AS k(kind, place)
              LEFT JOIN LATERAL (
                   SELECT name, e.facets AS expected, a.facets AS actual
                     FROM jsonb_each(p_manifest #> ARRAY['objects', k.kind]) AS e(name, facets)
                     FULL JOIN jsonb_each(v_actual #> ARRAY['objects', k.kind]) AS a(name, facets)
                          USING (name)) AS o ON true
        ), kinds AS (
            SELECT c.kind, c.place,
                   count(c.expected) AS expected, count(c.actual) AS actual,
                   count(*) FILTER (WHERE c.finding = 'own') AS own,
                   count(*) FILTER (WHERE c.finding = 'missing' AND c.name IS NOT NULL) AS missing,
                   count(*) FILTER (WHERE c.finding = 'unexpected') AS unexpected,
                   count(*) FILTER (WHERE c.finding = 'changed') AS changed
              FROM compared AS c
             GROUP BY c.kind, c.place
        ), findings AS (
            SELECT c.kind, c.place, c.name, c.finding, f.facet, f.expected, f.actual
              FROM compared AS c
              LEFT JOIN LATERAL (
                   SELECT facet, e.value AS expected, a.value AS actual
                     FROM jsonb_each_text(c.expected) AS e(facet, value)
                     FULL JOIN jsonb_each_text(c.actual) AS a(facet, value) USING (facet)
                    WHERE e.value IS DISTINCT FROM a.value) AS f ON c.finding = 'changed'
             WHERE c.finding <> 'own' AND c.name IS NOT NULL
             ORDER BY c.place, c.name, f.facet
             LIMIT 1001
        )
        SELECT v_answer || jsonb_build_object(
                   'verdict', CASE WHEN count(*) = 0 THEN 'conforms' ELSE 'differs' END,
                   'kinds', (SELECT jsonb_agg(to_jsonb(k) - 'place' || jsonb_build_object(
                                        'passes', k.missing + k.unexpected + k.changed = 0)
                                    ORDER BY k.place)
                               FROM kinds AS k),
                   'findings', coalesce(jsonb_agg(to_jsonb(f) - 'place' ORDER BY f.place, f.name, f.facet),
                                        '[]') #- '{1000}',
                   'truncated', count(*) > 1000)
          FROM findings AS f);
END
$$;
