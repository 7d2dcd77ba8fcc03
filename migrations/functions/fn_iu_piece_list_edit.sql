-- grant: owner only
-- Applies edits (fn_iu_edits_errors) to a list of pieces, given as two arrays of one length. The
-- arrays p_new_roles and p_new_digests hold the pieces of the edits that bring one, in their order.
-- Raises invalid_input for a position that is not in the list as the edit finds it, and when
-- nothing is left of the list.
CREATE OR REPLACE FUNCTION iu_core.fn_iu_piece_list_edit(
    p_roles text[], p_digests text[], p_edits jsonb, p_new_roles text[], p_new_digests text[],
    OUT roles text[], OUT digests text[])
RETURNS record
LANGUAGE plpgsql VOLATILE
AS $$
DECLARE
    v_edit     jsonb;
    v_place    bigint;
    v_brought  integer := 0;
    v_length   integer;
    v_position integer;
    v_to       integer;
    v_wrong    text;
    v_role     text;
    v_digest   text;
BEGIN
    roles := coalesce(p_roles, '{}');
    digests := coalesce(p_digests, '{}');
    FOR v_edit, v_place IN
        SELECT e.edit, e.place
          FROM jsonb_array_elements(p_edits) WITH ORDINALITY AS e(edit, place) ORDER BY e.place
    LOOP
        v_length := cardinality(roles);
        v_position := v_edit ->> 'position';
        v_to := v_edit ->> 'to';
        v_wrong := CASE
            WHEN v_position > v_length + (CASE v_edit ->> 'op' WHEN 'insert' THEN 1 ELSE 0 END)
                THEN 'position'
            WHEN v_edit ->> 'op' = 'move' AND v_to > v_length THEN 'to' END;
        IF v_wrong IS NOT NULL THEN
            PERFORM iu_core.fn_iu_raise_refusal('invalid_input', jsonb_build_object('errors',
                jsonb_build_array(iu_core.fn_iu_field_error(
                    format('/edits/%s/%s', v_place - 1, v_wrong), 'position',
                    format('the list has %s pieces when this edit finds it', v_length)))));
        END IF;

        v_role := roles[v_position];
        v_digest := digests[v_position];
        IF v_edit ->> 'op' <> 'insert' THEN
            roles := roles[:v_position - 1] || roles[v_position + 1:];
            digests := digests[:v_position - 1] || digests[v_position + 1:];
        END IF;
        CONTINUE WHEN v_edit ->> 'op' = 'remove';
        IF v_edit ->> 'op' = 'move' THEN
            v_position := v_to;
        ELSE
            v_brought := v_brought + 1;
            v_role := p_new_roles[v_brought];
            v_digest := p_new_digests[v_brought];
        END IF;
        roles := roles[:v_position - 1] || v_role || roles[v_position:];
        digests := digests[:v_position - 1] || v_digest || digests[v_position:];
    END LOOP;
    IF cardinality(roles) = 0 THEN
        PERFORM iu_core.fn_iu_raise_refusal('invalid_input', jsonb_build_object('errors',
            jsonb_build_array(iu_core.fn_iu_field_error('/edits', 'pieces', 'leaves no piece'))));
    END IF;
END
$$;
