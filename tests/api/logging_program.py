"""A small application that logs: what tests/api/test_logging.py looks at.

    python -m tests.api.logging_program LEVEL STYLE

It prints the ids of its requests.
"""

import asyncio
import logging
import sys

from fastapi import APIRouter

from app.http.route import FactoryRoute
from app.observability import configure_logging
from tests.api.throwaway import client_of, throwaway_app

router = APIRouter(route_class=FactoryRoute)


@router.get("/works")
async def works() -> str:
    logging.getLogger("some.library").warning("said by %s", "a library")
    return "ok"


@router.get("/fails")
async def fails() -> str:
    secret = "".join(["hun", "ter2"])  # noqa: F841 - a traceback must not tell it
    raise RuntimeError("the reason")


async def main() -> None:
    async with client_of(throwaway_app(router)) as client:
        for path in ("/works", "/fails"):
            response = await client.get(path, headers={"x-request-id": "theirs"})
            print(response.headers["x-request-id"])


if __name__ == "__main__":
    _, level, style = sys.argv
    configure_logging(level, "json" if style == "json" else "console")
    logging.getLogger("httpx").setLevel("WARNING")
    asyncio.run(main())
