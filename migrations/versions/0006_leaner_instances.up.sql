-- What an item's template is called, which family it locks, and how many pieces it has: looked up
-- when the reference is resolved, and not again for each answer.
ALTER TYPE iu_core.iu_compose_item
    ADD ATTRIBUTE template_key text,
    ADD ATTRIBUTE family_key   text,
    ADD ATTRIBUTE piece_count  integer;
