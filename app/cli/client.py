"""The command line's HTTP client: where the service is, with which key, and what it refuses."""

from collections.abc import Iterator
from typing import Any

import httpx

from app.cli.output import refused
from app.errors import StartupError
from app.settings import Settings, get_settings

TIMEOUT_S = 90.0


class Client:
    """Calls the service, and ends the command where it refuses.

    The key is FACTORY_API_KEY, or else the one in admin.key in the data directory. The URL is
    FACTORY_URL, or else that of FACTORY_HOST and FACTORY_PORT.
    """

    def __init__(self, settings: Settings | None = None, *, as_json: bool = False) -> None:
        self._settings = settings or get_settings()
        self._as_json = as_json

    def call(
        self, method: str, path: str, *, headers: dict[str, str] | None = None, **options: Any
    ) -> httpx.Response:
        """The service's answer. Raises typer.Exit for a refusal, which has been printed."""
        answer = self.ask(method, path, headers=headers, **options)
        if answer.is_error:
            raise refused(problem_of(answer), as_json=self._as_json)
        return answer

    def ask(
        self, method: str, path: str, *, headers: dict[str, str] | None = None, **options: Any
    ) -> httpx.Response:
        """The service's answer, refusals too. Raises StartupError where nobody answers."""
        key = {"Authorization": f"Bearer {self.key()}"}
        base = self._settings.api_url
        try:
            return httpx.request(
                method, base + path, headers=key | (headers or {}), timeout=TIMEOUT_S, **options
            )
        except httpx.TransportError as error:
            raise StartupError(
                f"Nobody answers at {base} ({error}): start the service with `factory serve`, or"
                " set FACTORY_URL."
            ) from error

    def pages(self, path: str, **params: Any) -> Iterator[dict[str, Any]]:
        """Every item of a list, page by page."""
        token: str | None = None
        while True:
            asked = {name: value for name, value in params.items() if value is not None}
            if token is not None:
                asked["page_token"] = token
            document = self.call("GET", path, params=asked).json()
            yield from document["items"]
            token = document.get("next_page_token")
            if token is None:
                return

    def key(self) -> str:
        """The API key. Raises StartupError where there is none."""
        if self._settings.api_key is not None:
            return self._settings.api_key.get_secret_value()
        path = self._settings.admin_key_path
        try:
            return path.read_text().strip()
        except OSError as error:
            raise StartupError(
                f"There is no API key: set FACTORY_API_KEY. (Without it the one in {path} is used,"
                f" and that can't be read: {error.strerror}.)"
            ) from error


def problem_of(answer: httpx.Response) -> dict[str, Any]:
    """The problem document of a refusal; one made up for what no factory answered."""
    try:
        document = answer.json()
    except ValueError:
        document = None
    if isinstance(document, dict) and "code" in document:
        return document
    return {
        "code": "?",
        "detail": f"{answer.request.url} answered {answer.status_code}, and not as the factory"
        " does: is FACTORY_URL right?",
    }


def reference(template: str) -> str:
    """A template reference as part of a path, where a slash can't stand."""
    return template.replace("/", "@")
