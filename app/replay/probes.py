"""The twelve probes: what must be refused, what must come out, and that nothing remains of it.

They run on one connection of the service's role, between BEGIN and ROLLBACK.
"""

from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid4

from app.db.replay import Orchestrator
from app.replay.verdicts import Verdict

_LIVE = "iu_core.auto_instantiate_enabled"
_COMPOSER = "iu_core.composer_enabled"
_ACTOR = "iu-core-probe"
_LONE_ACTOR = "iu-core-probe-rollback"


@dataclass(frozen=True, slots=True)
class Subjects:
    """What the probes are pointed at: a template of 5 pieces, and a collection that is none."""

    template: UUID
    plain_collection: UUID


async def run_probes(orchestrator: Orchestrator, subjects: Subjects) -> list[Verdict]:
    """The verdicts of C1 to C12, in order."""
    transaction = orchestrator.connection.transaction()
    await transaction.start()
    try:
        verdicts = [
            *await _refusals_at_closed_gates(orchestrator, subjects),
            *await _with_the_composer_open(orchestrator, subjects),
            *await _with_both_open(orchestrator, subjects),
        ]
    finally:
        await transaction.rollback()
    rows = await orchestrator.log_rows_of([_ACTOR, _LONE_ACTOR])
    states = await orchestrator.gate_states([_LIVE, _COMPOSER])
    return [
        *verdicts,
        Verdict("C11 log rows that remain", 0, rows),
        Verdict("C12 both gates afterwards", ["closed", "closed"], states),
    ]


async def _refusals_at_closed_gates(
    orchestrator: Orchestrator, subjects: Subjects
) -> list[Verdict]:
    async def status(event_id: UUID | None, emit_mode: str) -> Any:
        answer = await orchestrator.from_event(
            event_id, subjects.template, suffix="probe", actor=_ACTOR, emit_mode=emit_mode
        )
        return answer["status"]

    c3 = await status(uuid4(), "live")
    await orchestrator.open_gate(_LIVE, _ACTOR)
    return [
        Verdict("C1 no event id", "invalid_input", await status(None, "live")),
        Verdict("C2 emit mode shadow", "invalid_emit_mode", await status(uuid4(), "shadow")),
        Verdict("C3 live, its gate closed", "live_gate_closed", c3),
        Verdict(
            "C4 dry run, composer closed",
            "composer_gate_closed",
            await status(uuid4(), "dry_run"),
        ),
    ]


async def _with_the_composer_open(orchestrator: Orchestrator, subjects: Subjects) -> list[Verdict]:
    await orchestrator.open_gate(_COMPOSER, _ACTOR)

    async def dry_run(template: UUID) -> dict[str, Any]:
        return await orchestrator.from_event(
            uuid4(), template, suffix="probe", actor=_ACTOR, emit_mode="dry_run"
        )

    return [
        Verdict(
            "C5 a collection, no template",
            "template_not_marked",
            (await dry_run(subjects.plain_collection))["status"],
        ),
        Verdict(
            "C6 an unknown template id",
            "template_collection_not_found",
            (await dry_run(uuid4()))["status"],
        ),
        Verdict("C7 dry run, all well", _ATTACHED, _seen(await dry_run(subjects.template))),
    ]


async def _with_both_open(orchestrator: Orchestrator, subjects: Subjects) -> list[Verdict]:
    async def live(event_id: UUID, actor: str) -> dict[str, Any]:
        return await orchestrator.from_event(
            event_id, subjects.template, suffix="probe", actor=actor, emit_mode="live"
        )

    event_id = uuid4()
    first, again = await live(event_id, _ACTOR), await live(event_id, _ACTOR)
    alone = await live(uuid4(), _LONE_ACTOR)
    planned = await orchestrator.rollback_by_actor(_LONE_ACTOR)
    return [
        Verdict(
            "C8 the same key twice",
            ("idempotent_replay", first["instance_collection_id"]),
            (again["status"], again["instance_collection_id"]),
        ),
        Verdict("C9 live, both gates open", _ATTACHED, _seen(alone)),
        Verdict(
            "C10 rollback by actor, dry run",
            {"instances": 1, "lineage_rows": 1, "log_rows": 1},
            {name: planned.get(name) for name in ("instances", "lineage_rows", "log_rows")},
        ),
    ]


_ATTACHED = ("ok", 5, True)


def _seen(answer: dict[str, Any]) -> tuple[Any, ...]:
    return answer["status"], answer.get("pieces_attached"), answer.get("digest_matches_template")
