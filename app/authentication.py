"""From the Authorization header to a Caller.

Two kinds of credential, told apart by how they begin: API keys of the factory's own
(`pf_<key id>_<43 characters>`), and JWT bearer tokens of an identity provider where one is set up.

An API key is 32 random bytes; stored are its id and the SHA-256 of its whole text. A slow hash
would protect a guessable secret, and this one is not.
"""

import asyncio
import hashlib
import hmac
import re
import secrets
import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from uuid import UUID

from app.db import api_keys
from app.db.engine import Database
from app.errors import Refusal
from app.jwt_tokens import TokenVerifier
from app.security import Caller, Scope

_API_KEY = re.compile(r"pf_([0-9a-z]{4,32})_[A-Za-z0-9_-]{43}")
_MOST_KNOWN_KEYS = 1024

# Compared with where a key id is unknown, so that both cases do the same work.
_NO_KEY_SHA256 = hashlib.sha256(secrets.token_bytes(32)).digest()

REVOKED_WITHIN_S = 2.0
"""How long a process may go on taking a key that another process has revoked."""


@dataclass(frozen=True, slots=True)
class NewApiKey:
    """A key that was just made; `secret` is the text that its owner sends, and is never stored."""

    key_id: str
    secret: str

    @property
    def sha256(self) -> bytes:
        """What is stored of it."""
        return sha256_of(self.secret)

    @classmethod
    def make(cls) -> "NewApiKey":
        """A new key with a random id."""
        key_id = secrets.token_hex(6)
        return cls(key_id, f"pf_{key_id}_{secrets.token_urlsafe(32)}")


def sha256_of(secret: str) -> bytes:
    """The digest of a key's whole text."""
    return hashlib.sha256(secret.encode()).digest()


@dataclass(frozen=True, slots=True)
class _Known:
    key: api_keys.KeyInForce
    good_until: float


class Authenticator:
    """Answers who sends a credential. One for a process; it keeps what it looked up a moment ago.

    Only keys that exist are kept, a bounded number of them, and for `REVOKED_WITHIN_S` at most:
    a flood of invented keys leaves nothing behind.
    """

    def __init__(
        self,
        database: Database,
        tokens: TokenVerifier | None = None,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._database = database
        self._tokens = tokens
        self._clock = clock
        self._known: OrderedDict[str, _Known] = OrderedDict()
        self._looking: dict[str, asyncio.Task[api_keys.KeyInForce | None]] = {}

    async def authenticate(self, authorization: Sequence[str], request_id: UUID) -> Caller:
        """The caller whom the Authorization headers belong to.

        Refuses with `unauthenticated`, in the same words whether the key is unknown, wrong,
        expired or revoked.
        """
        credential = _bearer_credential(authorization)
        if not credential.startswith("pf_"):
            if self._tokens is None:
                raise not_in_force()
            return await self._tokens.caller(credential, request_id)
        match = _API_KEY.fullmatch(credential)
        if match is None:
            raise not_in_force()
        key = await self._key_in_force(match[1])
        expected = _NO_KEY_SHA256 if key is None else key.key_sha256
        matches = hmac.compare_digest(sha256_of(credential), expected)
        if key is None or not matches:
            raise not_in_force()
        return Caller(key.principal, Scope(key.scope), key.actor, key.actor_prefixes, request_id)

    def forget(self, key_id: str) -> None:
        """Look the key up again before it is next taken: it was just revoked."""
        self._known.pop(key_id, None)
        self._looking.pop(key_id, None)

    async def _key_in_force(self, key_id: str) -> api_keys.KeyInForce | None:
        known = self._known.get(key_id)
        if known is not None and self._clock() < known.good_until:
            return known.key
        # Whoever comes while a look-up is under way waits for that one: a key that has just run
        # out of its moment would otherwise be looked up by every request at once.
        looking = self._looking.get(key_id)
        if looking is None:
            began = self._clock()
            looking = asyncio.create_task(api_keys.look_up(self._database, key_id))
            self._looking[key_id] = looking
            looking.add_done_callback(lambda task: self._looked_up(key_id, began, task))
        return await asyncio.shield(looking)

    def _looked_up(
        self, key_id: str, began: float, task: "asyncio.Task[api_keys.KeyInForce | None]"
    ) -> None:
        if self._looking.get(key_id) is not task:
            return  # forgotten meanwhile: what it found may be from before the revocation
        del self._looking[key_id]
        if task.cancelled() or task.exception() is not None:
            return  # whoever waits for it gets the exception
        self._known.pop(key_id, None)
        if (key := task.result()) is None:
            return
        good_for = REVOKED_WITHIN_S if key.seconds_left is None else key.seconds_left
        self._known[key_id] = _Known(key, began + min(good_for, REVOKED_WITHIN_S))
        while len(self._known) > _MOST_KNOWN_KEYS:
            self._known.popitem(last=False)


def not_in_force() -> Refusal:
    """The refusal of a credential that is there and is not good (RFC 6750, section 3.1)."""
    return Refusal(
        "unauthenticated",
        "The key or token is unknown, malformed, expired or revoked.",
        headers={"WWW-Authenticate": 'Bearer error="invalid_token"'},
    )


def _bearer_credential(authorization: Sequence[str]) -> str:
    if not authorization:
        raise Refusal("unauthenticated", "The request carries no key or token.")
    scheme, _, credential = authorization[0].partition(" ")
    if len(authorization) > 1 or scheme.lower() != "bearer" or not credential.strip():
        raise Refusal(
            "unauthenticated",
            "There must be one Authorization header, and it must say: Bearer, and a key or token.",
            headers={"WWW-Authenticate": 'Bearer error="invalid_request"'},
        )
    return credential.strip()
