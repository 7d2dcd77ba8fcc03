-- grant: iu_app, iu_reader
-- Which piece stands at which position of which collection. Collections with the same pieces share
-- one immutable composition, so this is no table: its rows are those of the collections' lists.
CREATE OR REPLACE VIEW iu_core.iu_piece_membership AS
SELECT c.collection_id, p.position, p.role, p.unit_id
FROM iu_core.iu_piece_collection AS c
JOIN iu_core.iu_composition_piece AS p ON p.composition_digest = c.composition_digest;
