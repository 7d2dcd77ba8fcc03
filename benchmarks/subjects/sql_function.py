"""The set-based function alone, against INSERTs of the same rows by hand."""

from collections.abc import Awaitable, Callable, Sequence

import asyncpg

from benchmarks.ground import ACTOR, Ground
from benchmarks.page import Table
from benchmarks.pgbench import transactions_per_s
from benchmarks.sql import DATA_TEXT, Template, count, literal, rows_of
from benchmarks.subjects import Options
from benchmarks.templates import FIVE, create_template, open_gates
from benchmarks.turns import ROUNDS, in_turns, median, ratio

BATCHES = (1, 10, 100, 1000)
SECONDS = 1
BARE = "by_hand"

TITLE = "The SQL function alone"
WHAT = f"""\
`fn_iu_auto_instantiate_many` against hand-written INSERTs of the same rows into the same tables
with the same indexes and constraints, in a copy of the database. Both by pgbench with one
client and prepared statements, one transaction a batch. By hand: one INSERT … SELECT FROM
unnest per table and the counter's upsert, sent in one pipeline, with keys in order; nothing is
checked, digested, locked or answered. The function reads the gates, resolves the template,
checks every field, judges every key and answers every row. Medians of {ROUNDS} rounds of
{SECONDS} s.

Asked for at 100 a batch: 0.85.
"""

# The client makes the ids; both sides get them as one parameter.
_IDS = (
    "SELECT array_agg(id ORDER BY id) AS ids"
    " FROM (SELECT gen_random_uuid() AS id FROM generate_series(1, {batch})) AS made \\gset\n"
)


def _by_function(batch: int) -> str:
    def of(value: str) -> str:
        return f"array_fill({value}, ARRAY[{batch}])"

    arguments = (
        ":ids::uuid[]",
        of("'employee.hired'::text"),
        of(literal(FIVE)),
        of("'ada-lovelace'::text"),
        of(f"'{ACTOR}'::text"),
        of("'live'::text"),
        of("''::text"),
        of(literal(DATA_TEXT)),
        of("false"),
        of("NULL::text"),
        of("'benchmark'::text"),
        ":ids::uuid[]",
        "NULL",
        "false",
    )
    call = f"SELECT * FROM iu_core.fn_iu_auto_instantiate_many({', '.join(arguments)});\n"
    return _IDS.format(batch=batch) + call


def _by_hand(template: Template, batch: int) -> str:
    statements = [
        "\\startpipeline",
        "BEGIN;",
        *(f"{rows.insert(':ids::uuid[]')};" for rows in rows_of(template)),
        f"{count(template, batch)};",
        "COMMIT;",
        "\\endpipeline",
    ]
    return _IDS.format(batch=batch) + "\n".join(statements) + "\n"


async def measure(ground: Ground, _options: Options) -> Sequence[Table]:
    """Rows per second of both, by size of batch."""
    async with ground.client() as client:
        await open_gates(client)
        await create_template(client, FIVE, 5)
    await ground.clone(BARE)
    owner = await asyncpg.connect(ground.owner_url(BARE))
    try:
        template = await Template.of(owner)
    finally:
        await owner.close()

    def run_of(url: str, script: str, batch: int) -> Callable[[], Awaitable[float]]:
        async def run() -> float:
            return batch * await transactions_per_s(ground, url, script, SECONDS)

        return run

    rows = []
    for batch in BATCHES:
        figures = await in_turns(
            {
                "function": run_of(ground.service_url(), _by_function(batch), batch),
                "by hand": run_of(ground.owner_url(BARE), _by_hand(template, batch), batch),
            }
        )
        rows.append(
            (
                f"{batch:,} a batch",
                f"{median(figures, 'function'):,.0f}/s",
                f"{median(figures, 'by hand'):,.0f}/s",
                f"{ratio(figures, 'function', 'by hand'):.2f}",
            )
        )
    return [Table(("", "the function", "by hand", "ratio"), rows)]
