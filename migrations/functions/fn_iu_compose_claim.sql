-- grant: owner only
-- Claims the identities of the undecided items. Per key the lowest ordinal claims; the claim is the
-- INSERT into iu_piece_collection, in key order, because the opposite order deadlocked. Where it
-- inserts nothing someone else has the key: a separate statement looks at what they committed, and
-- if they rolled back it is tried again, 3 times. What else stands under a claimed key (a later
-- ordinal, a tombstone) is judged afterwards.
--   p_open  how many items are undecided
--   p_now   when the instances are composed
CREATE OR REPLACE FUNCTION iu_core.fn_iu_compose_claim(
    p_items iu_core.iu_compose_item[], p_open bigint, p_now timestamptz)
RETURNS iu_core.iu_compose_item[]
LANGUAGE plpgsql VOLATILE
AS $$
DECLARE
    v_items   iu_core.iu_compose_item[] := p_items;
    v_claimed uuid[] := '{}';
    v_items_open bigint := p_open;
    v_keys_open  bigint;
BEGIN
    FOR v_attempt IN 1..3 LOOP
        WITH claims AS (
            INSERT INTO iu_core.iu_piece_collection
                   (collection_id, created_at, is_instance, collection_key, composition_digest)
            SELECT i.instance_id, p_now, true, 'tpl-inst:auto:' || i.suffix, i.composition_digest
              FROM (SELECT DISTINCT ON (u.instance_id)
                           u.instance_id, u.ordinal, u.suffix, u.composition_digest
                      FROM unnest(v_items) AS u
                     WHERE u.status IS NULL
                     ORDER BY u.instance_id, u.ordinal) AS i
             WHERE i.instance_id <> ALL (v_claimed)
             ORDER BY i.instance_id
                ON CONFLICT DO NOTHING
            RETURNING collection_id)
        SELECT v_claimed || array_agg(c.collection_id) INTO v_claimed FROM claims AS c;
        -- The usual answer, cheaply: each has a key of its own, and got it.
        EXIT WHEN cardinality(v_claimed) = v_items_open;

        SELECT count(*), count(DISTINCT i.instance_id) INTO v_items_open, v_keys_open
          FROM unnest(v_items) AS i WHERE i.status IS NULL;
        EXIT WHEN cardinality(v_claimed) = v_keys_open;
        -- Claimed keys are unknown to the log yet, so the lost ones are decided here; and those under
        -- a tombstone. Nobody wants the claims of these any more, also when the tombstone has been
        -- released before it is looked for below.
        v_items := iu_core.fn_iu_compose_judge(v_items);
        v_claimed := iu_core.fn_iu_compose_give_back(v_claimed, ARRAY(
            SELECT c.id FROM unnest(v_claimed) AS c(id)
            EXCEPT SELECT i.instance_id FROM unnest(v_items) AS i WHERE i.status IS NULL));
        SELECT count(*), count(DISTINCT i.instance_id) INTO v_items_open, v_keys_open
          FROM unnest(v_items) AS i WHERE i.status IS NULL;
        EXIT WHEN cardinality(v_claimed) = v_keys_open;
        IF v_attempt = 3 THEN
            RAISE EXCEPTION USING ERRCODE = '40001',
                MESSAGE = 'a key was taken and given back three times while it was being claimed';
        END IF;
    END LOOP;

    v_claimed := iu_core.fn_iu_compose_bury(v_claimed);

    IF cardinality(v_claimed) = v_items_open THEN
        -- Every one of them has won; an array's elements come in its order.
        RETURN ARRAY(SELECT CASE WHEN i.status IS NULL THEN iu_core.fn_iu_compose_won(i) ELSE i END
                       FROM unnest(v_items) AS i);
    END IF;
    SELECT array_agg(
               CASE WHEN i.claims THEN iu_core.fn_iu_compose_won(i.item) ELSE i.item END
               ORDER BY (i.item).ordinal)
      INTO v_items
      FROM (SELECT u AS item,
                   c.id IS NOT NULL AND row_number() OVER (
                       PARTITION BY u.instance_id, c.id ORDER BY u.ordinal) = 1 AS claims
              FROM unnest(v_items) AS u
              LEFT JOIN unnest(v_claimed) AS c(id) ON c.id = u.instance_id AND u.status IS NULL) AS i;
    RETURN v_items;
END
$$;
