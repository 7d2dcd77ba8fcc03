"""What an operation asks for beside its own fields: the database, the metrics, the settings.

Who is calling is asked for with `app.security.require`.
"""

from typing import Annotated

from fastapi import Depends, Request

from app.authentication import Authenticator
from app.db.engine import Database
from app.delivery.addresses import Guard
from app.documents.renderer import Renderer
from app.metrics import Metrics
from app.services.audit import Audit
from app.services.composing import Composer
from app.services.event_rules import RuleBook
from app.services.intake import Intake
from app.services.judging import Schemas
from app.services.operation_runner import OperationRunner
from app.settings import Settings
from app.vector_index import VectorIndex


async def _database(request: Request) -> Database:
    database: Database = request.app.state.database
    return database


async def _coalescer(request: Request) -> Composer:
    coalescer: Composer = request.app.state.coalescer
    return coalescer


async def _schemas(request: Request) -> Schemas:
    schemas: Schemas = request.app.state.schemas
    return schemas


async def _renderer(request: Request) -> Renderer:
    renderer: Renderer = request.app.state.renderer
    return renderer


async def _authenticator(request: Request) -> Authenticator:
    authenticator: Authenticator = request.app.state.authenticator
    return authenticator


async def _metrics(request: Request) -> Metrics:
    metrics: Metrics = request.app.state.metrics
    return metrics


async def _vector_index(request: Request) -> VectorIndex | None:
    index: VectorIndex | None = request.app.state.vector_index
    return index


async def _settings(request: Request) -> Settings:
    settings: Settings = request.app.state.settings
    return settings


async def _guard(request: Request) -> Guard:
    settings: Settings = request.app.state.settings
    return Guard.allowing(settings.delivery_allow)


async def _runner(request: Request) -> OperationRunner:
    runner: OperationRunner = request.app.state.runner
    return runner


async def _rule_book(request: Request) -> RuleBook:
    book: RuleBook = request.app.state.rule_book
    return book


async def _audit(request: Request) -> Audit:
    audit: Audit = request.app.state.audit
    return audit


async def _intake(request: Request) -> Intake:
    intake: Intake = request.app.state.intake
    return intake


DatabaseDep = Annotated[Database, Depends(_database)]
"""The service's connections."""

CoalescerDep = Annotated[Composer, Depends(_coalescer)]
"""What composes for requests, many of them in one call."""

SchemasDep = Annotated[Schemas, Depends(_schemas)]
"""What the data of instances is judged by."""

RendererDep = Annotated[Renderer, Depends(_renderer)]
"""What makes documents."""

AuthenticatorDep = Annotated[Authenticator, Depends(_authenticator)]
"""Who finds out who is calling."""

MetricsDep = Annotated[Metrics, Depends(_metrics)]
"""The service's counters."""

GuardDep = Annotated[Guard, Depends(_guard)]
RunnerDep = Annotated[OperationRunner, Depends(_runner)]
"""What works on operations in this process."""

VectorIndexDep = Annotated[VectorIndex | None, Depends(_vector_index)]
"""The vector index; None: there is none."""

SettingsDep = Annotated[Settings, Depends(_settings)]
"""The service's settings."""

RuleBookDep = Annotated[RuleBook, Depends(_rule_book)]
"""The rules that events are judged by."""

AuditDep = Annotated[Audit, Depends(_audit)]
"""What seals and verifies the audit log."""

IntakeDep = Annotated[Intake, Depends(_intake)]
"""What takes events in."""
