"""Connecting to an endpoint, at an address that was checked and at no other.

A name is resolved here, once, and what is connected to is an address of that answer: nothing
resolves it a second time, when the answer may be another one. Where one of a name's addresses is
refused, all are: no honest name has both kinds, and which of them is tried would be for whoever
answers for the name to say.
"""

import asyncio
import errno
import os
import socket
import ssl
from collections.abc import Sequence
from ipaddress import IPv6Address

from app.delivery.addresses import Address, Guard
from app.delivery.endpoint import Origin
from app.delivery.errors import UnansweredError
from app.delivery.resolving import Resolver
from app.delivery.streams import Stream


class Network:
    """Connections to where the guard lets them.

    In TLS, the certificate has to be one for the host of the URL, as `tls` verifies it.
    `connect_s` is how many seconds one of several addresses has to answer, before the next has
    its turn.
    """

    def __init__(
        self, guard: Guard, resolver: Resolver, tls: ssl.SSLContext, connect_s: float
    ) -> None:
        self._guard = guard
        self._resolver = resolver
        self._tls = tls
        self._connect_s = connect_s

    async def connect(self, origin: Origin) -> Stream:
        """A new connection. Raises UnansweredError where there is none to be had."""
        addresses = await self._checked_addresses(origin)
        connected = await self._connected(addresses, origin.port)
        try:
            _, stream = await asyncio.get_running_loop().create_connection(
                Stream,
                sock=connected,
                ssl=self._tls if origin.tls else None,
                server_hostname=origin.host if origin.tls else None,
            )
        except OSError as error:
            raise UnansweredError("tls_failed", _tls_detail(error)) from error
        return stream

    async def _checked_addresses(self, origin: Origin) -> Sequence[Address]:
        address = origin.address
        found = [address] if address is not None else await self._resolved(origin.host)
        for one in found:
            if kind := self._guard.refusal(one):
                which = "" if address else f"resolves to {one}, which "
                raise UnansweredError(
                    "address_refused", f"{origin.host} {which}is not connected to: {kind}"
                )
        return found

    async def _resolved(self, host: str) -> Sequence[Address]:
        try:
            found = await self._resolver(host)
        except OSError as error:
            said = error.strerror or "the look-up failed"
            raise UnansweredError("dns_failed", f"{host}: {said}") from error
        if not found:
            raise UnansweredError("dns_failed", f"{host} has no address")
        return found

    async def _connected(self, addresses: Sequence[Address], port: int) -> socket.socket:
        failures: list[str] = []
        for address in addresses:
            try:
                async with asyncio.timeout(self._connect_s):
                    return await _connected_to(address, port)
            except OSError as error:
                failures.append(f"{address}: {_os_detail(error)}")
        raise UnansweredError("connect_failed", "; ".join(failures))


async def _connected_to(address: Address, port: int) -> socket.socket:
    family = socket.AF_INET6 if isinstance(address, IPv6Address) else socket.AF_INET
    connecting = socket.socket(family, socket.SOCK_STREAM)
    try:
        connecting.setblocking(False)
        await asyncio.get_running_loop().sock_connect(connecting, (str(address), port))
    except BaseException:
        connecting.close()
        raise
    return connecting


def _os_detail(error: OSError) -> str:
    if error.errno is None:  # the time for this address is up
        return os.strerror(errno.ETIMEDOUT)
    return os.strerror(error.errno)


def _tls_detail(error: OSError) -> str:
    """What OpenSSL says of a handshake that failed, without where in its source it says so."""
    match error:
        case ssl.SSLCertVerificationError():
            return error.verify_message
        case ssl.SSLError() if error.reason:
            return error.reason.replace("_", " ").lower()
    return "the connection was lost during the handshake"
