"""The public keys of an identity provider (JWKS, RFC 7517), from a file or an address.

Kept for five minutes. A key id that is not among them makes one more look, but not more often
than every thirty seconds, so that invented ids can't be used to flood the provider. While it can't
be reached, the keys that are there stay good for an hour.
"""

import asyncio
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import jwt
import structlog

from app.errors import Refusal

log = structlog.get_logger(__name__)

ALGORITHMS = frozenset(
    {"RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"}
)
"""All asymmetric: with a symmetric one, whoever can check a token can also make one."""

FRESH_FOR_S = 300.0
GOOD_FOR_S = 3600.0
LOOK_AGAIN_AFTER_S = 30.0
RETRY_AFTER_S = 5
_FETCH_TIMEOUT_S = 5.0
_LARGEST_DOCUMENT = 1_048_576


class KeySource:
    """The keys of one provider, by key id. Takes an address or a file."""

    def __init__(
        self,
        *,
        url: str | None = None,
        file: Path | None = None,
        clock: Callable[[], float] = time.monotonic,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self._url = url
        self._file = file
        self._clock = clock
        self._transport = transport
        self._documents: list[dict[str, Any]] = []
        self._keys: dict[tuple[str | None, str], jwt.PyJWK | None] = {}
        self._loaded_at: float | None = None
        self._tried_at: float | None = None
        self._loading = asyncio.Lock()

    async def key(self, key_id: object, algorithm: str) -> jwt.PyJWK | None:
        """The key with the id, for the algorithm; None when the provider has none such.

        A token without a key id is taken where the provider publishes a single key. Refuses with
        `identity_keys_unavailable` where no keys are at hand.
        """
        if key_id is not None and not isinstance(key_id, str):
            return None
        if self._age() > FRESH_FOR_S:
            await self._load(unless_tried_within=RETRY_AFTER_S)
        if self._find(key_id) is None:
            await self._load(unless_tried_within=LOOK_AGAIN_AFTER_S)
        if self._age() > GOOD_FOR_S:
            raise Refusal("identity_keys_unavailable", retry_after=RETRY_AFTER_S)
        document = self._find(key_id)
        return None if document is None else self._made(document, algorithm)

    def _age(self) -> float:
        return float("inf") if self._loaded_at is None else self._clock() - self._loaded_at

    def _find(self, key_id: str | None) -> dict[str, Any] | None:
        if key_id is None:
            return self._documents[0] if len(self._documents) == 1 else None
        return next((one for one in self._documents if one.get("kid") == key_id), None)

    def _made(self, document: dict[str, Any], algorithm: str) -> jwt.PyJWK | None:
        if document.get("alg", algorithm) != algorithm:
            return None
        place = (document.get("kid"), algorithm)
        if place not in self._keys:
            try:
                self._keys[place] = jwt.PyJWK(document, algorithm)
            except jwt.PyJWTError as error:
                log.warning("identity_key_unusable", key_id=place[0], error=str(error))
                self._keys[place] = None
        return self._keys[place]

    async def _load(self, *, unless_tried_within: float) -> None:
        """Read the keys anew, unless that was tried in the last so many seconds."""
        async with self._loading:
            if self._tried_at is not None and self._clock() - self._tried_at < unless_tried_within:
                return
            self._tried_at = self._clock()
            try:
                self._documents = _usable(json.loads(await self._read()))
            except (OSError, httpx.HTTPError, ValueError, RecursionError) as error:
                log.warning("identity_keys_not_loaded", error=repr(error))
                return
            self._keys.clear()
            self._loaded_at = self._clock()

    async def _read(self) -> bytes:
        if self._file is not None:
            return await asyncio.to_thread(self._file.read_bytes)
        if self._url is None:
            raise ValueError("neither an address nor a file")
        # No redirects: the address was checked when the settings were read, others were not.
        async with (
            httpx.AsyncClient(timeout=_FETCH_TIMEOUT_S, transport=self._transport) as client,
            client.stream("GET", self._url, headers={"Accept": "application/json"}) as response,
        ):
            if response.status_code != 200:
                raise ValueError(f"the identity provider answered {response.status_code}")
            body = b""
            async for part in response.aiter_bytes():
                body += part
                if len(body) > _LARGEST_DOCUMENT:
                    raise ValueError("the identity provider's keys are too large")
            return body


def _usable(document: object) -> list[dict[str, Any]]:
    """The asymmetric signing keys of a JWK set. Raises ValueError when there is none."""
    keys = document.get("keys") if isinstance(document, dict) else None
    usable = [
        key
        for key in (keys if isinstance(keys, list) else [])
        if isinstance(key, dict)
        and key.get("kty") in ("RSA", "EC", "OKP")
        and key.get("use", "sig") == "sig"
        and isinstance(key.get("kid"), str | None)
    ]
    if not usable:
        raise ValueError("the identity provider publishes no key to check signatures with")
    return usable
