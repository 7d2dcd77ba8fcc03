-- No table has a column of this type: nothing is destroyed.
ALTER TYPE iu_core.iu_compose_item
    DROP ATTRIBUTE template_key,
    DROP ATTRIBUTE family_key,
    DROP ATTRIBUTE piece_count;
