"""The regression matrix for people: as a table in Markdown, and as a page."""

from html import escape

from app.http.pages import page
from app.schemas.snapshots import Regression, SnapshotSummary, SurfaceChange

MARKDOWN = "text/markdown"

_TITLE = "Regression"
_COLUMNS = ("surface", "before", "after", "delta", "digest", "expected", "verdict")
_NUMBERS = ("before", "after", "delta")

_STYLE = """
body { max-width: 68rem; }
.verdict { border-left: .25rem solid var(--good); background: var(--soft); margin: 1.25rem 0;
  padding: .75rem 1rem; }
.verdict b { color: var(--good); }
.verdict.broken { border-color: var(--bad); }
.verdict.broken b { color: var(--bad); }
.snapshots { display: grid; gap: 1rem; grid-template-columns: repeat(auto-fit, minmax(18rem, 1fr));
  margin: 1.25rem 0; }
.snapshots h2 { margin: 0; }
.snapshots p { margin: .15rem 0; }
small, .same { color: var(--quiet); }
.table { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; }
th, td { border-top: 1px solid var(--line); padding: .4rem 1.25rem .4rem 0; text-align: left;
  white-space: nowrap; }
thead th { border-top: 0; color: var(--quiet); font-weight: 600; }
tbody th { font-weight: 400; }
.number { font-variant-numeric: tabular-nums; text-align: right; }
tr.broken { background: var(--soft); }
tr.broken .held { color: var(--bad); font-weight: 600; }
.held { color: var(--good); }
@media print { .table { overflow: visible; } }
""".strip()


def as_markdown(regression: Regression) -> str:
    """The matrix as a table in Markdown, between what was compared and the verdict."""
    rule = "|".join("---:" if name in _NUMBERS else "---" for name in _COLUMNS)
    rows = (f"| {' | '.join(_cells(change))} |" for change in regression.surfaces)
    return "\n".join(
        (
            f"# {_TITLE}",
            "",
            *(
                f"- {when}: `{snapshot.snapshot_id}`, {_time(snapshot)}"
                for when, snapshot in _compared(regression)
            ),
            *(f"- {note}" for note in _notes(regression)),
            "",
            f"| {' | '.join(_COLUMNS)} |",
            f"|{rule}|",
            *rows,
            "",
            f"**{_verdict(regression)}**",
            "",
        )
    )


def as_page(regression: Regression) -> str:
    """The matrix as a page."""
    broken = "" if regression.holds else " broken"
    snapshots = "".join(
        f"<div><h2>{when}</h2><p>{escape(snapshot.reason)}</p>"
        f"<p><small>{_time(snapshot)} · {escape(snapshot.actor)}</small></p>"
        f"<p><small><code>{snapshot.snapshot_id}</code></small></p></div>"
        for when, snapshot in _compared(regression)
    )
    notes = "".join(f"<p>{note}</p>" for note in _notes(regression))
    heads = "".join(f'<th scope="col"{_kind(name)}>{name}</th>' for name in _COLUMNS)
    return page(
        _TITLE,
        f'<h1>{_TITLE}</h1><p class="verdict{broken}"><b>{_verdict(regression)}</b></p>'
        f'<div class="snapshots">{snapshots}</div>{notes}'
        f'<div class="table"><table><thead><tr>{heads}</tr></thead>'
        f"<tbody>{''.join(map(_row, regression.surfaces))}</tbody></table></div>",
        _STYLE,
    )


def _row(change: SurfaceChange) -> str:
    surface, *rest = zip(_COLUMNS, _cells(change), strict=True)
    cells = "".join(f"<td{_kind(name, text)}>{escape(text)}</td>" for name, text in rest)
    broken = "" if change.holds else ' class="broken"'
    return f'<tr{broken}><th scope="row"><code>{escape(surface[1])}</code></th>{cells}</tr>'


def _kind(name: str, text: str = "") -> str:
    if name in _NUMBERS:
        return ' class="number"'
    if name == "verdict" and text:
        return ' class="held"'
    return ' class="same"' if text == "same" else ""


def _cells(change: SurfaceChange) -> tuple[str, ...]:
    return (
        change.surface,
        _number(change.before),
        _number(change.after),
        "–" if change.delta is None else f"{change.delta:+,}" if change.delta else "0",
        "other" if change.changed else "same",
        change.expected,
        "holds" if change.holds else "does not hold",
    )


def _number(value: int | None) -> str:
    return "not looked at" if value is None else f"{value:,}"


def _compared(regression: Regression) -> tuple[tuple[str, SnapshotSummary], ...]:
    return ("Before", regression.before), ("After", regression.after)


def _notes(regression: Regression) -> tuple[str, ...]:
    before, after = regression.before.schema_revision, regression.after.schema_revision
    if before == after:
        return ()
    return (
        f"The tables are of revision {before} before and of {after} after: where they have other"
        " columns, every row is another one.",
    )


def _verdict(regression: Regression) -> str:
    broken = sum(not change.holds for change in regression.surfaces)
    if not broken:
        return "Everything is as expected."
    return f"{broken} of {len(regression.surfaces)} surfaces are not as expected."


def _time(snapshot: SnapshotSummary) -> str:
    return f"{snapshot.taken_at:%Y-%m-%d %H:%M:%SZ}"
