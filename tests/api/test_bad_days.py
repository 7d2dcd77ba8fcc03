"""The database's bad days, as a client sees them: never a 500, never an instance too many."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import Any
from uuid import uuid4

import asyncpg
import httpx
import pytest

from app import hosting
from app.db.engine import ATTEMPTS
from app.main import create_app
from app.settings import Settings
from tests.api.throwaway import assert_problem
from tests.support.databases import Database
from tests.support.http import Service, client_of, make_key, running_service
from tests.support.interleaving import DEADLINE, wait_until
from tests.support.mutation import take_out
from tests.support.proxy import ProxiedDatabase, Proxy, proxied
from tests.support.templates import Template, make_template, open_gates

COMPOSE = "/instances/from-event"
BULK = "/instances/bulk?atomic=true"

# Whoever composes from the family waits until this is over.
LOCK_FAMILY = "SELECT iu_core.fn_iu_lock('family', ARRAY[$1], false)"

# The service's backends that wait for a lock.
WAITING = """
    SELECT count(*) FROM pg_stat_activity
     WHERE datname = current_database() AND application_name = 'product-factory'
       AND wait_event_type = 'Lock'
"""


@pytest.fixture
async def template(owner: asyncpg.Connection) -> Template:
    """A template to compose from, the gates open."""
    await open_gates(owner)
    return await make_template(owner)


@pytest.fixture
async def proxy(database: Database) -> AsyncIterator[Proxy]:
    """A way to the test's database that can be cut."""
    async with proxied(database) as proxy:
        yield proxy


@pytest.fixture
async def far(
    database: Database, owner: asyncpg.Connection, proxy: Proxy
) -> AsyncIterator[Service]:
    """The application, by way of the proxy."""
    behind = ProxiedDatabase(name=database.name, server=database.server, proxy=proxy)
    async with running_service(behind, owner) as running:
        # It looks for operations now and then, and could lose what a request is to lose.
        await running.app.state.runner.stop()
        yield running


def order(of: Template, **members: Any) -> dict[str, Any]:
    """A request for one instance."""
    return {
        "event_id": str(uuid4()),
        "event_type": "employee.hired",
        "template": of.key,
        **members,
    }


async def rows(owner: asyncpg.Connection) -> tuple[int, ...]:
    """How many instances, lineage, log and outbox rows there are."""
    counts = await owner.fetchrow(
        """SELECT (SELECT count(*) FROM iu_core.iu_piece_collection WHERE is_instance),
                  (SELECT count(*) FROM iu_core.iu_collection_template_instance_lineage),
                  (SELECT count(*) FROM iu_core.iu_auto_instantiate_event_log),
                  (SELECT count(*) FROM iu_core.event_outbox)"""
    )
    assert counts is not None
    return tuple(counts)


def assert_unavailable(answer: httpx.Response, path: str) -> None:
    """It was told to come back, in full."""
    assert answer.status_code == 503
    assert answer.headers["retry-after"] == "1"
    assert_problem(answer, "database_unavailable", instance=path, retry_after=1)


# A COMMIT whose answer was lost.


async def test_an_ambiguous_commit_is_answered_as_composed(
    far: Service, owner: asyncpg.Connection, proxy: Proxy, template: Template
) -> None:
    sent = order(template)
    proxy.lose_answer_to("fn_iu_auto_instantiate_many")
    answer = await far.producer.post(COMPOSE, json=sent)
    document = answer.json()
    assert (answer.status_code, document["outcome"]) == (201, "composed")
    assert answer.headers["location"] == f"/instances/{document['instance_collection_id']}"
    assert proxy.sent("fn_iu_auto_instantiate_many") == 2
    assert await rows(owner) == (1, 1, 1, 1)

    again = await far.producer.post(COMPOSE, json=sent)
    assert (again.status_code, again.json()) == (200, document | {"outcome": "idempotent_replay"})


async def test_without_the_stored_request_id_it_would_be_answered_as_a_replay(
    far: Service, owner: asyncpg.Connection, proxy: Proxy, template: Template
) -> None:
    await take_out(
        owner,
        "fn_iu_compose_judge",
        "WHEN k.request_id = i.request_id AND i.emit_mode = 'live' THEN 'ok'",
        "",
    )
    proxy.lose_answer_to("fn_iu_auto_instantiate_many")
    answer = await far.producer.post(COMPOSE, json=order(template))
    assert (answer.status_code, answer.json()["outcome"]) == (200, "idempotent_replay")


async def test_an_ambiguous_bulk_is_answered_as_composed(
    far: Service, owner: asyncpg.Connection, proxy: Proxy, template: Template
) -> None:
    proxy.lose_answer_to("COMMIT;")
    answer = await far.producer.post(
        "/instances/bulk?atomic=true", json=[order(template) for _ in range(3)]
    )
    document = answer.json()
    assert (document["total"], document["composed"], document["replayed"]) == (3, 3, 0)
    assert {item["operation_id"] for item in document["items"]} == {document["operation_id"]}
    assert await rows(owner) == (3, 3, 3, 3)


async def test_what_may_not_be_repeated_is_left_to_the_client(
    far: Service, owner: asyncpg.Connection, proxy: Proxy
) -> None:
    """A second key would be one that nobody knows the secret of."""
    before = await owner.fetchval("SELECT count(*) FROM iu_core.iu_api_key")
    assert (await far.admin.get("/api-keys")).status_code == 200
    proxy.lose_answer_to("COMMIT;")
    answer = await far.admin.post(
        "/api-keys", json={"principal": "p", "scope": "viewer", "actor": "p"}
    )
    assert_unavailable(answer, "/api-keys")
    assert proxy.sent("fn_iu_api_key_create") == 1
    assert await owner.fetchval("SELECT count(*) FROM iu_core.iu_api_key") == before + 1


# What the server answers instead of composing.

FAILING = """
    CREATE SEQUENCE iu_core.calls;
    CREATE FUNCTION iu_core.fails() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$
    BEGIN
        PERFORM nextval('iu_core.calls');
        %s
        RETURN NULL;
    END $$;
    CREATE TRIGGER fails AFTER INSERT ON iu_core.event_outbox
        FOR EACH STATEMENT EXECUTE FUNCTION iu_core.fails()
"""


@pytest.mark.parametrize(
    ("failure", "code", "attempts"),
    [
        ("RAISE EXCEPTION USING ERRCODE = '40001';", "overloaded", ATTEMPTS),
        ("RAISE EXCEPTION USING ERRCODE = '40P01';", "overloaded", ATTEMPTS),
        # Once together with others, then by itself.
        ("RAISE EXCEPTION USING ERRCODE = '55P03';", "overloaded", 1 + ATTEMPTS),
        ("RAISE EXCEPTION USING ERRCODE = '57014';", "overloaded", 1 + ATTEMPTS),
        ("RAISE EXCEPTION USING ERRCODE = '53200';", "overloaded", 1),
        ("PERFORM pg_terminate_backend(pg_backend_pid());", "database_unavailable", ATTEMPTS),
        ("RAISE EXCEPTION USING ERRCODE = '23514';", "internal", 1),
        ("RAISE EXCEPTION USING ERRCODE = '42501';", "internal", 1),
    ],
)
async def test_what_does_not_pass_is_answered_by_its_code_and_leaves_nothing(
    service: Service,
    owner: asyncpg.Connection,
    observer: asyncpg.Connection,
    template: Template,
    failure: str,
    code: str,
    attempts: int,
) -> None:
    await observer.execute(FAILING % failure)
    sent = order(template)
    answer = await service.producer.post(COMPOSE, json=sent)
    members: dict[str, Any] = {} if code == "internal" else {"retry_after": 1}
    assert_problem(answer, code, instance=COMPOSE, **members)
    assert answer.headers.get("retry-after") == (None if code == "internal" else "1")
    assert await observer.fetchval("SELECT last_value FROM iu_core.calls") == attempts
    assert await rows(owner) == (0, 0, 0, 0)

    await observer.execute("DROP TRIGGER fails ON iu_core.event_outbox")
    assert (await service.producer.post(COMPOSE, json=sent)).status_code == 201
    assert await rows(owner) == (1, 1, 1, 1)


# More requests than connections.


async def test_an_exhausted_pool_answers_within_about_its_timeout(
    database: Database,
    owner: asyncpg.Connection,
    observer: asyncpg.Connection,
    template: Template,
) -> None:
    async with running_service(database, owner, pool_size=2, pool_timeout=0.3) as service:

        async def both_wait() -> bool:
            return bool(await observer.fetchval(WAITING) == 2)

        async with owner.transaction():
            await owner.execute(LOCK_FAMILY, template.family)
            composing = [
                asyncio.ensure_future(service.producer.post(BULK, json=[order(template)]))
                for _ in range(2)
            ]
            await wait_until(both_wait, "both connections wait")
            began = time.monotonic()
            paths = ["/gates", "/instances", "/observability/templates", "/settings"] * 5
            answers = await asyncio.gather(*(service.admin.get(path) for path in paths))
            took = time.monotonic() - began
        for path, answer in zip(paths, answers, strict=True):
            assert_unavailable(answer, path)
        assert took < 3 * 0.3 + 1.0
        assert [answer.status_code for answer in await asyncio.gather(*composing)] == [201, 201]
        assert (await service.admin.get("/gates")).status_code == 200


# The end of the service.


async def test_a_shutdown_waits_for_the_transactions_that_run(
    database: Database,
    owner: asyncpg.Connection,
    observer: asyncpg.Connection,
    template: Template,
) -> None:
    app = create_app(Settings(database_url=database.app_url, disposable_data=True))
    key = await make_key(owner, "producer")

    async def one_waits() -> bool:
        return bool(await observer.fetchval(WAITING) == 1)

    async with AsyncExitStack() as stack:
        client = await stack.enter_async_context(client_of(app, key))
        lifespan = AsyncExitStack()
        await lifespan.enter_async_context(app.router.lifespan_context(app))
        async with owner.transaction():
            await owner.execute(LOCK_FAMILY, template.family)
            request = asyncio.ensure_future(client.post(COMPOSE, json=order(template)))
            await wait_until(one_waits, "the request waits")
            ending = asyncio.ensure_future(lifespan.aclose())
            assert await one_waits()
            assert not ending.done()
        await asyncio.wait_for(ending, DEADLINE)
        assert (await request).status_code == 201
    assert await rows(owner) == (1, 1, 1, 1)


async def test_a_request_that_outlasts_the_shutdown_is_told_so_and_composed_when_sent_again(
    database: Database,
    owner: asyncpg.Connection,
    observer: asyncpg.Connection,
    template: Template,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(hosting, "SHUTDOWN_S", 0)  # it waits for nobody
    settings = Settings(database_url=database.app_url, disposable_data=True, port=0)
    headers = {"Authorization": f"Bearer {await make_key(owner, 'producer')}"}
    sent = order(template)

    async def one_waits() -> bool:
        return bool(await observer.fetchval(WAITING) == 1)

    async with httpx.AsyncClient(headers=headers) as client, owner.transaction():
        await owner.execute(LOCK_FAMILY, template.family)
        async with hosting.served(settings, hosting.bound_socket(settings)) as (url, _):
            request = asyncio.ensure_future(client.post(url + COMPOSE, json=sent))
            await wait_until(one_waits, "the request waits")
        assert_problem(
            await asyncio.wait_for(request, DEADLINE),
            "overloaded",
            instance=COMPOSE,
            detail="The service stopped before this request was done; whether it was carried out"
            " is not known.",
            retry_after=1,
        )
    async with (
        hosting.served(settings, hosting.bound_socket(settings)) as (url, _),
        httpx.AsyncClient(headers=headers) as client,
    ):
        assert (await client.post(url + COMPOSE, json=sent)).is_success
    assert await rows(owner) == (1, 1, 1, 1)


async def test_a_request_that_the_shutdown_cancels_is_still_answered_truthfully_later(
    database: Database,
    owner: asyncpg.Connection,
    observer: asyncpg.Connection,
    template: Template,
) -> None:
    sent = order(template)
    key = await make_key(owner, "producer")

    async def one_waits() -> bool:
        return bool(await observer.fetchval(WAITING) == 1)

    for expected in ("cancelled", "idempotent_replay"):
        app = create_app(Settings(database_url=database.app_url, disposable_data=True))
        async with client_of(app, key) as client, app.router.lifespan_context(app):
            if expected == "idempotent_replay":
                assert (await client.post(COMPOSE, json=sent)).json()["outcome"] == expected
                continue
            async with owner.transaction():
                await owner.execute(LOCK_FAMILY, template.family)
                request = asyncio.ensure_future(client.post(COMPOSE, json=sent))
                await wait_until(one_waits, "the request waits")
                request.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await request
    assert await rows(owner) == (1, 1, 1, 1)
