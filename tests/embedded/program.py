"""A program that uses the embedded server, as the tests start it, kill it and talk to it.

    python -m tests.embedded.program DATA_DIR [BIN_DIR]

It prints one line of JSON when it has the server, answers each line of its input, a query, with
a line, and stops using the server when its input ends, on SIGTERM and on Ctrl-C. Refused, it
prints the refusal and ends with 3.
"""

import asyncio
import json
import signal
import sys
from pathlib import Path

import asyncpg

from app.db.embedded import EmbeddedError, EmbeddedPostgres


async def ask(url: str, query: str) -> str:
    connection = await asyncpg.connect(url)
    try:
        return str(await connection.fetchval(query))
    finally:
        await connection.close()


def say(**members: object) -> None:
    sys.stdout.write(json.dumps(members) + "\n")
    sys.stdout.flush()


def on_term(*_: object) -> None:
    raise SystemExit(0)


def main(data_dir: str, bin_dir: str | None = None) -> None:
    signal.signal(signal.SIGTERM, on_term)
    server = EmbeddedPostgres(
        Path(data_dir), bin_dir=Path(bin_dir) if bin_dir else None, options={"fsync": "off"}
    )
    server.start()
    try:
        say(url=server.superuser_url, version=server.version)
        for line in sys.stdin:
            say(answer=asyncio.run(ask(server.superuser_url, line)))
    except KeyboardInterrupt:
        say(interrupted=asyncio.run(ask(server.superuser_url, "SELECT 'still there'")))
    finally:
        server.stop()
    say(stopped=True)


if __name__ == "__main__":
    try:
        main(*sys.argv[1:])
    except EmbeddedError as error:
        say(refused=str(error))
        sys.exit(3)
