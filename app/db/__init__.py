"""Everything that speaks to the database."""
