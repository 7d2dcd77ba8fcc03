"""The command line's HTTP client: where the service is, with which key, and what it refuses."""

import json
import re
import ssl
from collections.abc import Iterator, Mapping
from ipaddress import ip_address
from typing import Any, BinaryIO
from urllib.parse import quote, urlsplit

import httpx
import typer

from app.cli.output import fail, refused
from app.settings import Settings, get_settings

TIMEOUT_S = 90.0
"""Longer than the service works on any request, but for those that look through everything."""

NO_KEY = 3
UNREACHABLE = 8


class Client:
    """Calls the service, and ends the command where it refuses or does not answer.

    The key is FACTORY_API_KEY, or else the one in admin.key in the data directory, which is sent
    to this machine only. The URL is FACTORY_URL, or else that of FACTORY_HOST and FACTORY_PORT.
    """

    def __init__(self, *, as_json: bool = False) -> None:
        settings = get_settings()
        self.url = settings.api_url
        self._as_json = as_json
        self._http = httpx.Client(
            base_url=self.url,
            headers={"Authorization": f"Bearer {key_for(settings)}"},
            timeout=TIMEOUT_S,
            verify=certificates(self.url),
            trust_env=not is_ours(settings),  # no proxy leads to this machine
        )

    def call(
        self,
        method: str,
        path: str,
        order: Mapping[str, Any] | bytes | None = None,
        *,
        params: Mapping[str, Any] | None = None,
        if_match: str | None = None,
    ) -> Any:
        """The document that the service answers; `order` is a JSON document, or its text.

        Raises typer.Exit for a refusal, which has been printed.
        """
        return self._send(method, path, order, params=params, if_match=if_match)[0]

    def look(self, path: str, *, params: Mapping[str, Any] | None = None) -> Any:
        """The document that the service answers after it has looked through all there is."""
        # However long that takes; who is no longer there is not answered either.
        return self._request(
            "GET", path, params=params, timeout=httpx.Timeout(TIMEOUT_S, read=None)
        )[0]

    def read_tagged(self, path: str) -> tuple[Any, str]:
        """A document and its entity tag."""
        document, answer = self._send("GET", path, None)
        return document, answer.headers["etag"]

    def pages(self, path: str, **params: Any) -> Iterator[dict[str, Any]]:
        """Every item of a list, page by page."""
        asked = {name: value for name, value in params.items() if value is not None}
        while True:
            document = self.call("GET", path, params=asked)
            yield from document["items"]
            if document.get("next_page_token") is None:
                return
            asked["page_token"] = document["next_page_token"]

    def text(self, path: str, media_type: str, *, params: Mapping[str, Any]) -> str:
        """The text that the service answers in a media type."""
        return self._got(path, media_type, params).text

    def content(
        self, path: str, media_type: str, *, params: Mapping[str, Any] | None = None
    ) -> bytes:
        """The bytes that the service answers in a media type."""
        return self._got(path, media_type, params).content

    def upload(
        self, path: str, file: BinaryIO, media_type: str, *, idempotency_key: str | None = None
    ) -> Any:
        """The document that the service answers to a file, which is sent as it is read."""
        headers = {"Content-Type": media_type}
        if idempotency_key is not None:
            headers["Idempotency-Key"] = idempotency_key
        return self._request("POST", path, content=file, headers=headers)[0]

    def events(self, path: str, *, patient: bool) -> Iterator[Any]:
        """The documents of server-sent events, until the service ends them.

        Raises httpx.TransportError where the connection is lost, or there is none; and where the
        client is `patient`, httpx.HTTPStatusError when the service can't answer for now (503).
        """
        with self._http.stream("GET", path) as answer:
            if patient and answer.status_code == httpx.codes.SERVICE_UNAVAILABLE:
                answer.raise_for_status()
            if not answer.is_success:
                answer.read()
                raise self._refused(answer)
            for line in answer.iter_lines():
                if line.startswith("data: "):
                    yield json.loads(line.removeprefix("data: "))

    def _send(
        self,
        method: str,
        path: str,
        order: Mapping[str, Any] | bytes | None,
        *,
        params: Mapping[str, Any] | None = None,
        if_match: str | None = None,
    ) -> tuple[Any, httpx.Response]:
        content = as_body(order) if isinstance(order, Mapping) else order
        headers = {} if content is None else {"Content-Type": "application/json"}
        if if_match is not None:
            headers["If-Match"] = if_match
        return self._request(method, path, content=content, params=params, headers=headers)

    def _request(self, method: str, path: str, **sent: Any) -> tuple[Any, httpx.Response]:
        try:
            answer = self._http.request(method, path, **sent)
        except httpx.TransportError as error:
            raise unreachable(self.url, error) from error
        document = _document_of(answer)
        if answer.is_success and document is not None:
            return document, answer
        raise self._refused(answer)

    def _got(self, path: str, media_type: str, params: Mapping[str, Any] | None) -> httpx.Response:
        try:
            answer = self._http.get(path, params=params, headers={"Accept": media_type})
        except httpx.TransportError as error:
            raise unreachable(self.url, error) from error
        if not answer.is_success:
            raise self._refused(answer)
        return answer

    def _refused(self, answer: httpx.Response) -> typer.Exit:
        """Say what the service refuses, or that it is not the factory; what ends the command."""
        document = _document_of(answer)
        if isinstance(document, dict) and "code" in document:
            return refused(document, as_json=self._as_json)
        fail(
            f"{answer.request.url} answered {answer.status_code}, and not as the factory does:"
            " is FACTORY_URL right?"
        )
        return typer.Exit(UNREACHABLE)


def key_for(settings: Settings) -> str:
    """The API key for the service at the settings' URL. Ends the command where there is none."""
    if settings.api_key is not None:
        return _sendable(settings.api_key.get_secret_value())
    path = settings.admin_key_path
    if not is_ours(settings):
        fail(
            f"There is no API key for {settings.api_url}: set FACTORY_API_KEY. (The one in {path}"
            " is sent to this machine only.)"
        )
        raise typer.Exit(NO_KEY)
    try:
        return _sendable(path.read_text(encoding="ascii", errors="replace"))
    except OSError as error:
        fail(
            f"There is no API key: set FACTORY_API_KEY. (Without it the one in {path} is used,"
            f" and that can't be read: {error.strerror}.)"
        )
        raise typer.Exit(NO_KEY) from error


def _sendable(key: str) -> str:
    # What no header can carry is no key, which the service says; a client's error would show it.
    return re.sub(r"[^\x21-\x7e]", "?", key.strip()) or "?"


def unreachable(url: str, error: httpx.TransportError) -> typer.Exit:
    """Say that nobody answers; the exception that ends the command."""
    if isinstance(error, httpx.ReadTimeout):
        fail(
            f"{url} has not answered within {TIMEOUT_S:g} s. It may be at work on it still: look"
            " what came of it before you send it again."
        )
        return typer.Exit(UNREACHABLE)
    said = str(error) or type(error).__name__
    fail(
        f"Nobody answers at {url} ({said}): start the service with `factory serve`, or set"
        " FACTORY_URL."
    )
    return typer.Exit(UNREACHABLE)


def is_ours(settings: Settings) -> bool:
    """Whether the service runs on this machine, as far as its URL tells."""
    if settings.url is None:
        return True
    host = urlsplit(settings.url).hostname or ""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def certificates(url: str) -> ssl.SSLContext | bool:
    """Whose certificates count at the URL: for http:// nobody's.

    No redirect is followed, and reading the usual ones takes longer than most requests.
    """
    return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT) if url.startswith("http://") else True


def as_body(order: Mapping[str, Any]) -> bytes:
    """A request's body. In ASCII: what is no character at all is for the service to refuse."""
    return json.dumps(order).encode("ascii")


def segment(text: str) -> str:
    """A text as one segment of a path; a template's slash is written `@` there."""
    return quote(text.replace("/", "@"), safe=":@", errors="surrogateescape")


def _document_of(answer: httpx.Response) -> Any:
    if "json" not in answer.headers.get("content-type", ""):
        return None
    try:
        return answer.json()
    except ValueError:
        return None
