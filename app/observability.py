"""Logs and request ids: who asked for what, what came of it, and how long it took.

Logs go to standard error, a line each, for people (`console`) or for machines (`json`).
"""

import logging
import re
import sys
import time
from typing import Literal
from uuid import uuid4

import structlog
from asgi_correlation_id import CorrelationIdMiddleware, correlation_id
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from structlog.typing import EventDict, Processor, WrappedLogger

from app.http.methods import route_template
from app.http.record import RequestRecord, begin_record
from app.metrics import Metrics

REQUEST_ID_HEADER = "X-Request-ID"

_LOGGABLE = re.compile(r"[\x20-\x7e]{1,200}")
# Without the values of variables, among which are keys and what clients sent.
_TRACEBACKS = structlog.tracebacks.ExceptionDictTransformer(show_locals=False)

_CLIENT_CLOSED = 499  # nobody read the answer; the number is nginx's, HTTP has none


def configure_logging(level: str = "info", style: Literal["console", "json"] = "console") -> None:
    """Send everything that is logged, by us or by libraries, through the same renderer."""
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        _add_request_id,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    if style == "json":
        render: list[Processor] = [
            structlog.processors.ExceptionRenderer(_TRACEBACKS),
            structlog.processors.JSONRenderer(ensure_ascii=False),
        ]
    else:
        render = [
            structlog.dev.ConsoleRenderer(
                colors=sys.stderr.isatty(), exception_formatter=structlog.dev.plain_traceback
            )
        ]
    number = logging.getLevelNamesMapping()[level.upper()]
    structlog.configure(
        processors=[*shared, *render],
        wrapper_class=structlog.make_filtering_bound_logger(number),
        logger_factory=structlog.WriteLoggerFactory(sys.stderr),
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *render],
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(number)
    for name in ("uvicorn", "uvicorn.error", "uvicorn.access"):
        logging.getLogger(name).handlers = []
        logging.getLogger(name).propagate = name != "uvicorn.access"  # ours says more
    # It warns of every client that sends an id of its own, which is no fault.
    logging.getLogger("asgi_correlation_id").setLevel(logging.ERROR)


def _add_request_id(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    request_id = correlation_id.get()
    if request_id is not None:
        event.setdefault("request_id", request_id)
    return event


def with_request_ids(app: ASGIApp) -> ASGIApp:
    """Give every request an id of ours, and send it back as X-Request-ID.

    A client's own id is never taken: the instance stores ours, so that only the service's own
    retry after an ambiguous COMMIT answers `composed` again (2-design §3).
    """
    return CorrelationIdMiddleware(
        app,
        header_name=REQUEST_ID_HEADER,
        update_request_header=False,
        generator=lambda: str(uuid4()),
        validator=lambda _client_request_id: False,
    )


class RequestLog:
    """ASGI middleware: a line in the log and a count in the metrics for every request.

    Logging is configured before the first request; a later configuration does not reach it.
    """

    def __init__(self, app: ASGIApp, *, metrics: Metrics) -> None:
        self.app = app
        self._metrics = metrics
        self._access = structlog.get_logger("access").bind()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Run the application and tell what came of it."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        record = begin_record(
            scope, correlation_id.get() or str(uuid4()), _client_request_id(scope)
        )
        status = _CLIENT_CLOSED
        began = time.perf_counter()

        async def watching_send(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self.app(scope, receive, watching_send)
        finally:
            self._tell(scope, record, status, time.perf_counter() - began)

    def _tell(self, scope: Scope, record: RequestRecord, status: int, seconds: float) -> None:
        route = record.route or route_template(scope["app"], scope)
        self._metrics.request(route, scope["method"], status, seconds)
        if record.code is not None:
            self._metrics.refusal(record.code)
        known = {
            "code": record.code,
            "principal": record.principal,
            "client_request_id": record.client_request_id,
        }
        self._access.info(
            "request",
            method=scope["method"],
            route=route,
            status=status,
            ms=round(seconds * 1000, 2),
            **{name: value for name, value in known.items() if value is not None},
        )


def _client_request_id(scope: Scope) -> str | None:
    sent = Headers(scope=scope).get(REQUEST_ID_HEADER)
    return sent if sent is not None and _LOGGABLE.fullmatch(sent) else None
