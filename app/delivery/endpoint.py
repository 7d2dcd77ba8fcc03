"""What may be an endpoint's URL, and what of it is needed to send there.

URLs are read here only, by RFC 3986's grammar and nothing looser. Two readers that disagree where
the host is are how guards are got around, so a spelling that others read otherwise is refused:
backslashes, blanks, user names, IPv4 addresses in other forms than four decimal numbers (which
resolvers take: 127.1, 0x7f.1, 2130706433), escapes in names, names that are not in ASCII.
"""

import re
from dataclasses import dataclass
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address
from typing import Annotated

from pydantic import AfterValidator, Field

from app.delivery.addresses import Address, Guard

LONGEST = 2000
"""Characters of a URL, in its normal form too."""

_PORTS = {"http": 80, "https": 443}

_URL = re.compile(
    r"""
    (?P<scheme>[A-Za-z][A-Za-z0-9+.-]*) ://
    (?P<authority>[^/?\#]*)
    (?P<path>[^?\#]*)
    (?P<query>\?[^\#]*)?
    (?P<fragment>\#.*)?
    """,
    re.VERBOSE,
)
_AUTHORITY = re.compile(r"(?P<host>\[[^\]]*\]|[^:\[\]]*)(?P<port>:.*)?")
_TARGET = re.compile(r"(?:[A-Za-z0-9._~!$&'()*+,;=:@/?-]|%[0-9A-Fa-f]{2})*")
_NAME = re.compile(
    r"(?:[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?\.)*[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?"
)
_NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*")
_PORT = re.compile(r"[0-9]{1,5}")


@dataclass(frozen=True, slots=True)
class Origin:
    """What one connection leads to. `host` is a name in lower case, or an address, unbracketed."""

    tls: bool
    host: str
    port: int

    @property
    def address(self) -> Address | None:
        """The host, where it is an address."""
        if ":" in self.host:
            return IPv6Address(self.host)
        return IPv4Address(self.host) if _is_number(self.host) else None

    @property
    def authority(self) -> str:
        """The host and, where it is not the scheme's own, the port: as in a URL, and in `Host`."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == _PORTS[self._scheme] else f"{host}:{self.port}"

    def __str__(self) -> str:
        """The origin as a URL begins with it."""
        return f"{self._scheme}://{self.authority}"

    @property
    def _scheme(self) -> str:
        return "https" if self.tls else "http"


@dataclass(frozen=True, slots=True)
class Endpoint:
    """An endpoint's URL, read: where to connect to, and what to ask for there."""

    origin: Origin
    target: str

    def __str__(self) -> str:
        """The URL in its normal form."""
        return f"{self.origin}{self.target}"


@lru_cache(maxsize=1024)
def read_endpoint(url: str) -> Endpoint:
    """The endpoint of a URL. Raises ValueError, whose text says what is wrong with it."""
    found = _URL.fullmatch(url)
    if found is None or found["scheme"].lower() not in _PORTS:
        raise ValueError("should be a URL that begins with https://")
    if "@" in found["authority"]:
        raise ValueError("should have no user name: messages are signed instead")
    if found["fragment"] is not None:
        raise ValueError("should have no fragment: it would not be sent")
    scheme = found["scheme"].lower()
    place = _AUTHORITY.fullmatch(found["authority"])
    if place is None:
        raise ValueError("should name a host, and nothing but a port after it")
    target = (found["path"] or "/") + (found["query"] or "")
    if not _TARGET.fullmatch(target):
        raise ValueError(
            "should hold no other characters than RFC 3986 has for a path and a query:"
            " the others are percent-encoded"
        )
    port = _port(place["port"], _PORTS[scheme])
    endpoint = Endpoint(Origin(scheme == "https", _host(place["host"]), port), target)
    if len(str(endpoint)) > LONGEST:
        raise ValueError(f"should have at most {LONGEST} characters")
    return endpoint


def endpoint_refusal(endpoint: Endpoint, guard: Guard, *, allow_http: bool) -> str | None:
    """Why nothing may be sent there, as far as the URL tells; None where it does not.

    `http://` needs `allow_http`, or an address that the guard's operator allows. A name is judged
    by what it resolves to, each time that it is connected to.
    """
    address = endpoint.origin.address
    if not (endpoint.origin.tls or allow_http or (address and guard.allows(address))):
        return "should begin with https://, or name an address (no host) of an allowed network"
    kind = address and guard.refusal(address)
    if kind is not None:
        return f"should not lead to {address}, which is {kind}"
    return None


def _normal(url: str) -> str:
    return str(read_endpoint(url))


EndpointUrl = Annotated[
    str,
    Field(
        max_length=LONGEST,
        description="Where messages are sent to, by POST: an https URL without user name and"
        " fragment. Kept in normal form: scheme and host in lower case, no port that is the"
        " scheme's own, at least `/` as the path.",
        examples=["https://hooks.example.com/factory"],
    ),
    AfterValidator(_normal),
]
"""An endpoint's URL, in normal form. Whether it may be sent to is for `endpoint_refusal` to say."""


def _port(text: str | None, usual: int) -> int:
    if text is None:
        return usual
    if not _PORT.fullmatch(text[1:]) or not 1 <= int(text[1:]) <= 65535:
        raise ValueError("should have a port from 1 to 65535, or none")
    return int(text[1:])


def _host(text: str) -> str:
    if not text.isascii():
        raise ValueError("should name its host in ASCII: of other letters, the form xn--…")
    host = text.lower()
    if host.startswith("["):
        return _ipv6(host[1:-1])
    host = host.removesuffix(".")
    if not host:
        raise ValueError("should name a host")
    if not _NAME.fullmatch(host) or len(host) > 253:
        raise ValueError("should name a host by letters, digits, hyphens and dots")
    if _is_number(host):
        try:
            return str(IPv4Address(host))
        except ValueError:
            raise ValueError(
                "should write an IPv4 address as four decimal numbers without leading zeros"
            ) from None
    return host


def _is_number(host: str) -> bool:
    """Whether resolvers read the host as an IPv4 address, in one of its many forms."""
    return _NUMBER.fullmatch(host.rpartition(".")[2]) is not None


def _ipv6(text: str) -> str:
    try:
        address = IPv6Address(text)
    except ValueError:
        raise ValueError("should have an IPv6 address between its brackets") from None
    if address.scope_id is not None:
        raise ValueError("should have no zone: it means something on one machine only")
    if address.ipv4_mapped is not None:
        raise ValueError("should write an IPv4 address as one, without brackets")
    return str(address)
