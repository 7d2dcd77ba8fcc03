"""pgbench, of the embedded PostgreSQL: one client with prepared statements."""

import asyncio
import re
import tempfile
from pathlib import Path

from benchmarks.ground import Ground

_TPS = re.compile(r"^tps = ([0-9.]+) \(without initial connection time\)$", re.MULTILINE)


async def transactions_per_s(ground: Ground, url: str, script: str, seconds: int) -> float:
    """How often a script ran through in a second, after a first time that does not count."""
    with tempfile.NamedTemporaryFile("w", suffix=".sql", encoding="utf-8") as file:
        file.write(script)
        file.flush()
        await _pgbench(ground, url, file.name, "--transactions=7")  # a plan is kept from the 6th
        said = await _pgbench(ground, url, file.name, f"--time={seconds}")
    found = _TPS.search(said)
    if found is None:
        raise RuntimeError(f"pgbench said no rate: {said}")
    return float(found[1])


async def _pgbench(ground: Ground, url: str, file: str, how_long: str) -> str:
    process = await asyncio.create_subprocess_exec(
        str(Path(ground.server.bin_dir) / "pgbench"),
        *("--no-vacuum", "--protocol=prepared", "--client=1", how_long, f"--file={file}", url),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, errors = await process.communicate()
    if process.returncode != 0 or b"failed transactions: 0 " not in out:
        raise RuntimeError(f"pgbench failed: {errors.decode()} {out.decode()}")
    return out.decode()
