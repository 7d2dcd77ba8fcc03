"""The service on a real socket, in a thread of its own, for clients that block."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import uvicorn

from app.hosting import bound_socket, server_config
from app.main import create_app
from app.settings import Settings
from tests.support.databases import Database

DEADLINE_S = 30


@contextmanager
def live_service(database: Database, **settings: object) -> Iterator[str]:
    """The service on a free port of 127.0.0.1, on a test's own database; answers its URL.

    It has a loop of its own, so a test that is no coroutine can wait for its answers.
    """
    told = Settings.model_validate(
        {
            "port": 0,
            "database_url": database.app_url,
            "data_dir": database.data_dir,
            "disposable_data": True,
            "log_level": "warning",
            **settings,
        }
    )
    server = uvicorn.Server(server_config(create_app(told)))
    with bound_socket(told) as listener:
        thread = threading.Thread(target=server.run, args=([listener],), name="live-service")
        thread.start()
        try:
            _wait_for(server, thread)
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join(DEADLINE_S)
            assert not thread.is_alive(), "the service did not end"


def _wait_for(server: uvicorn.Server, thread: threading.Thread) -> None:
    deadline = time.monotonic() + DEADLINE_S
    while not server.started:
        assert thread.is_alive(), "the service ended before it began"
        assert time.monotonic() < deadline, "the service did not come up"
        thread.join(0.01)
