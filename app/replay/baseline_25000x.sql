-- The state before replay 25000x, as 1-requirements gives it: 174 pieces, 10 collections with 43
-- memberships, 4 lineage rows, 3 templates, 2 versions. The owner's role loads it into a migrated,
-- empty database, in one transaction; no operation of the service makes such rows (one template
-- has no version, four instances come from no event).
-- Ids are md5 of names, so that two loads are alike; digests are computed, so that the integrity
-- check holds.

DO $$
BEGIN
    IF EXISTS (SELECT FROM iu_core.information_unit)
       OR EXISTS (SELECT FROM iu_core.iu_piece_collection) THEN
        RAISE EXCEPTION 'the baseline of replay 25000x goes into an empty database';
    END IF;
END
$$;

-- Pieces 1 to 19 stand in templates and collections, 20 to 174 wait to be used. Piece 4 was
-- superseded by piece 6 when onboarding got its second version.
INSERT INTO iu_core.information_unit
       (unit_id, content_digest, media_type, title, body, life, supersedes_unit_id, created_by,
        created_at)
SELECT md5('25000x unit ' || u.n)::uuid,
       iu_core.fn_iu_content_digest('text/markdown', u.title, u.body),
       'text/markdown', u.title, u.body,
       CASE u.n WHEN 4 THEN 'superseded' ELSE 'active' END,
       CASE u.n WHEN 6 THEN md5('25000x unit 4')::uuid END,
       'iu-core-25000x-baseline',
       timestamptz '2025-05-01 08:00:00+00' + u.n * interval '1 minute'
  FROM (SELECT n.n,
               coalesce(t.title, 'Reusable paragraph ' || n.n) AS title,
               coalesce(t.body, 'Paragraph ' || n.n || ' of the handbook, kept for later use.') AS body
          FROM generate_series(1, 174) AS n(n)
          LEFT JOIN (VALUES
               (1, 'Welcome', 'We are glad that you are here. This page leads through your first days.'),
               (2, 'Paperwork', 'Contract, tax number and bank details are due on the first day.'),
               (3, 'Accounts', 'Your manager asks for accounts; they are ready by noon.'),
               (4, 'First week', 'Meet the team, read the handbook, take the fire drill.'),
               (5, 'Review', 'After two weeks we look back together.'),
               (6, 'First week', 'Meet the team, read the handbook, ship one small change.'),
               (7, 'Status report', 'Project, period, author.'),
               (8, 'Progress', 'What was done, and what it changes for the users.'),
               (9, 'Risks', 'What may go wrong, how likely it is, and what we do about it.'),
               (10, 'Decisions needed', 'Who has to decide what, and until when.'),
               (11, 'Next steps', 'What comes next, with names and dates.'),
               (12, 'Information unit', 'One reusable piece of content.'),
               (13, 'Template', 'A collection that instances are composed from.'),
               (14, 'Instance', 'What an event composed from a template.'),
               (15, 'Help desk', 'Extension 100, around the clock.'),
               (16, 'Payroll', 'Extension 200, on working days.'),
               (17, 'Facilities', 'Extension 300, on working days.'),
               (18, 'Confidentiality', 'What is marked as confidential stays inside.'),
               (19, 'Retention', 'Reports are kept for ten years.')
               ) AS t(n, title, body) ON t.n = n.n) AS u
 ORDER BY u.n;

-- 146 steps of life: pieces 30 to 174 were drafts once, and piece 4 was superseded. Pieces 1 to 29
-- were born active.
INSERT INTO iu_core.iu_lifecycle_log (unit_id, from_life, to_life, actor, reason, occurred_at)
SELECT md5('25000x unit ' || n.n)::uuid, 'draft', 'active', 'iu-core-25000x-baseline', 'reviewed',
       timestamptz '2025-05-02 08:00:00+00' + n.n * interval '1 minute'
  FROM generate_series(30, 174) AS n(n)
UNION ALL
SELECT md5('25000x unit 4')::uuid, 'active', 'superseded', 'iu-core-25000x-baseline',
       'onboarding v2', timestamptz '2025-05-20 09:00:00+00'
 ORDER BY 6;

-- 152 pieces are known to the vector index.
INSERT INTO iu_core.iu_vector_sync_point (unit_id, content_digest, synced_at)
SELECT u.unit_id, u.content_digest, timestamptz '2025-05-03 08:00:00+00'
  FROM iu_core.information_unit AS u
  JOIN generate_series(1, 152) AS n(n) ON u.unit_id = md5('25000x unit ' || n.n)::uuid;

-- The envelope axes of the reports, and how many pieces carry each.
INSERT INTO iu_core.iu_unit_axis (unit_id, axis, value)
SELECT md5('25000x unit ' || n.n)::uuid, a.axis, a.value
  FROM (VALUES ('DIEU-28', 'handbook', 1, 27), ('DIEU-32', 'people', 5, 27),
               ('DIEU-35', 'operations', 10, 45)) AS a(axis, value, first, last)
 CROSS JOIN LATERAL generate_series(a.first, a.last) AS n(n);

-- Compositions, and the collections that point to them: 3 templates, 4 instances, 3 plain ones.
-- A list is written as role:piece.
DO $$
DECLARE
    v_wf1 text[] := '{welcome:1,paperwork:2,accounts:3,first_week:4,review:5}';
    v_wf2 text[] := '{welcome:1,paperwork:2,accounts:3,first_week:6,review:5}';
    v_key text;
    v_list text[];
    v_at timestamptz;
BEGIN
    FOR v_key, v_list, v_at IN
        VALUES ('tpl:wf:onboarding/v1', v_wf1, timestamptz '2025-05-10 09:00:00+00'),
               ('tpl:file:status-report/v1',
                '{heading:7,progress:8,risks:9,decisions:10,next_steps:11}', '2025-05-11 09:00:00+00'),
               ('tpl-inst:manual:25000x-wf-001', v_wf1, '2025-05-12 09:00:00+00'),
               ('col:glossary', '{entry:12,entry:13,entry:14}', '2025-05-13 09:00:00+00'),
               ('col:contacts', '{entry:15,entry:16,entry:17}', '2025-05-13 09:05:00+00'),
               ('col:legal-notes', '{note:18,note:19}', '2025-05-13 09:10:00+00'),
               ('tpl:wf:onboarding/v2', v_wf2, '2025-05-20 09:00:00+00'),
               ('tpl-inst:manual:25000x-wf-002', v_wf2, '2025-05-21 09:00:00+00'),
               ('tpl-inst:manual:25000x-wf-003', v_wf2, '2025-05-22 09:00:00+00'),
               ('tpl-inst:manual:25000x-wf-004', v_wf2, '2025-05-23 09:00:00+00')
    LOOP
        INSERT INTO iu_core.iu_piece_collection
               (collection_id, created_at, is_instance, collection_key, composition_digest)
        SELECT md5('25000x collection ' || v_key)::uuid, v_at, v_key LIKE 'tpl-inst:%', v_key,
               iu_core.fn_iu_composition_store(
                   array_agg(split_part(i.piece, ':', 1) ORDER BY i.place),
                   array_agg(md5('25000x unit ' || split_part(i.piece, ':', 2))::uuid
                             ORDER BY i.place),
                   v_at)
          FROM unnest(v_list) WITH ORDINALITY AS i(piece, place);
    END LOOP;
END
$$;

INSERT INTO iu_core.iu_collection_template_registry
       (template_collection_id, template_key, composition_digest, piece_count, marked_by, marked_at)
SELECT c.collection_id, c.collection_key, c.composition_digest, p.piece_count,
       'iu-core-25000x-baseline', c.created_at
  FROM iu_core.iu_piece_collection AS c
  JOIN iu_core.iu_composition AS p ON p.composition_digest = c.composition_digest
 WHERE c.collection_key LIKE 'tpl:%';

-- The chain of onboarding; status-report has no place in a chain yet.
INSERT INTO iu_core.iu_collection_template_family
       (family_id, family_key, title, description, chain_revision, created_by, created_at)
VALUES (md5('25000x family tpl:wf:onboarding')::uuid, 'tpl:wf:onboarding', 'Employee onboarding',
        'What a new colleague and the people around them do in the first weeks.', 2,
        'iu-core-25000x-baseline', '2025-05-10 09:00:00+00');

INSERT INTO iu_core.iu_collection_template_version
       (template_collection_id, family_id, version_number, status, composition_digest,
        supersedes_collection_id, created_by, created_at, reason)
SELECT r.template_collection_id, f.family_id, v.number, v.status, r.composition_digest,
       (SELECT b.template_collection_id FROM iu_core.iu_collection_template_registry AS b
         WHERE b.template_key = v.supersedes),
       'iu-core-25000x-baseline', r.marked_at, v.reason
  FROM (VALUES ('tpl:wf:onboarding/v1', 1, 'superseded', NULL, 'first version'),
               ('tpl:wf:onboarding/v2', 2, 'current', 'tpl:wf:onboarding/v1',
                'a change shipped in the first week')) AS v(key, number, status, supersedes, reason)
  JOIN iu_core.iu_collection_template_registry AS r ON r.template_key = v.key
  JOIN iu_core.iu_collection_template_family AS f ON f.family_key = 'tpl:wf:onboarding'
 ORDER BY v.number;

INSERT INTO iu_core.iu_collection_template_current_log
       (family_id, template_collection_id, current_from, actor, reason)
SELECT v.family_id, v.template_collection_id, v.created_at, v.created_by, v.reason
  FROM iu_core.iu_collection_template_version AS v
 ORDER BY v.version_number;

-- Four instances that no event composed: lineage, but no event-log row.
INSERT INTO iu_core.iu_collection_template_instance_lineage
       (instance_collection_id, template_collection_id, composed_at, composition_digest)
SELECT c.collection_id, r.template_collection_id, c.created_at, r.composition_digest
  FROM iu_core.iu_piece_collection AS c
  JOIN iu_core.iu_collection_template_registry AS r
    ON r.composition_digest = c.composition_digest
 WHERE c.is_instance;

INSERT INTO iu_core.iu_template_counter
       (counter_id, template_collection_id, emit_mode, slot, instance_count)
SELECT md5(l.template_collection_id || ':' || 0)::uuid, l.template_collection_id, 'none', 0, count(*)
  FROM iu_core.iu_collection_template_instance_lineage AS l
 GROUP BY l.template_collection_id;

-- They are older than runs, so they have one together, as migrating gives it to such a database
-- (docs/audit.md): the audit log names whatever is done to them from here on.
INSERT INTO iu_core.iu_command_record
       (subject_id, first_at, last_at, command, outcome, code, actor, details)
SELECT '00000000-0000-0000-0000-000000000000', n.at, n.at, 'migrate_database', 'done', 'ok',
       'iu-core-25000x-baseline', jsonb_build_object(
           'instances', o.instances, 'instances_sha256', o.instances_sha256, 'tombstones', 0)
  FROM iu_core.fn_iu_audit_older() AS o
 CROSS JOIN (SELECT iu_core.fn_iu_now() AS at) AS n;

-- What had been sent before, in both domains.
INSERT INTO iu_core.event_type_registry (event_type, delivery_lane, domain, description)
VALUES ('iu.unit.activated', 'delayed', 'iu', 'a piece may enter compositions'),
       ('system.backup.verified', 'delayed', 'system', 'a backup was restored and compared')
    ON CONFLICT DO NOTHING;

INSERT INTO iu_core.event_outbox
       (subject_id, outbox_id, created_at, delivered_at, domain, event_type, payload)
SELECT md5('25000x subject ' || e.event_type || n.n)::uuid,
       md5('25000x message ' || e.event_type || n.n)::uuid,
       timestamptz '2025-05-04 08:00:00+00' + n.n * interval '1 hour',
       timestamptz '2025-05-04 08:00:01+00' + n.n * interval '1 hour',
       e.domain, e.event_type, jsonb_build_object('number', n.n)
  FROM (VALUES ('iu', 'iu.unit.activated', 7), ('system', 'system.backup.verified', 4))
       AS e(domain, event_type, messages)
 CROSS JOIN LATERAL generate_series(1, e.messages) AS n(n);
