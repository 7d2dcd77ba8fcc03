"""The route class of every operation: checks a request as a document before FastAPI sees it.

An operation is named after its function; one that may change state is the command of that code,
whose title and gates it has (`app.commands`). `app.main` takes the routes of a router as they are,
so whatever a router says goes into its own `APIRouter(…)`, not into `include_router`.

The order is that of the HTTP surface: who is calling (`app.http.authentication`, before all of
this), the address and the body as documents, the scope, the fields. FastAPI's own limiter of
bodies is not used: it replaces whatever answer the operation gives by one in plain text.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar, get_args, get_origin

from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute
from pydantic import BaseModel, TypeAdapter
from starlette.datastructures import QueryParams
from starlette.requests import Request
from starlette.responses import Response

from app.commands import COMMANDS
from app.errors import Refusal
from app.http.address import check_accept, check_address
from app.http.items import read_array, read_lines
from app.http.record import record_of
from app.problems import refusal_of
from app.refusals.gates import gate_code
from app.refusals.invalid import invalid_input
from app.refusals.members import InvalidField
from app.refusals.models import merged, refusals
from app.security import Caller, RequireScope, Scope, caller_of
from app.strict_json import JSON, MAX_DOCUMENT, parse_json

PROBLEM_JSON = "application/problem+json"
EVENT_STREAM = "text/event-stream"
NDJSON = ("application/x-ndjson", "application/jsonl")

BULK_BODY = 64 * 1024 * 1024

_RULES = "__factory_rules__"
_READ = b"[]"  # FastAPI only asks whether there is a body
Endpoint = TypeVar("Endpoint", bound=Callable[..., Any])

MostItems = Callable[[QueryParams], int]
"""How many items an operation takes, asked in this way."""

Handler = Callable[[Request], Coroutine[Any, Any, Response]]

RecordRefusal = Callable[[str, Refusal, Caller | None], Awaitable[None]]
"""Records that a command was refused to a caller."""

ReadBody = Callable[[Request], Awaitable[Any]]
"""What an operation's body parameter is validated from, read from the request in its own way."""


@dataclass(frozen=True, slots=True)
class WireRules:
    """What an operation takes and answers, where it differs from the ordinary."""

    most_items: MostItems | None = None
    read: ReadBody | None = None
    consumes: tuple[str, ...] = (JSON,)
    produces: tuple[str, ...] = (JSON,)
    chosen_by: str | None = None
    """The parameter of the query that says which of them, whatever `Accept` says."""


def bulk(most_items: MostItems) -> Callable[[Endpoint], Endpoint]:
    """Mark an operation as one that takes many items: 64 MiB, as JSON or newline-delimited JSON.

    Goes below the router's decorator. The lines come to the operation as one array.
    """

    def mark(endpoint: Endpoint) -> Endpoint:
        setattr(endpoint, _RULES, WireRules(most_items, consumes=(JSON, *NDJSON)))
        return endpoint

    return mark


def reads(read: ReadBody) -> Callable[[Endpoint], Endpoint]:
    """Mark an operation whose body is no ordinary document: `read` also looks at its media type."""

    def mark(endpoint: Endpoint) -> Endpoint:
        setattr(endpoint, _RULES, WireRules(read=read))
        return endpoint

    return mark


def produces(*media_types: str, chosen_by: str | None = None) -> Callable[[Endpoint], Endpoint]:
    """Mark an operation as one that answers these media types instead of JSON.

    `chosen_by` names the parameter of the query that goes before `Accept`.
    """

    def mark(endpoint: Endpoint) -> Endpoint:
        setattr(endpoint, _RULES, WireRules(produces=media_types, chosen_by=chosen_by))
        return endpoint

    return mark


class FactoryRoute(APIRoute):
    """An operation of the factory. `APIRouter(route_class=FactoryRoute)` makes all of them so."""

    def __init__(self, path: str, endpoint: Callable[..., Any], **options: Any) -> None:
        options["operation_id"] = options.get("operation_id") or endpoint.__name__
        command = self.command = COMMANDS.get(options["operation_id"])
        if command is not None:
            options["summary"] = command.title
        super().__init__(path, endpoint, **options)
        self.required_scope = _required_scope(self.dependant)
        self.responses = merged(self._implied_refusals(), self.responses)
        self.openapi_extra = {**(self.openapi_extra or {})}
        if self.required_scope is not None:
            self.description += f"\n\nNeeds the scope `{self.required_scope}`."
            self.openapi_extra["x-required-scope"] = str(self.required_scope)
        if command is not None and command.gates:
            gates = ", ".join(f"`{gate}`" for gate in command.gates)
            self.description += f"\n\nRefused while closed: {gates}."
            self.openapi_extra["x-required-gates"] = list(command.gates)

    def _implied_refusals(self) -> dict[int | str, dict[str, Any]]:
        """What every operation of this shape can be refused with, so that none has to say it."""
        codes = ["invalid_input:400", "not_acceptable", "invalid_input", "internal"]
        if self.body_field is not None:
            codes += ["unsupported_media_type", "too_large", "too_deep"]
        if self.required_scope is not None:
            codes += ["unauthenticated", "forbidden", "identity_keys_unavailable"]
            codes += ["database_unavailable", "overloaded"]
        if self.command is not None:
            codes += map(gate_code, self.command.gates)
        return refusals(*codes)

    def get_route_handler(self) -> Handler:
        """FastAPI's handler, behind the checks."""
        handle = super().get_route_handler()
        rules: WireRules = getattr(self.endpoint, _RULES, WireRules())
        known_parameters = dict(_query_parameters(self.dependant))
        available = rules.produces
        # Whoever takes problems takes JSON, unless JSON is one format of many.
        if JSON in available and rules.chosen_by is None:
            available = (*available, PROBLEM_JSON)
        read_body = self._body_reader(rules)
        template = self.path_format
        is_stream = EVENT_STREAM in rules.produces

        async def checked(request: Request) -> Response:
            record = record_of(request.scope)
            record.route, record.is_stream = template, is_stream
            if rules.chosen_by not in request.query_params:
                check_accept(request.scope, available)
            check_address(request.scope, known_parameters)
            if read_body is not None:
                request = await read_body(request)
            return await handle(request)

        return checked if self.command is None else _recording(self.command.code, checked)

    def _body_reader(
        self, rules: WireRules
    ) -> "Callable[[Request], Coroutine[Any, Any, Request]] | None":
        """What reads the operation's body; None: it takes none."""
        if self.body_field is None:
            return None
        if rules.read is not None:
            return partial(_with_value, read=rules.read)
        if rules.most_items is None:
            return partial(_with_document, rules=rules)
        (item_type,) = get_args(self.body_field.field_info.annotation)
        validate = TypeAdapter(item_type).validate_python
        return partial(_with_items, rules=rules, most=rules.most_items, validate=validate)


def _recording(command: str, handle: Handler) -> Handler:
    """The handler of a command's operation, whose refusals are recorded wherever they are made.

    Who records them is the application's `state.record_refusal`, which the lifespan sets.
    """

    async def recorded(request: Request) -> Response:
        try:
            return await handle(request)
        except Exception as error:
            if refusal := refusal_of(error):
                record: RecordRefusal = request.app.state.record_refusal
                await record(command, refusal, caller_of(request))
            raise

    return recorded


class _ParsedRequest(Request):
    """A request whose body was read and parsed, so that FastAPI does neither."""

    def __init__(self, request: Request, body: bytes, value: Any) -> None:
        super().__init__(request.scope, request.receive)
        self._body = body
        self._value = value

    async def json(self) -> Any:
        """The value that was parsed."""
        return self._value


async def _with_value(request: Request, read: ReadBody) -> Request:
    value = await read(request)
    _declare_json(request)
    return _ParsedRequest(request, _READ, value)


async def _with_document(request: Request, rules: WireRules) -> Request:
    body = await whole_body(request)
    if not body:
        return _ParsedRequest(request, b"", None)
    _media_type(request, rules)
    return _ParsedRequest(request, body, parse_json(body))


async def _with_items(
    request: Request, rules: WireRules, most: MostItems, validate: Callable[[Any], Any]
) -> Request:
    chunks = body_chunks(request, BULK_BODY)
    first = await anext(chunks, b"")
    if not first:
        return _ParsedRequest(request, b"", None)
    read = read_lines if _media_type(request, rules) in NDJSON else read_array
    most_items = most(request.query_params)
    value = await read(_with_first(first, chunks), most=most_items, validate=validate)
    _declare_json(request)
    return _ParsedRequest(request, _READ, value)


async def whole_body(request: Request) -> bytes:
    """The body of an ordinary request. Refuses as `body_chunks`."""
    return b"".join([chunk async for chunk in body_chunks(request, MAX_DOCUMENT)])


async def body_chunks(request: Request, limit: int) -> AsyncIterator[bytes]:
    """The body as it comes in, counted, whatever Content-Length says or does not say.

    Refuses with `too_large` beyond so many bytes, and with `invalid_input` (400) what ends before
    its Content-Length.
    """
    declared = request.headers.get("content-length", "")
    if declared.isdecimal() and int(declared) > limit:
        raise Refusal("too_large", limit=limit, counted="bytes of the body")
    size = 0
    async for chunk in request.stream():
        size += len(chunk)
        if size > limit:
            raise Refusal("too_large", limit=limit, counted="bytes of the body")
        if chunk:
            yield chunk
    if declared.isdecimal() and size < int(declared):
        raise _cut_short(size, int(declared))


def _cut_short(size: int, declared: int) -> Refusal:
    """What was meant to follow is not known: what came is not taken for the whole."""
    error = InvalidField(
        location="body",
        pointer="",
        rule="incomplete",
        detail=f"ends after {size} of the {declared} bytes that Content-Length declares",
    )
    return invalid_input([error], status=400)


async def _with_first(first: bytes, rest: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    yield first
    async for chunk in rest:
        yield chunk


def _media_type(request: Request, rules: WireRules) -> str:
    media_type = readable_type(request)
    if media_type is None or not (
        media_type in rules.consumes
        or (media_type.startswith("application/") and media_type.endswith("+json"))
    ):
        raise Refusal("unsupported_media_type", supported=list(rules.consumes))
    return media_type


def readable_type(request: Request) -> str | None:
    """The body's media type in lower case, empty where none is declared.

    None where the body can't be read: it is compressed, or no UTF-8.
    """
    headers = request.headers
    if headers.get("content-type") == JSON and "content-encoding" not in headers:
        return JSON  # what nearly everybody sends
    encoding = headers.get("content-encoding", "identity").strip().lower()
    media_type, *parameters = headers.get("content-type", "").lower().split(";")
    charset = [
        p.partition("=")[2].strip(' "') for p in parameters if p.strip().startswith("charset")
    ]
    readable = encoding in {"identity", ""} and all(name in {"utf-8", "utf8"} for name in charset)
    return media_type.strip() if readable else None


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
