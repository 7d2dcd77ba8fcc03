"""The regression matrix: every surface in two snapshots, against what was expected of it."""

from collections.abc import Iterator, Mapping, Sequence

from app.refusals.invalid import invalid_input
from app.refusals.members import InvalidField
from app.schemas.snapshots import ANY, EVERY, INVARIANT, Surface, SurfaceChange

PARTS = "iu_unit_axis/"
"""How surfaces begin that are there as long as they have rows: one that is not there has none."""

Surfaces = Mapping[str, Surface]
"""The surfaces of a snapshot, by name."""


def changes_between(
    before: Surfaces, after: Surfaces, expectations: Sequence[str]
) -> list[SurfaceChange]:
    """What became of each surface, by name. Expectations: `app.schemas.snapshots.Expectation`.

    What is not expected to change must not. Refuses with `invalid_input` what is expected of a
    surface that there is not, and two expectations of one.
    """
    surfaces = before.keys() | after.keys()
    expected = _read(expectations, surfaces)
    otherwise = expected.get(EVERY, INVARIANT)
    return [
        _change(surface, before, after, expected.get(surface, otherwise))
        for surface in sorted(surfaces)
    ]


def _read(expectations: Sequence[str], surfaces: set[str]) -> dict[str, str]:
    expected: dict[str, str] = {}
    errors: list[InvalidField] = []
    for text in expectations:
        surface, _, what = text.rpartition("=")
        if surface in expected:
            errors.append(_error("duplicate_key", f"expects two things of {surface}"))
        elif surface not in surfaces and surface != EVERY:
            errors.append(_error("surface", f"neither snapshot has a surface {surface}"))
        expected[surface] = what.replace(" ", "+")
    if errors:
        raise invalid_input(errors)
    return expected


def _error(rule: str, detail: str) -> InvalidField:
    return InvalidField(location="query", pointer="/expect", rule=rule, detail=detail)


def _change(surface: str, before: Surfaces, after: Surfaces, expected: str) -> SurfaceChange:
    (rows_before, digest_before), (rows_after, digest_after) = _seen(surface, before, after)
    delta = None if rows_before is None or rows_after is None else rows_after - rows_before
    changed = (rows_before, digest_before) != (rows_after, digest_after)
    match expected:
        case _ if expected == ANY:
            holds = True
        case _ if expected == INVARIANT:
            holds = delta is not None and not changed
        case _:
            holds = delta == int(expected)
    return SurfaceChange(
        surface=surface,
        before=rows_before,
        after=rows_after,
        delta=delta,
        digest_before=digest_before,
        digest_after=digest_after,
        changed=changed,
        expected=expected,
        holds=holds,
    )


def _seen(surface: str, *snapshots: Surfaces) -> Iterator[tuple[int | None, str | None]]:
    for surfaces in snapshots:
        found = surfaces.get(surface)
        if found is not None:
            yield found.row_count, found.digest
        else:
            yield (0 if surface.startswith(PARTS) else None), None
