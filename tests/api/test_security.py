"""API keys: who is let in, in which order things are looked at, and what is remembered."""

import asyncio
import hmac
import re
from collections.abc import AsyncIterator
from typing import Any
from uuid import uuid4

import asyncpg
import httpx
import pytest

from app import authentication
from app.authentication import REVOKED_WITHIN_S, Authenticator, NewApiKey
from app.db import api_keys
from app.db.engine import Database as Pool
from app.errors import Refusal
from app.refusals.from_database import refusal_from_database_error
from app.security import Caller, Scope, is_actor, is_actor_prefix, is_own_actor
from tests.support.databases import Database
from tests.support.http import Service, client_of, make_key, problem, running_service

NOT_IN_FORCE = "The key or token is unknown, malformed, expired or revoked."


def refusal(response: httpx.Response, code: str, **members: Any) -> Any:
    """The problem document that a response must be."""
    assert response.headers["content-type"] == "application/problem+json"
    request_id = response.headers["x-request-id"]
    return problem(code, request_id, response.request.url.path, **members)


# ---------------------------------------------------------------------------- who is let in


async def test_strangers_get_the_open_addresses_and_nothing_else(service: Service) -> None:
    for path in ("/livez", "/readyz", "/metrics", "/docs", "/openapi.json", "/problems/forbidden"):
        assert (await service.anonymous.get(path)).status_code == 200, path
    for path in (
        "/gates",
        "/no-such-thing",
        "/",
        "/livezz",
        "/docs2",
        "/openapi.json/x",
        "//livez",
    ):
        answer = await service.anonymous.get(path)
        assert answer.status_code == 401, path
        assert answer.headers["www-authenticate"] == "Bearer"
        assert answer.json() == refusal(
            answer, "unauthenticated", detail="The request carries no key or token."
        )
    assert (await service.viewer.get("/no-such-thing")).json()["code"] == "route_not_found"
    for path in ("/problems/..%2Fgates", "/docs/%2E%2E/gates", "/docs/..%2F..%2Fgates"):
        answer = await service.anonymous.get(path)
        assert answer.status_code == 404, "what looks open leads nowhere else"


async def test_the_metrics_can_ask_for_a_key(database: Database, owner: asyncpg.Connection) -> None:
    async with running_service(database, owner, metrics_require_key=True) as service:
        answer = await service.anonymous.get("/metrics")
        assert answer.json() == refusal(
            answer, "unauthenticated", detail="The request carries no key or token."
        )
        narrow = await service.producer.get("/metrics")
        assert narrow.json() == refusal(
            narrow,
            "forbidden",
            detail="This needs the scope viewer, and the key has producer.",
            required_scope="viewer",
        )
        assert (await service.viewer.get("/metrics")).status_code == 200


async def test_a_credential_that_is_not_good_is_refused_in_the_same_words(
    service: Service, owner: asyncpg.Connection
) -> None:
    good = await make_key(owner, "viewer")
    _, key_id, secret = good.split("_", 2)
    other = NewApiKey.make()
    assert (await with_header(service, f"Bearer {good}")).status_code == 200
    for credential in (
        f"pf_{key_id}_{other.secret[-43:]}",  # a wrong secret
        other.secret,  # an unknown id
        good[:-1],
        f"{good}x",
        good.upper(),
        f"pf_{key_id}",
        f"pf__{secret}",
        f"pf_{'a' * 33}_{secret}",
        "pf_",
        "eyJhbGciOiJub25lIn0.e30.",  # a token, where none are taken
        "x",
    ):
        answer = await with_header(service, f"Bearer {credential}")
        assert answer.status_code == 401, credential
        assert answer.headers["www-authenticate"] == 'Bearer error="invalid_token"'
        assert answer.json() == refusal(answer, "unauthenticated", detail=NOT_IN_FORCE)


async def test_the_header_says_bearer_in_any_case_once(
    service: Service, owner: asyncpg.Connection
) -> None:
    good = await make_key(owner, "viewer")
    for scheme in ("bearer", "BEARER"):
        assert (await with_header(service, f"{scheme} {good}")).status_code == 200
    for value in (good, f"Basic {good}", "Bearer", "Bearer ", f"Bearer{good}"):
        answer = await with_header(service, value)
        assert answer.headers["www-authenticate"] == 'Bearer error="invalid_request"', value
        assert answer.json() == refusal(
            answer,
            "unauthenticated",
            detail="There must be one Authorization header,"
            " and it must say: Bearer, and a key or token.",
        )
    twice = [("Authorization", f"Bearer {good}"), ("Authorization", f"Bearer {good}")]
    assert (await service.anonymous.get("/gates", headers=twice)).status_code == 401
    assert (await service.anonymous.get("/gates", params={"access_token": good})).status_code == 401


async def with_header(service: Service, value: str) -> httpx.Response:
    """A read with this Authorization header."""
    return await service.anonymous.get("/gates", headers={"Authorization": value})


# ---------------------------------------------------------------------------------- order


async def test_authentication_then_parsing_then_scope_then_fields_then_actor(
    service: Service,
) -> None:
    path = "/gates/piece_write_enabled"
    broken: dict[str, Any] = {
        "content": b"{",
        "headers": {"Content-Type": "application/json"},
    }
    wrong_type: dict[str, Any] = {"content": b"x", "headers": {"Content-Type": "text/plain"}}
    wrong_field = {"json": {"state": "ajar", "reason": "x", "actor": "somebody-else"}}
    wrong_actor = {"json": {"state": "open", "reason": "x", "actor": "somebody-else"}}
    for client, request, expected in (
        (service.anonymous, broken, (401, "unauthenticated")),
        (service.anonymous, wrong_type, (401, "unauthenticated")),
        (service.viewer, broken, (400, "invalid_input")),
        (service.viewer, wrong_type, (415, "unsupported_media_type")),
        (service.viewer, wrong_field, (403, "forbidden")),
        (service.operator, broken, (400, "invalid_input")),
        (service.operator, wrong_field, (422, "invalid_input")),
        (service.operator, wrong_actor, (403, "actor_not_allowed")),
    ):
        answer = await client.put(path, **request)
        assert (answer.status_code, answer.json()["code"]) == expected


async def test_a_strangers_body_is_not_read(service: Service) -> None:
    read = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal read
        for _ in range(100):
            read += 1
            yield b"x" * 65536

    answer = await service.anonymous.put("/gates/composer_enabled", content=endless())
    assert answer.status_code == 401
    assert read <= 1


async def test_the_scope_that_is_needed_is_named(service: Service) -> None:
    answer = await service.viewer.put(
        "/gates/piece_write_enabled", json={"state": "open", "reason": "x"}
    )
    assert answer.json() == refusal(
        answer,
        "forbidden",
        detail="This needs the scope operator, and the key has viewer.",
        required_scope="operator",
    )


# --------------------------------------------------------------------------- scopes and actors


def test_scopes_are_cumulative() -> None:
    order = [Scope.PRODUCER, Scope.VIEWER, Scope.OPERATOR, Scope.ADMIN]
    for place, scope in enumerate(order):
        assert [scope.reaches(other) for other in order] == [n <= place for n in range(4)]


def caller(scope: Scope, actor: str, *prefixes: str) -> Caller:
    """A caller with a request of its own."""
    return Caller("somebody", scope, actor, prefixes, uuid4())


def test_a_request_may_only_narrow_the_actor() -> None:
    billing = caller(Scope.ADMIN, "billing", "billing-", "jobs:")
    assert billing.act_as(None) == "billing"
    for actor in ("billing", "billing-eu", "billing-", "jobs:1"):
        assert billing.act_as(actor) == actor
    for actor in ("billing2", "bill", "job", "jobs", "other", ""):
        with pytest.raises(Refusal) as refused:
            billing.act_as(actor)
        assert refused.value.code == "actor_not_allowed"
        assert refused.value.members == {"actor": actor}
    alone = caller(Scope.PRODUCER, "billing")
    with pytest.raises(Refusal):
        alone.act_as("billing-eu")


async def test_sql_and_python_agree_on_actors(owner: asyncpg.Connection) -> None:
    """Whom a caller may act as is decided in Python, whom it may read in SQL."""
    billing = caller(Scope.PRODUCER, "billing", "billing-", "jobs:")
    assert billing.allowed_actors == "billing billing- jobs:"
    for actor in ("billing", "billing-eu", "billing-", "jobs:1", "jobs", "billing2", "bill", "x"):
        in_sql = await owner.fetchval(
            "SELECT iu_core.fn_iu_actor_matches($1, $2)", actor, billing.allowed_actors
        )
        assert in_sql is billing.may_act_as(actor), actor
    for scope in (Scope.VIEWER, Scope.OPERATOR, Scope.ADMIN):
        assert caller(scope, "billing").allowed_actors is None
        assert caller(scope, "billing", "b-").own_actors == "billing b-"


async def test_sql_and_python_agree_on_what_an_actor_is(owner: asyncpg.Connection) -> None:
    longest = "a" * 128
    good = ("a", "0", longest, "a.b_c:d-e", "a-", "a:")
    for text in (*good, "", "A", "-a", ":a", "a b", "ä", "a\n"):
        in_sql = await owner.fetchval("SELECT iu_core.fn_iu_is_actor($1)", text)
        assert in_sql is is_actor(text) is (text in good), text
    assert not is_actor(longest + "a")
    assert (is_own_actor("a-"), is_own_actor("a:"), is_own_actor("a")) == (False, False, True)
    assert (is_actor_prefix("a-"), is_actor_prefix("a:"), is_actor_prefix("a")) == (
        True,
        True,
        False,
    )
    assert not is_actor_prefix("-")


# --------------------------------------------------------------------------- what is remembered


class Clock:
    """A clock that stands still until it is moved."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
async def pool(database: Database) -> AsyncIterator[Pool]:
    """The service's connections."""
    connections = Pool(database.app_url)
    yield connections
    await connections.close()


async def scope_of(authenticator: Authenticator, secret: str) -> Scope:
    """The scope that a key is let in with."""
    return (await authenticator.authenticate([f"Bearer {secret}"], uuid4())).scope


async def revoke_elsewhere(owner: asyncpg.Connection, secret: str) -> None:
    """Revoke a key as another process would, unknown to this one."""
    await owner.execute(
        "UPDATE iu_core.iu_api_key SET revoked_at = now() WHERE key_id = $1", secret.split("_")[1]
    )


async def test_a_key_that_was_revoked_elsewhere_is_refused_within_two_seconds(
    pool: Pool, owner: asyncpg.Connection
) -> None:
    clock = Clock()
    authenticator = Authenticator(pool, clock=clock)
    secret = await make_key(owner, "viewer")
    assert await scope_of(authenticator, secret) is Scope.VIEWER
    await revoke_elsewhere(owner, secret)
    clock.now += REVOKED_WITHIN_S - 0.001
    assert await scope_of(authenticator, secret) is Scope.VIEWER, "remembered"
    clock.now += 0.001
    with pytest.raises(Refusal, match="revoked"):
        await scope_of(authenticator, secret)


async def test_a_key_that_was_revoked_here_is_refused_at_once(
    pool: Pool, owner: asyncpg.Connection
) -> None:
    authenticator = Authenticator(pool, clock=Clock())
    secret = await make_key(owner, "viewer")
    await scope_of(authenticator, secret)
    await revoke_elsewhere(owner, secret)
    authenticator.forget(secret.split("_")[1])
    with pytest.raises(Refusal):
        await scope_of(authenticator, secret)


async def test_a_key_is_not_remembered_beyond_its_expiry(
    pool: Pool, owner: asyncpg.Connection
) -> None:
    clock = Clock()
    authenticator = Authenticator(pool, clock=clock)
    secret = await make_key(owner, "viewer")
    await owner.execute(
        """UPDATE iu_core.iu_api_key SET expires_at = clock_timestamp() + interval '1 second'
            WHERE key_id = $1""",
        secret.split("_")[1],
    )
    await scope_of(authenticator, secret)
    await owner.execute("SELECT iu_core.fn_iu_set_clock('1 minute')")
    clock.now += 1.0
    with pytest.raises(Refusal):
        await scope_of(authenticator, secret)


async def test_a_remembered_key_still_needs_its_secret(
    pool: Pool, owner: asyncpg.Connection
) -> None:
    authenticator = Authenticator(pool, clock=Clock())
    secret = await make_key(owner, "viewer")
    await scope_of(authenticator, secret)
    wrong = secret[:-43] + NewApiKey.make().secret[-43:]
    with pytest.raises(Refusal):
        await scope_of(authenticator, wrong)
    assert await scope_of(authenticator, secret) is Scope.VIEWER


async def test_a_flood_of_invented_keys_leaves_nothing_behind(
    pool: Pool, owner: asyncpg.Connection
) -> None:
    authenticator = Authenticator(pool, clock=Clock())
    await scope_of(authenticator, await make_key(owner, "viewer"))
    for _ in range(50):
        with pytest.raises(Refusal):
            await scope_of(authenticator, NewApiKey.make().secret)
    assert (len(authenticator._known), len(authenticator._looking)) == (1, 0)


async def test_only_so_many_keys_are_remembered(
    pool: Pool, owner: asyncpg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(authentication, "_MOST_KNOWN_KEYS", 2)
    authenticator = Authenticator(pool, clock=Clock())
    secrets = [await make_key(owner, "viewer") for _ in range(4)]
    for secret in secrets:
        await scope_of(authenticator, secret)
    assert list(authenticator._known) == [secret.split("_")[1] for secret in secrets[2:]]


async def test_requests_that_come_together_look_a_key_up_once(
    pool: Pool, owner: asyncpg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked_up: list[str] = []
    look_up = api_keys.look_up

    async def counted(database: Pool, key_id: str) -> Any:
        looked_up.append(key_id)
        return await look_up(database, key_id)

    monkeypatch.setattr(api_keys, "look_up", counted)
    authenticator = Authenticator(pool, clock=Clock())
    secret = await make_key(owner, "viewer")
    scopes = await asyncio.gather(*(scope_of(authenticator, secret) for _ in range(64)))
    assert set(scopes) == {Scope.VIEWER}
    assert looked_up == [secret.split("_")[1]]


async def test_an_unknown_key_is_compared_like_a_known_one(
    pool: Pool, owner: asyncpg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is compared is always two digests, and always in constant time."""
    compared: list[tuple[int, int]] = []
    compare = hmac.compare_digest

    def counted(one: bytes, other: bytes) -> bool:
        compared.append((len(one), len(other)))
        return compare(one, other)

    await pool.fetch("SELECT 1")  # logging in compares digests too
    monkeypatch.setattr(hmac, "compare_digest", counted)
    authenticator = Authenticator(pool, clock=Clock())
    good = await make_key(owner, "viewer")
    await scope_of(authenticator, good)
    for wrong in (good[:-43] + NewApiKey.make().secret[-43:], NewApiKey.make().secret):
        with pytest.raises(Refusal):
            await scope_of(authenticator, wrong)
    assert compared == [(32, 32)] * 3


async def test_without_a_database_nobody_is_called_a_stranger(database: Database) -> None:
    gone = Pool(re.sub(r"/[^/?]*(\?|$)", r"/no_such_database\1", database.app_url, count=1))
    authenticator = Authenticator(gone)
    try:
        with pytest.raises(asyncpg.InvalidCatalogNameError) as failed:
            await scope_of(authenticator, NewApiKey.make().secret)
    finally:
        await gone.close()
    found = refusal_from_database_error(failed.value)
    assert found is not None
    assert found.code == "database_unavailable"
    assert authenticator._looking == {}


async def test_two_keys_of_one_service_are_two_callers(
    service: Service, owner: asyncpg.Connection
) -> None:
    anna = await make_key(owner, "operator", actor="anna", principal="anna@example.org")
    async with client_of(service.app, anna) as client:
        await client.put("/gates/piece_write_enabled", json={"state": "open", "reason": "x"})
    await service.operator.put(
        "/gates/piece_write_enabled", json={"state": "closed", "reason": "x"}
    )
    entries = (await service.viewer.get("/gates/piece_write_enabled/history")).json()["items"]
    assert [entry["actor"] for entry in entries] == ["operator-bot", "anna"]
    assert entries[1]["principal"] == "anna@example.org"
