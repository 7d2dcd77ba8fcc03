"""How often Python looks for garbage: objects that only hold each other."""

import gc

MORE_OBJECTS = 20_000
"""How many more objects there have to be than were left the last time, before it is looked for
garbage among them. Requests leave next to none, and imports none, but each wave of either is more
than Python's 700."""


def collect_seldom() -> None:
    """Look for garbage once in a while, in this process and whatever it forks, from now on."""
    gc.set_threshold(MORE_OBJECTS)
