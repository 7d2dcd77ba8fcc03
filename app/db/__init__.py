"""Everything that speaks to the database.

Nothing is imported here: the embedded server's guard imports this package with the standard
library alone.
"""
