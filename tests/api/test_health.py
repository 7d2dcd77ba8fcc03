"""Whether the service lives, can work, and what it counts."""

import asyncio
import socket
from collections.abc import AsyncIterator, Sequence

import asyncpg
import httpx
import pytest

from app.db.startup_check import Finding
from app.errors import Refusal, StartupError
from app.main import create_app
from app.refusals.unavailable import RETRY_AFTER_SECONDS
from app.services.readiness import Readiness
from app.settings import Settings
from tests.api.throwaway import assert_problem
from tests.support.databases import Database
from tests.support.http import Service, client_of, running_service

WELL = {"name": "schema", "ok": True, "detail": "It is as this program needs it."}
ANSWERS = {"name": "database", "ok": True, "detail": "It answers."}


@pytest.fixture
async def without_database() -> AsyncIterator[httpx.AsyncClient]:
    """The service, its database gone: nobody listens at the port."""
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        port = closed.getsockname()[1]
        app = create_app(Settings(database_url=f"postgresql://iu_app:x@127.0.0.1:{port}/gone"))
        async with app.router.lifespan_context(app), client_of(app, None) as client:
            yield client


@pytest.fixture
async def with_closed_metrics(
    database: Database, owner: asyncpg.Connection
) -> AsyncIterator[Service]:
    async with running_service(database, owner, metrics_require_key=True) as running:
        yield running


async def test_without_any_database_it_does_not_start() -> None:
    app = create_app(Settings())
    with pytest.raises(StartupError, match="set FACTORY_DATABASE_URL"):
        async with app.router.lifespan_context(app):
            pass


async def test_a_service_that_can_work_is_alive_and_ready(service: Service) -> None:
    alive = await service.anonymous.get("/livez")
    ready = await service.anonymous.get("/readyz")
    assert (alive.status_code, alive.json()) == (200, {"status": "alive"})
    assert (ready.status_code, ready.json()) == (
        200,
        {"status": "ready", "checks": [ANSWERS, WELL]},
    )


async def test_without_its_database_it_is_alive_and_says_what_is_wrong(
    without_database: httpx.AsyncClient,
) -> None:
    alive = await without_database.get("/livez")
    assert (alive.status_code, alive.json()) == (200, {"status": "alive"})
    ready = await without_database.get("/readyz")
    assert_problem(
        ready,
        "database_unavailable",
        instance="/readyz",
        detail="The database does not answer.",
        retry_after=RETRY_AFTER_SECONDS,
        checks=[{"name": "database", "ok": False, "detail": "The database does not answer."}],
    )
    assert ready.headers["retry-after"] == "1"


async def test_a_database_that_was_never_migrated_is_named(empty_database: Database) -> None:
    app = create_app(Settings(database_url=empty_database.app_url, disposable_data=True))
    async with app.router.lifespan_context(app), client_of(app, None) as client:
        response = await client.get("/readyz")
    said = "The database has not been migrated. Remedy: run `factory migrate`."
    assert_problem(
        response,
        "database_unavailable",
        instance="/readyz",
        detail=said,
        retry_after=RETRY_AFTER_SECONDS,
        checks=[ANSWERS, {"name": "schema", "ok": False, "detail": said}],
    )


async def test_many_who_ask_share_one_look_and_its_answer_ages() -> None:
    looks = 0
    now = 0.0
    findings: list[Finding] = []

    async def look() -> Sequence[Finding]:
        nonlocal looks
        looks += 1
        await asyncio.sleep(0)
        return findings

    readiness = Readiness(look, good_for_s=1.0, clock=lambda: now)
    answers = await asyncio.gather(*(readiness.checks() for _ in range(50)))
    assert looks == 1
    assert all(answer == answers[0] for answer in answers)
    findings.append(Finding("A right is missing.", "grant it"))
    now = 0.9
    await readiness.checks()
    now = 1.0
    with pytest.raises(Refusal) as caught:
        await readiness.checks()
    assert looks == 2
    assert caught.value.detail == "A right is missing. Remedy: grant it."


async def test_a_defect_in_the_look_is_not_taken_for_the_databases_trouble() -> None:
    async def look() -> Sequence[Finding]:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await Readiness(look).checks()


async def test_metrics_are_for_everybody_and_name_the_pool(service: Service) -> None:
    await service.app.state.runner.stop()  # it asks the database now and then
    await service.anonymous.get("/livez")
    response = await service.anonymous.get("/metrics")
    assert response.status_code == 200
    assert response.headers["content-type"].startswith("text/plain; version=")
    lines = response.text.splitlines()
    assert 'factory_db_pool_connections{state="limit"} 10.0' in lines
    assert 'factory_db_pool_connections{state="in_use"} 0.0' in lines
    assert "factory_db_transactions_running 0.0" in lines
    assert 'factory_http_requests_total{method="GET",route="/livez",status="200"} 1.0' in lines
    assert any(line.startswith('factory_build_info{python="3.') for line in lines)


async def test_metrics_speak_openmetrics_when_asked(service: Service) -> None:
    accept = "application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5"
    response = await service.anonymous.get("/metrics", headers={"accept": accept})
    assert response.headers["content-type"].startswith("application/openmetrics-text")
    assert response.text.endswith("# EOF\n")


async def test_a_setting_asks_for_a_key_on_metrics(with_closed_metrics: Service) -> None:
    assert_problem(
        await with_closed_metrics.anonymous.get("/metrics"),
        "unauthenticated",
        instance="/metrics",
        detail="The request carries no key or token.",
    )
    assert_problem(
        await with_closed_metrics.producer.get("/metrics"),
        "forbidden",
        instance="/metrics",
        detail="This needs the scope viewer, and the key has producer.",
        required_scope="viewer",
    )
    assert (await with_closed_metrics.viewer.get("/metrics")).status_code == 200


async def test_the_documents_need_no_key_and_load_nothing_from_elsewhere(
    service: Service,
) -> None:
    page = await service.anonymous.get("/docs")
    document = await service.anonymous.get("/openapi.json")
    assert (page.status_code, document.status_code) == (200, 200)
    loaded = [
        part.partition('"')[0]
        for attribute in ('src="', 'href="')
        for part in page.text.split(attribute)[1:]
    ]
    assert loaded
    for address in loaded:
        assert address.startswith("/docs/")
        assert (await service.anonymous.get(address)).status_code == 200
