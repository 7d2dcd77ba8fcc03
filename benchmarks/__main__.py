"""Measure on a scratch database, durable as a real one, and write the figures down."""

import asyncio
import sys
import tempfile
from pathlib import Path

import asyncpg
import httpx

from app.hosting import Host, bound_socket, hosting, served
from app.security import Scope
from app.services.first_key import create_first_key
from app.settings import Settings
from benchmarks import template_size
from benchmarks.machine import machine
from benchmarks.template_size import LARGE, RUNS, SMALL, Figure

README = Path(__file__).parent / "README.md"

_HEAD = f"""\
# Benchmarks

`make bench` measures on a scratch database of its own (durable: fsync and synchronous_commit are
on) and writes this page. What counts are the ratios, which are taken in one run on one machine; the
absolute rates say more about the machine than about the factory.

## The template's size does not matter

An instance refers to its template's composition, so composing must cost the same for {SMALL} pieces
and for {LARGE:,}. Medians of {RUNS} runs, in turns; the ratio is the median of the pairs' ratios.
"""


async def _measure(host: Host) -> list[Figure]:
    await host.prepare()
    await host.migrate()
    secret = await create_first_key(
        host.required_owner_url(), principal="benchmark", scope=Scope.ADMIN, actor="bench-bot"
    )
    connection = await asyncpg.connect(host.required_service_url())
    try:
        with bound_socket(host.settings) as listener:
            async with (
                served(host.service_settings, listener) as (url, _),
                httpx.AsyncClient(
                    base_url=url,
                    headers={"Authorization": f"Bearer {secret}"},
                    timeout=60,
                    trust_env=False,
                ) as client,
            ):
                keys = await template_size.prepare(client)
                return await template_size.measure(client, connection, keys)
    finally:
        await connection.close()


def _page(named: str, figures: list[Figure]) -> str:
    rows = [
        f"| {figure.what} | {figure.small_per_s:,.0f}/s | {figure.large_per_s:,.0f}/s"
        f" | {figure.ratio:.2f} | 0.90 to 1.10 |"
        for figure in figures
    ]
    table = [
        f"| | {SMALL} pieces | {LARGE:,} pieces | ratio | asked for |",
        "|---|---|---|---|---|",
        *rows,
    ]
    return "\n".join([_HEAD, *table, "", f"Measured on: {named}.", ""])


def main() -> None:
    """Measure, print, and write benchmarks/README.md."""
    with tempfile.TemporaryDirectory(prefix="factory-bench-") as scratch:
        settings = Settings(data_dir=Path(scratch), port=0, log_level="warning").model_copy(
            update={"database_url": None, "migration_database_url": None, "url": None}
        )
        with hosting(settings) as host:
            assert host.embedded is not None
            named = machine(host.embedded.version)
            figures = asyncio.run(_measure(host))
    page = _page(named, figures)
    README.write_text(page, encoding="utf-8")
    sys.stdout.write(page)


main()
