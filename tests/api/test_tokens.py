"""JWT bearer tokens: which are taken, which are not, and where their keys come from."""

import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import asyncpg
import httpx
import pytest

from app.errors import Refusal
from app.jwt_keys import FRESH_FOR_S, GOOD_FOR_S, LOOK_AGAIN_AFTER_S, RETRY_AFTER_S, KeySource
from tests.support.databases import Database
from tests.support.http import Service, problem, running_service
from tests.support.tokens import AUDIENCE, ISSUER, SigningKey, segment, write_keys

INVALID_TOKEN = 'Bearer error="invalid_token"'

Send = Callable[[str], Awaitable[httpx.Response]]


@pytest.fixture(scope="module")
def rsa() -> SigningKey:
    """The provider's RSA key."""
    return SigningKey.rsa()


@pytest.fixture(scope="module")
def ec() -> SigningKey:
    """The provider's key on a curve."""
    return SigningKey.ec()


@pytest.fixture
async def service(
    database: Database, owner: asyncpg.Connection, tmp_path: Path, rsa: SigningKey, ec: SigningKey
) -> AsyncIterator[Service]:
    """The service, which takes the provider's tokens beside its own keys."""
    secret = {"kty": "oct", "kid": "oct-1", "k": segment(b"k" * 32), "alg": "HS256"}
    keys = write_keys(tmp_path / "jwks.json", secret, rsa.published(), ec.published())
    async with running_service(
        database, owner, jwt_jwks_file=keys, jwt_issuer=ISSUER, jwt_audience=AUDIENCE
    ) as running:
        yield running


async def sent(service: Service, token: str, path: str = "/gates") -> httpx.Response:
    """A read with the token."""
    headers = {"Authorization": f"Bearer {token}"}
    return await service.anonymous.get(path, headers=headers)


async def test_a_token_is_taken_and_its_owner_is_recorded(
    service: Service, rsa: SigningKey, ec: SigningKey
) -> None:
    for key, subject in ((rsa, "anna"), (ec, "ben")):
        token = key.token(sub=subject, actor_prefixes=["ops-"])
        answer = await service.anonymous.post(
            "/gates/piece_write_enabled/leases",
            headers={"Authorization": f"Bearer {token}"},
            json={"seconds": 60, "reason": "x", "actor": f"ops-{subject}"},
        )
        assert answer.status_code == 201
        assert answer.json()["opened_by"] == f"ops-{subject}"
    history = (await service.viewer.get("/gates/piece_write_enabled/history")).json()
    assert [entry["principal"] for entry in history["items"]] == ["jwt:ben", "jwt:anna"]
    assert (await service.viewer.get("/gates")).status_code == 200, "keys go on working"


async def test_the_widest_of_its_scopes_counts(service: Service, rsa: SigningKey) -> None:
    for scope, on_gates, on_keys in (
        ("producer", 403, 403),
        ("viewer producer", 200, 403),
        (["viewer", "admin"], 200, 200),
        ("openid ADMIN", 401, 401),
        ("", 401, 401),
        (None, 401, 401),
        (7, 401, 401),
        (["viewer", 7], 200, 403),
    ):
        token = rsa.token(scope=scope)
        assert (await sent(service, token)).status_code == on_gates, scope
        assert (await sent(service, token, "/api-keys")).status_code == on_keys, scope


async def test_a_token_that_is_not_good_is_refused(
    service: Service, rsa: SigningKey, ec: SigningKey
) -> None:
    now = int(time.time())
    header, payload, signature = rsa.token().split(".")
    other_payload = rsa.token(sub="mallory").split(".")[1]
    stranger = SigningKey.rsa("rsa-1")
    longer = SigningKey("rsa-1", "RS512", rsa.private)
    nested = segment(b'{"alg":"RS256","x":' + b"[" * 2500 + b"]" * 2500 + b"}")
    malformed = "The key or token is malformed."
    unsigned = "The token is not signed in a way that is taken here."
    unknown = "The token is signed with a key that the issuer does not publish."
    wrong = "The token's signature, issuer, audience or times are not right."
    actor = "The token's claim 'sub' is no actor's tag."
    prefixes = "The token's claim 'actor_prefixes' is no list of actor prefixes."
    for token, detail in (
        ("a.b.c", malformed),
        # Whether it is read at all depends on how deep this Python goes.
        (f"{nested}.{payload}.{signature}", None),
        (f"{header}.{payload}", malformed),
        ("x" * 8193, "The token is too long."),
        (f"{segment(json.dumps({'alg': 'none'}).encode())}.{payload}.", unsigned),
        (f"{segment(json.dumps({'alg': ['RS256']}).encode())}.{payload}.", None),
        (rsa.signed_with_the_public_key(), unsigned),
        (rsa.token(headers={"kid": "rsa-2"}), unknown),
        (rsa.token(headers={"kid": "oct-1"}), unknown),
        (rsa.token(headers={"kid": "ec-1"}), unknown),
        (longer.token(), unknown),
        (stranger.token(), wrong),
        (f"{header}.{other_payload}.{signature}", wrong),
        (f"{header}.{payload}.{signature[:-4]}AAAA", wrong),
        (rsa.token(iss="https://other.example"), wrong),
        (rsa.token(iss=None), wrong),
        (rsa.token(aud="another-service"), wrong),
        (rsa.token(aud=None), wrong),
        (rsa.token(exp=now - 60), wrong),
        (rsa.token(exp=None), wrong),
        (rsa.token(exp="soon"), wrong),
        (rsa.token(nbf=now + 600), wrong),
        (rsa.token(sub=None), wrong),
        (rsa.token(sub=["anna"]), wrong),
        (rsa.token(sub="Anna"), actor),
        (rsa.token(sub="anna-"), actor),
        (rsa.token(actor_prefixes="ops-"), prefixes),
        (rsa.token(actor_prefixes=["ops"]), prefixes),
        (rsa.token(actor_prefixes=[7]), prefixes),
        (rsa.token(actor_prefixes=["a-"] * 65), prefixes),
    ):
        answer = await sent(service, token)
        assert answer.status_code == 401, token[:200]
        assert answer.headers["www-authenticate"] == INVALID_TOKEN
        document = answer.json()
        if detail is not None:
            assert document["detail"] == detail, token[:200]
        assert document == problem(
            "unauthenticated",
            answer.headers["x-request-id"],
            "/gates",
            detail=document["detail"],
        )


async def test_the_audience_may_be_one_of_several(service: Service, rsa: SigningKey) -> None:
    assert (await sent(service, rsa.token(aud=["x", AUDIENCE]))).status_code == 200


async def test_the_claims_have_the_names_that_the_settings_give_them(
    database: Database, owner: asyncpg.Connection, tmp_path: Path, rsa: SigningKey
) -> None:
    async with running_service(
        database,
        owner,
        jwt_jwks_file=write_keys(tmp_path / "jwks.json", rsa.published()),
        jwt_issuer=ISSUER,
        jwt_audience=AUDIENCE,
        jwt_scope_claim="roles",
        jwt_actor_claim="preferred_username",
    ) as service:
        claims: dict[str, Any] = {"roles": ["viewer"], "preferred_username": "anna"}
        token = rsa.token(sub="8F3A|anna", scope="admin", **claims)
        assert (await sent(service, token)).status_code == 200
        assert (await sent(service, token, "/api-keys")).status_code == 403
        assert (await sent(service, rsa.token(roles=["viewer"]))).status_code == 401
        unnamed = rsa.token(headers={"kid": None}, **claims)
        assert (await sent(service, unnamed)).status_code == 200, "there is only one key"


async def test_where_the_keys_cannot_be_had_nobody_is_called_a_stranger(
    database: Database, owner: asyncpg.Connection, rsa: SigningKey
) -> None:
    async with running_service(
        database,
        owner,
        jwt_jwks_url="http://127.0.0.1:1/jwks.json",
        jwt_issuer=ISSUER,
        jwt_audience=AUDIENCE,
    ) as service:
        answer = await sent(service, rsa.token())
        assert answer.status_code == 503
        assert answer.headers["retry-after"] == str(RETRY_AFTER_S)
        assert answer.json() == problem(
            "identity_keys_unavailable",
            answer.headers["x-request-id"],
            "/gates",
            retry_after=RETRY_AFTER_S,
        )
        assert (await service.viewer.get("/gates")).status_code == 200, "keys go on working"


# --------------------------------------------------------------------------- the provider's keys


class Provider(httpx.AsyncBaseTransport):
    """An identity provider at the other end of the wire, and the clock on the wall."""

    def __init__(self, *keys: dict[str, Any]) -> None:
        self.now = 1000.0
        self.asked = 0
        self.status = 200
        self.body = json.dumps({"keys": keys}).encode()

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self.asked += 1
        headers = {"Location": "https://elsewhere.example/"} if self.status == 302 else None
        return httpx.Response(self.status, headers=headers, content=self.body, request=request)

    def source(self) -> KeySource:
        """Where the service has this provider's keys from."""
        return KeySource(url="https://id.example/jwks.json", clock=lambda: self.now, transport=self)


async def test_keys_are_fetched_once_in_a_while(rsa: SigningKey) -> None:
    provider = Provider(rsa.published())
    source = provider.source()
    for _ in range(5):
        assert await source.key("rsa-1", "RS256")
    assert provider.asked == 1
    provider.now += FRESH_FOR_S + 1
    assert await source.key("rsa-1", "RS256")
    assert provider.asked == 2


async def test_a_new_key_is_found_without_waiting_but_invented_ids_flood_nobody(
    rsa: SigningKey, ec: SigningKey
) -> None:
    provider = Provider(rsa.published())
    source = provider.source()
    await source.key("rsa-1", "RS256")
    provider.body = json.dumps({"keys": [rsa.published(), ec.published()]}).encode()
    assert await source.key("ec-1", "ES256") is None, "the first look was a moment ago"
    provider.now += LOOK_AGAIN_AFTER_S
    assert await source.key("ec-1", "ES256")
    for number in range(20):
        assert await source.key(f"invented-{number}", "RS256") is None
    assert provider.asked == 2


async def test_keys_outlive_an_outage_but_not_for_ever(rsa: SigningKey) -> None:
    provider = Provider(rsa.published())
    source = provider.source()
    await source.key("rsa-1", "RS256")
    provider.status = 500
    provider.now += FRESH_FOR_S + 1
    assert await source.key("rsa-1", "RS256")
    assert provider.asked == 2
    assert await source.key("rsa-1", "RS256")
    assert provider.asked == 2, "not again at once"
    provider.now = 1000.0 + GOOD_FOR_S + 1
    with pytest.raises(Refusal) as refused:
        await source.key("rsa-1", "RS256")
    assert refused.value.code == "identity_keys_unavailable"
    provider.status = 200
    provider.now += RETRY_AFTER_S
    assert await source.key("rsa-1", "RS256")


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (302, b'{"keys": []}'),
        (200, b"<html>"),
        (200, b"[]"),
        (200, b'{"keys": []}'),
        (200, b'{"keys": [1, {"kty": "oct", "k": "AAAA"}]}'),
        (200, b" " * 1_048_577),
        (200, b"[" * 50_000),
    ],
    ids=["redirect", "html", "no set", "empty", "no public key", "too large", "too deep"],
)
async def test_what_is_no_set_of_keys_is_not_taken(status: int, body: bytes) -> None:
    provider = Provider()
    provider.status, provider.body = status, body
    with pytest.raises(Refusal) as refused:
        await provider.source().key("rsa-1", "RS256")
    assert refused.value.code == "identity_keys_unavailable"


async def test_a_key_is_good_for_its_own_algorithm_only(rsa: SigningKey, ec: SigningKey) -> None:
    unbound = rsa.published(kid="any")
    del unbound["alg"]
    source = Provider(
        rsa.published(), unbound, ec.published(kid="broken", x="!"), ec.published(use="enc")
    ).source()
    assert await source.key("rsa-1", "RS256")
    assert await source.key("rsa-1", "PS256") is None
    assert await source.key("any", "PS256")
    assert await source.key("any", "ES256") is None
    assert await source.key("broken", "ES256") is None
    assert await source.key("ec-1", "ES256") is None, "for encryption"
    assert await source.key(None, "RS256") is None, "there are several"
    assert await source.key(7, "RS256") is None
