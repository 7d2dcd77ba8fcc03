"""A way to a service that does something in between, as the world does."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import httpx


@dataclass
class Answer:
    """What is answered instead of the service's answer."""

    status: int
    body: str
    media_type: str = "application/problem+json"


Between = Callable[[str, str], Answer | None]
"""Called with the method and the path of each request, before it is passed on."""


class _Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self._pass()

    do_POST = do_PUT = do_DELETE = do_GET  # noqa: N815 - the names that http.server calls

    def _pass(self) -> None:
        relay = self.server
        assert isinstance(relay, _Server)
        content = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        answer = relay.between(self.command, self.path)
        if answer is None:
            kept = ("authorization", "content-type", "if-match")
            passed = httpx.request(
                self.command,
                relay.url + self.path,
                headers={
                    name: value for name, value in self.headers.items() if name.lower() in kept
                },
                content=content,
                trust_env=False,
                verify=False,  # there is no TLS, and its certificates take longest
            )
            answer = Answer(passed.status_code, passed.text, passed.headers["content-type"])
            etag = passed.headers.get("etag")
        else:
            etag = None
        body = answer.body.encode()
        self.send_response(answer.status)
        self.send_header("Content-Type", answer.media_type)
        self.send_header("Content-Length", str(len(body)))
        if etag is not None:
            self.send_header("ETag", etag)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Say nothing."""


class _Server(ThreadingHTTPServer):
    def __init__(self, url: str, between: Between) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.url, self.between = url, between


@contextmanager
def relayed(url: str, between: Between) -> Iterator[str]:
    """The URL of a relay to the service."""
    with _Server(url, between) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()
            thread.join()
