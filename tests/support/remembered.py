"""What is the same for all of a run's thousands of connections is worked out once.

Each new connection of asyncpg derives a key from the password, in 4,096 rounds, and asks the
server what an array of a built-in type is made of, in its dearest question to the catalogue;
each new client of httpx reads the authorities of the whole world, to speak plain HTTP.
"""

import functools
import hashlib
import ssl
from collections.abc import Iterable
from typing import Any

import asyncpg

_FIRST_OF_A_DATABASE = 16_384
"""Object numbers below belong to the server; those from here on to one database."""


def remember() -> None:
    """Let this process work these things out once; called once in a process."""
    setattr(hashlib, "pbkdf2_hmac", functools.cache(hashlib.pbkdf2_hmac))  # noqa: B010
    setattr(ssl, "create_default_context", functools.cache(ssl.create_default_context))  # noqa: B010
    connections: Any = asyncpg.Connection
    introspect = connections._introspect_types
    answers: dict[tuple[object, frozenset[int]], Any] = {}

    async def remembering(
        connection: asyncpg.Connection, typeoids: Iterable[int], *limit: float | None
    ) -> Any:
        asked = frozenset(typeoids)
        key = connection.get_server_version(), asked
        if key in answers:
            return answers[key]
        answer = await introspect(connection, asked, *limit)
        if max(asked) < _FIRST_OF_A_DATABASE:
            answers[key] = answer
        return answer

    connections._introspect_types = remembering
