"""Replays of what the predecessor is known to have done, to be compared row by row."""

from importlib.resources import files


def baseline_25000x() -> str:
    """The SQL that makes the state before replay 25000x, for the owner's role.

    Several statements without parameters, to be run in one transaction on a migrated database
    without pieces and collections; it raises on any other.
    """
    return files("app.replay").joinpath("baseline_25000x.sql").read_text(encoding="utf-8")
