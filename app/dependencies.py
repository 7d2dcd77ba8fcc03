"""What an operation asks for beside its own fields: the database, the metrics, the settings.

Who is calling is asked for with `app.security.require`.
"""

from typing import Annotated

from fastapi import Depends, Request

from app.authentication import Authenticator
from app.db.engine import Database
from app.metrics import Metrics
from app.services.coalescer import Coalescer
from app.services.operation_runner import OperationRunner
from app.settings import Settings


async def _database(request: Request) -> Database:
    database: Database = request.app.state.database
    return database


async def _coalescer(request: Request) -> Coalescer:
    coalescer: Coalescer = request.app.state.coalescer
    return coalescer


async def _authenticator(request: Request) -> Authenticator:
    authenticator: Authenticator = request.app.state.authenticator
    return authenticator


async def _metrics(request: Request) -> Metrics:
    metrics: Metrics = request.app.state.metrics
    return metrics


async def _settings(request: Request) -> Settings:
    settings: Settings = request.app.state.settings
    return settings


async def _runner(request: Request) -> OperationRunner:
    runner: OperationRunner = request.app.state.runner
    return runner


DatabaseDep = Annotated[Database, Depends(_database)]
"""The service's connections."""

CoalescerDep = Annotated[Coalescer, Depends(_coalescer)]
"""What composes for requests, many of them in one call."""

AuthenticatorDep = Annotated[Authenticator, Depends(_authenticator)]
"""Who finds out who is calling."""

MetricsDep = Annotated[Metrics, Depends(_metrics)]
"""The service's counters."""

RunnerDep = Annotated[OperationRunner, Depends(_runner)]
"""What works on operations in this process."""

SettingsDep = Annotated[Settings, Depends(_settings)]
"""The service's settings."""
