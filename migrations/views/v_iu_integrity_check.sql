-- grant: iu_app, iu_reader
-- What the last integrity check found; no row before the first. It is what an overview can say of
-- orphans without looking at every instance.
CREATE OR REPLACE VIEW iu_core.v_iu_integrity_check AS
SELECT k.checked_at, k.holds, k.counts, k.examined
  FROM iu_core.iu_integrity_check AS k;
