"""The application: settings in, ASGI out. It keeps no state of its own beside its connections."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from typing import Any

from fastapi import APIRouter, FastAPI
from fastapi_standalone_docs import StandaloneDocs  # type: ignore[import-untyped]

import app as program
from app.authentication import Authenticator
from app.db.composing import compose_many
from app.db.engine import Database
from app.db.limits import COALESCED
from app.db.startup_check import startup_check
from app.documents.renderer import Renderer
from app.errors import StartupError
from app.http.authentication import Authentication
from app.http.last_resort import is_stopping
from app.http.stack import add_innermost_layers, add_outer_layers
from app.jwt_tokens import token_verifier
from app.metrics import Metrics
from app.openapi import add_problem_components
from app.routers import (
    api_keys,
    boundary,
    commands,
    composing,
    conformance,
    delivery,
    documents,
    event_routes,
    event_sources,
    event_types,
    events,
    evidence,
    gates,
    health,
    instances_read,
    observability,
    operations,
    pieces,
    probes,
    problems,
    retention,
    rollback,
    settings,
    snapshots,
    templates,
)
from app.services.audit import Audit
from app.services.coalescer import CONNECTIONS, Coalescer
from app.services.delivering import delivering
from app.services.event_rules import RuleBook
from app.services.feed import Feed
from app.services.judging import Schemas
from app.services.operation_runner import OperationRunner
from app.services.operations import Watchers
from app.services.readiness import Readiness
from app.services.refusals import record_refusal
from app.services.sealing import sealing
from app.services.taking_in import running_intake
from app.settings import Settings
from app.vector_index import VectorIndex

ROUTERS: tuple[APIRouter, ...] = (
    composing.router,
    events.router,
    operations.router,
    instances_read.router,
    documents.router,
    evidence.router,
    templates.router,
    pieces.router,
    gates.router,
    rollback.router,
    retention.router,
    event_routes.router,
    event_sources.router,
    event_types.router,
    delivery.router,
    settings.router,
    api_keys.router,
    commands.router,
    observability.router,
    boundary.router,
    probes.router,
    snapshots.router,
    conformance.router,
    health.router,
    problems.router,
)
"""Every router. The order is that in which a request is matched: what is asked most comes first."""

_TAGS = (
    ("instances", "What events compose: once per event, template and suffix."),
    ("events", "What comes in, and which routes it takes."),
    ("delivery", "What leaves: routes, attempts, dead letters. Nothing does by default."),
    ("operations", "Bulks and rollbacks that are worked on in chunks."),
    ("documents", "What was composed, as something to be read."),
    ("templates", "What instances are composed from: families and their version chains."),
    ("pieces", "The units of content that templates are made of."),
    ("gates", "What may be done at all, by whom and until when. Closed by default."),
    ("rollback", "Taking back what events composed."),
    ("retention", "How long what is kept, and deleting what need not be kept any longer."),
    ("settings", "The settings that are no gates, with their history."),
    ("api-keys", "Who may call."),
    ("commands", "Every operation that may change state, and every run of one."),
    ("observability", "What an operator looks at."),
    ("health", "Whether the service lives and can work, and what it counts."),
    ("problems", "What a refusal means, and what helps."),
)

_DESCRIPTION = """\
Composes durable, verifiable products from versioned templates when events arrive.

Every refusal is a problem document (RFC 9457). Its `type` is the path of a page that explains it.
"""


class Factory(FastAPI):
    """FastAPI, with the refusals in its OpenAPI document."""

    def openapi(self) -> dict[str, Any]:
        """The OpenAPI document."""
        return add_problem_components(super().openapi())


def create_app(settings: Settings) -> FastAPI:
    """The application. It connects to the database of the settings when its lifespan begins.

    The embedded database is started by whoever starts the program: its URL comes in as
    `database_url`, like any other. Refuses to start, with StartupError, without one.
    """
    app = Factory(
        title="Product factory",
        version=program.__version__,
        description=_DESCRIPTION,
        openapi_tags=[{"name": name, "description": text} for name, text in _TAGS],
        redoc_url=None,
        swagger_ui_oauth2_redirect_url=None,
        # A path with a slash too many is a wrong path; a redirect would hide that, and lose POSTs.
        redirect_slashes=False,
        lifespan=_lifespan,
        # It would look for what collects traces anew with each request.
        telemetry={"tracing": False, "metrics": False, "logs": False},
    )
    app.state.settings = settings
    app.state.metrics = Metrics()
    # Not include_router: it would match every router's routes twice for each request. And before
    # the document of FastAPI itself, which is asked for least.
    app.router.routes[:0] = [route for router in ROUTERS for route in router.routes]
    StandaloneDocs(app)
    add_innermost_layers(app)
    app.add_middleware(Authentication, metrics_require_key=settings.metrics_require_key)
    add_outer_layers(app, metrics=app.state.metrics, cors_origins=settings.cors_origins)
    return app


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    settings: Settings = app.state.settings
    url = settings.database_url
    if url is None:
        raise StartupError("There is no database: set FACTORY_DATABASE_URL.")
    database = Database(url, pool_size=settings.pool_size, pool_timeout_s=settings.pool_timeout)
    together = Database(url, pool_size=CONNECTIONS, call=COALESCED, repeats_blocked=False)
    coalescer = Coalescer(compose_many, together, database, app.state.metrics)
    app.state.database = database
    app.state.coalescer = coalescer
    schemas = app.state.schemas = Schemas(database)
    app.state.authenticator = Authenticator(database, token_verifier(settings))
    app.state.vector_index = VectorIndex.of(settings)
    app.state.readiness = Readiness(
        lambda: startup_check(url, disposable_data=settings.disposable_data)
    )
    book = app.state.rule_book = RuleBook(database)
    app.state.metrics.watch(database.pool_status, coalescer.status)
    app.state.watchers = Watchers()
    audit = app.state.audit = Audit(database, settings.audit_key_path)
    app.state.record_refusal = partial(record_refusal, database)
    feed = app.state.feed = Feed(database, partial(is_stopping, app))
    renderer = app.state.renderer = Renderer()
    runner = app.state.runner = OperationRunner(database, app.state.metrics, schemas)
    runner.start()
    try:
        async with (
            running_intake(url, database, book, schemas, app.state.metrics) as intake,
            sealing(audit),
            AsyncExitStack() as more,
        ):
            app.state.intake = intake
            if settings.deliver:
                await more.enter_async_context(
                    delivering(
                        database,
                        app.state.metrics,
                        allow=settings.delivery_allow,
                        source=settings.delivery_source,
                    )
                )
            yield
    finally:
        await feed.close()
        await runner.stop()
        await renderer.close()
        await coalescer.close()
        await together.close()
        await database.close()
