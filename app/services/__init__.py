"""One use case each: owns its transaction, and turns what the database answers into results."""
