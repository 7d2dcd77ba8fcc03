-- grant: iu_app, iu_reader
-- Every change of a unit's axes after its birth; compositions: how many were rolled up anew.
CREATE OR REPLACE VIEW iu_core.v_iu_unit_axis_log AS
SELECT l.axis_log_id, l.unit_id, l.axes_before, l.axes_after, l.compositions, l.actor, l.principal,
       l.reason, l.request_id, l.occurred_at
  FROM iu_core.iu_unit_axis_log AS l;
