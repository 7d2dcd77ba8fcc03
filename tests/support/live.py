"""The service on a real socket, in a thread of its own, for clients that block."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import uvicorn

from app.http.protocol import ProblemProtocol
from app.main import create_app
from app.settings import Settings
from tests.support.databases import Database

DEADLINE_S = 30


@contextmanager
def live_service(database: Database, **settings: object) -> Iterator[str]:
    """The service on a free port of 127.0.0.1, on a test's own database; answers its URL.

    It has a loop of its own, so a test that is no coroutine can wait for its answers.
    """
    app = create_app(
        Settings.model_validate(
            {
                "database_url": database.app_url,
                "disposable_data": True,
                "log_level": "warning",
                **settings,
            }
        )
    )
    config = uvicorn.Config(
        app, port=0, log_config=None, access_log=False, http=ProblemProtocol, server_header=False
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, name="live-service")
    thread.start()
    try:
        yield f"http://127.0.0.1:{_port(server, thread)}"
    finally:
        server.should_exit = True
        thread.join(DEADLINE_S)
        assert not thread.is_alive(), "the service did not end"


def _port(server: uvicorn.Server, thread: threading.Thread) -> int:
    deadline = time.monotonic() + DEADLINE_S
    while not server.started:
        assert thread.is_alive(), "the service ended before it began"
        assert time.monotonic() < deadline, "the service did not come up"
        thread.join(0.01)
    port: int = server.servers[0].sockets[0].getsockname()[1]
    return port
