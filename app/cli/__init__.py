"""The command line: `factory`. What it is made of stands in `app.cli.program`."""

from app.cli.program import main

__all__ = ["main"]
