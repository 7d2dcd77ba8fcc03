"""The route class of every operation: checks a request as a document before FastAPI sees it.

An operation is named after its function. `app.main` takes the routes of a router as they are, so
whatever a router says goes into its own `APIRouter(…)`, not into `include_router`.

The order is that of the HTTP surface: who is calling (`app.http.authentication`, before all of
this), the address and the body as documents, the scope, the fields. FastAPI's own limiter of
bodies is not used: it replaces whatever answer the operation gives by one in plain text.
"""

from collections.abc import Callable, Coroutine, Iterator
from dataclasses import dataclass
from typing import Any, TypeVar, get_args, get_origin

from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute
from pydantic import BaseModel
from starlette.requests import Request
from starlette.responses import Response

from app.errors import Refusal
from app.http.address import check_accept, check_address
from app.http.record import record_of
from app.http.strict_json import item_too_large, json_size, parse_json, parse_json_lines
from app.refusals.models import merged, refusals
from app.security import RequireScope, Scope

JSON = "application/json"
PROBLEM_JSON = "application/problem+json"
NDJSON = ("application/x-ndjson", "application/jsonl")

ORDINARY_BODY = 1024 * 1024
BULK_BODY = 64 * 1024 * 1024
ONE_ITEM = 1024 * 1024

_RULES = "__factory_rules__"
Endpoint = TypeVar("Endpoint", bound=Callable[..., Any])


@dataclass(frozen=True, slots=True)
class WireRules:
    """What an operation takes and answers, where it differs from the ordinary."""

    body_limit: int = ORDINARY_BODY
    consumes: tuple[str, ...] = (JSON,)
    produces: tuple[str, ...] = (JSON,)


def bulk(endpoint: Endpoint) -> Endpoint:
    """Mark an operation as one that takes many items: 64 MiB, as JSON or newline-delimited JSON.

    Goes below the router's decorator. The lines come to the operation as one array.
    """
    setattr(endpoint, _RULES, WireRules(BULK_BODY, (JSON, *NDJSON)))
    return endpoint


def produces(*media_types: str) -> Callable[[Endpoint], Endpoint]:
    """Mark an operation as one that answers these media types instead of JSON."""

    def mark(endpoint: Endpoint) -> Endpoint:
        setattr(endpoint, _RULES, WireRules(produces=media_types))
        return endpoint

    return mark


class FactoryRoute(APIRoute):
    """An operation of the factory. `APIRouter(route_class=FactoryRoute)` makes all of them so."""

    def __init__(self, path: str, endpoint: Callable[..., Any], **options: Any) -> None:
        options["operation_id"] = options.get("operation_id") or endpoint.__name__
        super().__init__(path, endpoint, **options)
        self.required_scope = _required_scope(self.dependant)
        self.responses = merged(self._implied_refusals(), self.responses)
        if self.required_scope is not None:
            self.description += f"\n\nNeeds the scope `{self.required_scope}`."
            self.openapi_extra = {
                **(self.openapi_extra or {}),
                "x-required-scope": str(self.required_scope),
            }

    def _implied_refusals(self) -> dict[int | str, dict[str, Any]]:
        """What every operation of this shape can be refused with, so that none has to say it."""
        codes = ["invalid_input:400", "not_acceptable", "invalid_input", "internal"]
        if self.body_field is not None:
            codes += ["unsupported_media_type", "too_large", "too_deep"]
        if self.required_scope is not None:
            codes += ["unauthenticated", "forbidden", "identity_keys_unavailable"]
            codes += ["database_unavailable", "overloaded"]
        return refusals(*codes)

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """FastAPI's handler, behind the checks."""
        handle = super().get_route_handler()
        rules: WireRules = getattr(self.endpoint, _RULES, WireRules())
        known_parameters = dict(_query_parameters(self.dependant))
        available = (*rules.produces, PROBLEM_JSON) if JSON in rules.produces else rules.produces
        reads_body = self.body_field is not None
        template = self.path_format

        async def checked(request: Request) -> Response:
            record_of(request.scope).route = template
            check_accept(request.scope, available)
            check_address(request.scope, known_parameters)
            if reads_body:
                request = await _with_parsed_body(request, rules)
            return await handle(request)

        return checked


class _ParsedRequest(Request):
    """A request whose body was read and parsed, so that FastAPI does neither."""

    def __init__(self, request: Request, body: bytes, value: Any) -> None:
        super().__init__(request.scope, request.receive)
        self._body = body
        self._value = value

    async def json(self) -> Any:
        """The value that was parsed."""
        return self._value


async def _with_parsed_body(request: Request, rules: WireRules) -> Request:
    body = await _read(request, rules.body_limit)
    if not body:
        return _ParsedRequest(request, b"", None)
    media_type = _media_type(request, rules)
    if media_type in NDJSON:
        value: Any = parse_json_lines(body, line_limit=ONE_ITEM)
        _declare_json(request)
    else:
        value = parse_json(body)
        if rules.body_limit > ONE_ITEM and len(body) > ONE_ITEM and isinstance(value, list):
            _check_items(value)
    return _ParsedRequest(request, body, value)


def _check_items(items: list[Any]) -> None:
    """One item of a bulk is no larger than an ordinary body, however it is sent."""
    for ordinal, item in enumerate(items, start=1):
        if json_size(item) > ONE_ITEM:
            raise item_too_large(ordinal, ONE_ITEM)


async def _read(request: Request, limit: int) -> bytes:
    """The body, counted while it comes in, whatever Content-Length says or does not say."""
    declared = request.headers.get("content-length", "")
    if declared.isdecimal() and int(declared) > limit:
        raise Refusal("too_large", limit=limit, counted="bytes of the body")
    chunks: list[bytes] = []
    size = 0
    async for chunk in request.stream():
        size += len(chunk)
        if size > limit:
            raise Refusal("too_large", limit=limit, counted="bytes of the body")
        chunks.append(chunk)
    return b"".join(chunks)


def _media_type(request: Request, rules: WireRules) -> str:
    headers = request.headers
    if headers.get("content-type") == JSON and "content-encoding" not in headers:
        return JSON  # what nearly everybody sends
    encoding = headers.get("content-encoding", "identity").strip().lower()
    media_type, *parameters = headers.get("content-type", "").lower().split(";")
    media_type = media_type.strip()
    structured = media_type.startswith("application/") and media_type.endswith("+json")
    charset = [
        p.partition("=")[2].strip(' "') for p in parameters if p.strip().startswith("charset")
    ]
    if (
        encoding not in {"identity", ""}
        or not (media_type in rules.consumes or structured)
        or any(name not in {"utf-8", "utf8"} for name in charset)
    ):
        raise Refusal("unsupported_media_type", supported=list(rules.consumes))
    return media_type


def _declare_json(request: Request) -> None:
    """FastAPI reads JSON bodies by their declared type only, and the lines are parsed by now."""
    kept = [header for header in request.scope["headers"] if header[0] != b"content-type"]
    request.scope["headers"] = [*kept, (b"content-type", JSON.encode())]


def _query_parameters(dependant: Dependant) -> Iterator[tuple[str, bool]]:
    """The names of the query's parameters, and whether each may occur more than once."""
    for field in dependant.query_params:
        annotation = field.field_info.annotation
        if isinstance(annotation, type) and issubclass(annotation, BaseModel):
            for name, inner in annotation.model_fields.items():
                alias = inner.validation_alias or inner.alias
                yield alias if isinstance(alias, str) else name, _is_list(inner.annotation)
        else:
            yield field.alias, _is_list(annotation)
    for dependency in dependant.dependencies:
        yield from _query_parameters(dependency)


def _is_list(annotation: Any) -> bool:
    if get_origin(annotation) in {list, set, frozenset, tuple}:
        return True
    return any(map(_is_list, get_args(annotation)))


def _required_scope(dependant: Dependant) -> Scope | None:
    if isinstance(dependant.call, RequireScope):
        return dependant.call.scope
    return next(filter(None, map(_required_scope, dependant.dependencies)), None)
