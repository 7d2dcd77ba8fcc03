"""The first keys: made with the owner's login, and one kept in a file."""

import asyncio
import stat
from pathlib import Path

import asyncpg
import pytest

from app.authentication import NewApiKey
from app.errors import Refusal, StartupError
from app.security import Scope
from app.services.first_key import create_first_key, ensure_admin_key
from tests.support.databases import Database
from tests.support.http import Service, client_of, make_key
from tests.support.rows import one_row


async def keys(owner: asyncpg.Connection) -> int:
    """How many keys there are."""
    count: int = await owner.fetchval("SELECT count(*) FROM iu_core.iu_api_key")
    return count


def names_in(directory: Path) -> list[str]:
    """What lies in a directory."""
    return [path.name for path in directory.iterdir()]


async def status_with(service: Service, secret: str) -> int:
    """What an admin's read with the key is answered with."""
    async with client_of(service.app, secret) as client:
        return (await client.get("/api-keys")).status_code


async def test_the_admin_key_is_made_once_for_its_owners_eyes(
    service: Service, database: Database, owner: asyncpg.Connection, tmp_path: Path
) -> None:
    path = tmp_path / "admin.key"
    before = await keys(owner)
    secret = await ensure_admin_key(database.owner_url, path)
    assert path.read_text() == f"{secret}\n"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert names_in(tmp_path) == ["admin.key"], "nothing is left beside it"
    assert await status_with(service, secret) == 200

    assert await ensure_admin_key(database.owner_url, path) == secret
    assert await keys(owner) == before + 1
    row = await one_row(owner, "SELECT * FROM iu_core.v_iu_api_key WHERE principal = 'local admin'")
    assert (row["scope"], row["actor"], row["actor_prefixes"]) == (
        "admin",
        "admin",
        ["admin-", "admin:"],
    )


async def test_a_key_that_does_not_work_is_replaced(
    service: Service, database: Database, owner: asyncpg.Connection, tmp_path: Path
) -> None:
    path = tmp_path / "admin.key"
    revoked = await ensure_admin_key(database.owner_url, path)
    await owner.execute("UPDATE iu_core.iu_api_key SET revoked_at = now()")
    narrower = await make_key(owner, "operator")
    seen = {revoked}
    for content in (
        revoked.encode(),
        narrower.encode(),
        NewApiKey.make().secret.encode(),
        b"",
        b"\xff\x00\xfe",
        b"changeme\n",
    ):
        path.write_bytes(content)
        secret = await ensure_admin_key(database.owner_url, path)
        assert secret not in seen, content
        assert path.read_text() == f"{secret}\n"
        assert await status_with(service, secret) == 200
        seen.add(secret)


async def test_a_file_that_others_could_read_is_closed_to_them(
    database: Database, tmp_path: Path
) -> None:
    path = tmp_path / "admin.key"
    secret = await ensure_admin_key(database.owner_url, path)
    path.chmod(0o644)
    assert await ensure_admin_key(database.owner_url, path) == secret
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


async def test_programs_that_start_together_make_one_key(
    database: Database, owner: asyncpg.Connection, tmp_path: Path
) -> None:
    path = tmp_path / "admin.key"
    secrets = await asyncio.gather(*(ensure_admin_key(database.owner_url, path) for _ in range(4)))
    assert set(secrets) == {path.read_text().strip()}
    assert await keys(owner) == 1


async def test_a_file_that_cannot_be_had_stops_the_program_in_one_line(
    database: Database, tmp_path: Path
) -> None:
    path = tmp_path / "admin.key"
    path.mkdir()
    with pytest.raises(StartupError) as refused:
        await ensure_admin_key(database.owner_url, path)
    assert str(refused.value) == (
        f"The admin key can't be kept in {path} (Is a directory): correct the owner of the file,"
        " or move it away."
    )


async def test_a_first_key_of_any_scope_and_what_it_may_not_be(
    service: Service, database: Database
) -> None:
    secret = await create_first_key(
        database.owner_url, principal="anna", scope=Scope.ADMIN, actor="anna"
    )
    assert await status_with(service, secret) == 200
    with pytest.raises(Refusal) as refused:
        await create_first_key(
            database.owner_url,
            principal="jwt:anna",
            scope=Scope.VIEWER,
            actor="Anna",
            actor_prefixes=("anna",),
        )
    assert refused.value.code == "invalid_input"
    pointers = [error["pointer"] for error in refused.value.members["errors"]]  # type: ignore[attr-defined]
    assert pointers == ["/principal", "/actor", "/actor_prefixes"]
