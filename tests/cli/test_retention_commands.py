"""`factory retention …`, against a service of its own, whose clock is set ahead by years."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import pytest

from app.db.embedded import EmbeddedPostgres
from app.hosting import EMBEDDED_DATABASE
from tests.cli.conftest import Cli
from tests.support.commands import environment, hosting

REASON = ("--reason", "a test")
MINUTES = "SELECT iu_core.fn_iu_set_clock(interval '5 minutes')"
YEARS = "SELECT iu_core.fn_iu_set_clock(interval '800 days')"
FEW_AT_A_TIME = """CREATE OR REPLACE FUNCTION iu_core.fn_iu_retention_limit(p_of_plan boolean)
    RETURNS integer LANGUAGE sql IMMUTABLE
    AS $$ SELECT CASE WHEN p_of_plan THEN 3 ELSE 2 END $$"""


async def _owner_does(data: Path, *statements: str) -> None:
    with EmbeddedPostgres(data) as embedded:
        owner = await asyncpg.connect(embedded.url("iu_owner", EMBEDDED_DATABASE))
        for statement in statements:
            await owner.execute(statement)
        await owner.close()


@pytest.fixture
def cli(data: Path) -> Iterator[Cli]:
    """The command line of who started a service of its own."""
    env = environment(FACTORY_DATA_DIR=str(data), FACTORY_PORT="0")
    with hosting("serve", "--json", env=env, cwd=data.parent) as program:
        url = program.document()["url"]
        yield Cli(url, data.parent, environment(FACTORY_DATA_DIR=str(data), FACTORY_URL=url))


def only(cli: Cli, *kept: str) -> None:
    """Leave one target to be cleaned up, and disable the others."""
    for policy in cli.json("retention", "policies"):
        if policy["target"] not in kept:
            days = str(policy["keep_days"])
            cli("retention", "set", policy["target"], "--keep-days", days, "--disabled", *REASON)


def test_policies_are_listed_and_set(cli: Cli) -> None:
    lines = cli("retention", "policies").out.splitlines()
    assert lines[0].split() == ["target", "keep", "days", "enabled", "changed", "by", "reason"]
    assert [line.split()[:3] for line in lines[1:]] == [
        ["command_record", "730", "yes"],
        ["delivery_attempts", "90", "yes"],
        ["ended_leases", "365", "yes"],
        ["stored_events", "365", "yes"],
    ]
    setting = ("retention", "set", "stored_events", "--keep-days", "30", *REASON)
    assert cli(*setting).out == "stored_events is kept for 30 days.\n"
    assert cli(*setting).out == "stored_events is kept for 30 days, as before.\n"
    assert cli(*setting, "--disabled").out == "stored_events is kept for ever.\n"
    document = cli.json(*setting)
    assert (document["keep_days"], document["enabled"], document["changed"]) == (30, True, True)
    unknown = ("retention", "set", "templates", "--keep-days", "1", *REASON)
    assert cli.refusal(*unknown, code=4)[0].startswith("retention_policy_not_found: ")


def test_a_cleanup_shows_and_then_deletes_portion_by_portion(cli: Cli, data: Path) -> None:
    only(cli, "ended_leases")
    for _ in range(7):
        cli("gate", "lease", "vector_sync_enabled", "--minutes", "1", *REASON)
    apply = ("retention", "cleanup", "--apply", *REASON)
    asyncio.run(_owner_does(data, YEARS))
    there = cli.json("retention", "cleanup")["rows_eligible"]
    assert there >= 7
    asyncio.run(_owner_does(data, FEW_AT_A_TIME))

    shown = cli("retention", "cleanup").out
    assert "Nothing was deleted. To delete exactly this: --apply --reason '…'" in shown
    assert "ended_leases: there may be more than one plan names." in shown
    assert cli.refusal(*apply, code=5)[0].startswith("retention_gate_closed: ")
    cli("gate", "open", "retention_enabled", *REASON)

    # A plan, by what the command has printed.
    plan = shown.split("'…'")[1].split()
    one = cli.json(*apply, *plan)
    assert (one["rows_deleted"], one["complete"], one["begun_by"]) == (3, True, None)
    (target,) = [t for t in one["targets"] if t["target"] == "ended_leases"]
    assert (target["rows_eligible"], target["rows_deleted"], target["rows_gone"]) == (3, 3, 0)
    again = cli(*apply, *plan).out
    assert "The plan was begun by admin at " in again

    # And all that is left, however many plans it takes.
    rest = cli.json(*apply)
    assert rest["rows_deleted"] == rest["rows_eligible"] == there - 3
    assert cli.json("retention", "cleanup")["rows_eligible"] == 0


def test_the_record_of_a_service_that_runs_is_cleaned_up_and_verifies(cli: Cli, data: Path) -> None:
    only(cli, "command_record")
    asyncio.run(_owner_does(data, MINUTES))
    assert cli.json("audit", "seal")["complete"] is True
    asyncio.run(_owner_does(data, YEARS))
    cli("gate", "open", "retention_enabled", *REASON)
    assert "segments stay (not_exported)." in cli("retention", "cleanup").out
    cli("audit", "export", "--output", "head.json")
    done = cli.json("retention", "cleanup", "--apply", *REASON)
    assert done["rows_deleted"] > 0
    assert 1 in done["segments_retired"]
    assert cli.json("audit", "verify", "--head", "head.json")["holds"] is True
    assert cli.json("verify")["holds"] is True


def test_what_is_said_wrongly_is_explained(cli: Cli) -> None:
    done = cli("retention", "cleanup", "--apply", code=2)
    assert "say why, with --reason" in done.err
    done = cli("retention", "cleanup", "--plan-digest", "0" * 64, code=2)
    assert "a plan is --plan-digest and --planned-at" in done.err
    stale = (
        *("retention", "cleanup", "--plan-digest", "0" * 64),
        *("--planned-at", "2026-03-06T17:00:00Z"),
    )
    assert cli.refusal(*stale, code=7)[0].startswith("plan_stale: ")
