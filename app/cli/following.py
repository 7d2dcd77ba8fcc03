"""How far an operation is, while it goes on: a bar on a terminal, else a line now and then."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from app.cli.output import console, say

Show = Callable[[Mapping[str, Any]], None]
"""Called with the operation as it is now."""


@contextmanager
def shown(operation: Mapping[str, Any], *, quiet: bool) -> Iterator[Show]:
    """What shows the operation until the block ends. `quiet`: nothing does."""
    if quiet:
        yield lambda _operation: None
    elif console.is_terminal:
        with _bar(operation) as show:
            yield show
    else:
        say(f"Operation {operation['operation_id']}: {operation['total']} items.")
        yield _lines()


def _attempted(operation: Mapping[str, Any]) -> int:
    count: int = operation["total"] - operation["not_attempted"]
    return count


def _lines() -> Show:
    """A line for each new state, and for each tenth of the items."""
    told: tuple[str, int] | None = None

    def show(operation: Mapping[str, Any]) -> None:
        nonlocal told
        attempted, total = _attempted(operation), operation["total"]
        now = (operation["state"], attempted * 10 // max(total, 1))
        if now != told:
            told = now
            say(f"{operation['state']}: {attempted} of {total}")

    return show


@contextmanager
def _bar(operation: Mapping[str, Any]) -> Iterator[Show]:
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        ProgressColumn,
        Task,
        TextColumn,
        TimeRemainingColumn,
    )
    from rich.text import Text

    class Rate(ProgressColumn):
        """Items a second: of late, or in all where there was only one look."""

        def render(self, task: Task) -> Text:
            speed = task.finished_speed or task.speed
            if speed is None and task.elapsed:
                speed = task.completed / task.elapsed
            return Text("" if speed is None else f"{speed:,.0f}/s")

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        Rate(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console) as progress:
        task = progress.add_task(
            operation["state"], total=operation["total"], completed=_attempted(operation)
        )
        yield lambda now: progress.update(task, description=now["state"], completed=_attempted(now))
