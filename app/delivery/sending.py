"""One attempt to send a message to an endpoint.

Whatever the endpoint does, the attempt ends in time, holds little memory, goes to no address that
the guard refuses, and is answered. Redirects are not followed; there are no cookies, and nothing
is taken from the environment but whose certificates count. What is tried again, when and how
often, is not decided here.
"""

import asyncio
import ssl
import time
from collections.abc import Sequence

import httpx

from app import __version__
from app.delivery.addresses import Guard
from app.delivery.attempt import Attempt, answered, unanswered
from app.delivery.connections import Connections, Limits
from app.delivery.endpoint import Endpoint, endpoint_refusal, read_endpoint
from app.delivery.errors import UnansweredError
from app.delivery.exchange import Exchange
from app.delivery.message import Message, signed
from app.delivery.network import Network
from app.delivery.resolving import Resolver, SystemResolver

USER_AGENT = f"product-factory/{__version__}"


class Sender:
    """Sends messages, many at a time, over connections that it keeps for a while.

    `allow_http` takes endpoints with `http://` too; without it, only addresses that the guard's
    operator allows may have it. `tls` says whose certificates count; by default whose do
    everywhere in the factory.
    """

    def __init__(
        self,
        guard: Guard,
        *,
        allow_http: bool = False,
        resolver: Resolver | None = None,
        tls: ssl.SSLContext | None = None,
        limits: Limits | None = None,
    ) -> None:
        self._guard = guard
        self._allow_http = allow_http
        self._limits = limits or Limits()
        network = Network(
            guard,
            resolver or SystemResolver(),
            tls or httpx.create_ssl_context(),
            self._limits.connect_s,
        )
        self._connections = Connections(network, self._limits)

    async def send(self, endpoint_url: str, secrets: Sequence[str], message: Message) -> Attempt:
        """Send the message once, signed with each of the one or two secrets.

        Raises ContractError where a secret is none. Whatever the endpoint and the network do is
        answered.
        """
        began = time.perf_counter()
        try:
            endpoint = self._endpoint(endpoint_url)
        except ValueError as error:
            refused = UnansweredError("endpoint_refused", f"the URL {error}")
            return unanswered(refused, took_ms=0, sent=False)
        exchange = _exchange(endpoint, message, secrets)
        failure = await self._carry(endpoint, exchange)
        took_ms = round((time.perf_counter() - began) * 1000)
        if failure is None or exchange.status is not None:
            return answered(exchange, message.sent_at, took_ms)
        return unanswered(failure, took_ms, sent=exchange.sent)

    async def close(self) -> None:
        """Close the connections that wait. Attempts that go on end by themselves."""
        self._connections.close()

    async def _carry(self, endpoint: Endpoint, exchange: Exchange) -> UnansweredError | None:
        try:
            async with asyncio.timeout(self._limits.total_s):
                await self._connections.carry(endpoint.origin, exchange)
        except UnansweredError as error:
            return error
        except TimeoutError:
            missing = "answer" if exchange.sent else "connection"
            return UnansweredError(
                "timed_out", f"there was no {missing} within {self._limits.total_s:g} s"
            )
        return None

    def _endpoint(self, url: str) -> Endpoint:
        endpoint = read_endpoint(url)
        refusal = endpoint_refusal(endpoint, self._guard, allow_http=self._allow_http)
        if refusal is not None:
            raise ValueError(refusal)
        return endpoint


def _exchange(endpoint: Endpoint, message: Message, secrets: Sequence[str]) -> Exchange:
    return Exchange(
        target=endpoint.target.encode(),
        headers=[
            (b"Host", endpoint.origin.authority.encode()),
            (b"User-Agent", USER_AGENT.encode()),
            (b"Content-Type", message.content_type.encode()),
            (b"Content-Length", str(len(message.body)).encode()),
            *signed(message, secrets),
        ],
        body=message.body,
    )
