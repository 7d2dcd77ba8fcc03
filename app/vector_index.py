"""The vector index as a surface: how many points it has, and their digest.

The index is a collection of Qdrant's, read over its REST API. Whatever is in it is made from the
pieces; here it is looked at and nothing else.
"""

import asyncio
import hashlib
import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
import structlog

from app.errors import Refusal
from app.refusals.unavailable import RETRY_AFTER_SECONDS
from app.settings import Settings

log = structlog.get_logger(__name__)

SURFACE = "vector_index"

POINTS_AT_ONCE = 1000
WITHIN_S = 30.0
"""How long reading all of it may take."""


class VectorIndex:
    """One collection, by its URL: `https://qdrant:6333/collections/iu_core_iu_chunks`."""

    def __init__(
        self,
        url: str,
        api_key: str | None = None,
        *,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self._url = url
        self._headers = {} if api_key is None else {"api-key": api_key}
        self._transport = transport

    @classmethod
    def of(cls, settings: Settings) -> "VectorIndex | None":
        """The one that the settings name; None: there is none."""
        if settings.vector_index_url is None:
            return None
        key = settings.vector_index_key
        return cls(settings.vector_index_url, key.get_secret_value() if key else None)

    async def surface(self) -> dict[str, Any]:
        """Its count and digest, as `fn_iu_snapshot_take` takes surfaces from outside.

        The digest is that of the database's surfaces: of the sum of a hash of each point, of its id
        and its payload. The vectors themselves are not read: they follow from the content, and are
        a hundred times as large.

        Refuses with `vector_index_unavailable`.
        """
        row_count, hashes = 0, 0
        try:
            async with asyncio.timeout(WITHIN_S):
                async for point in self._points():
                    row_count += 1
                    hashes += _hash(point)
        except (TimeoutError, httpx.HTTPError, ValueError, KeyError, TypeError) as error:
            log.warning("vector_index_unavailable", error=repr(error))
            raise Refusal("vector_index_unavailable", retry_after=RETRY_AFTER_SECONDS) from error
        digest = hashlib.md5(str(hashes).encode(), usedforsecurity=False).hexdigest()
        return {"surface": SURFACE, "row_count": row_count, "digest": digest}

    async def _points(self) -> AsyncIterator[dict[str, Any]]:
        async with httpx.AsyncClient(
            headers=self._headers, timeout=WITHIN_S, transport=self._transport
        ) as client:
            order: dict[str, Any] = {
                "limit": POINTS_AT_ONCE,
                "with_payload": True,
                "with_vector": False,
            }
            while True:
                answer = await client.post(f"{self._url}/points/scroll", json=order)
                page = answer.raise_for_status().json()["result"]
                for point in page["points"]:
                    yield point
                if page["next_page_offset"] is None:
                    return
                order["offset"] = page["next_page_offset"]


def _hash(point: dict[str, Any]) -> int:
    text = json.dumps([point["id"], point.get("payload")], sort_keys=True)
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8])
