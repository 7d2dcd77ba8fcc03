"""Which addresses may be connected to: the guard against requests that are forged to reach inside.

Only globally reachable unicast is, and what the operator allows. Everything else is refused with a
word that says what it is. `ipaddress.is_global` is no help: it changed with releases of Python
3.11 to 3.13, takes multicast and forms that embed other addresses for global, and does not know
what clouds put on public addresses. The table is that of IANA's IPv4 and IPv6 Special-Purpose
Address Registries; the latter as of 2025-10-09, the former compared with its state of 2020-09-04,
the last that was at hand. Of IPv6, IANA assigns unicast from 2000::/3 only (IPv6 Address Space
registry), so what lies outside is refused without being listed.

An IPv6 address that embeds one of IPv4 is refused whatever it embeds: who translates it, a relay
or the network's own gateway, decides where it leads, and may read it otherwise than we would. An
endpoint of IPv4 is reached by IPv4. What can't be told: NAT64 prefixes that a network chose for
itself (RFC 6052), and directed broadcasts.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import (
    IPv4Address,
    IPv4Network,
    IPv6Address,
    IPv6Network,
    ip_network,
)

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

# The narrower of two that overlap comes first.
_SPECIAL: Sequence[tuple[str, str]] = (
    # What clouds tell their machines, keys included. Azure's is a public address by the registry.
    ("169.254.169.254/32", "metadata"),
    ("169.254.170.2/32", "metadata"),  # of containers in Amazon's ECS
    ("100.100.100.200/32", "metadata"),  # Alibaba
    ("192.0.0.192/32", "metadata"),  # Oracle
    ("168.63.129.16/32", "metadata"),  # Azure
    ("fd00:ec2::254/128", "metadata"),  # Amazon
    ("fd20:ce::254/128", "metadata"),  # Google
    ("0.0.0.0/32", "unspecified"),
    ("0.0.0.0/8", "this_network"),
    ("10.0.0.0/8", "private"),
    ("100.64.0.0/10", "cgnat"),
    ("127.0.0.0/8", "loopback"),
    ("169.254.0.0/16", "link_local"),
    ("172.16.0.0/12", "private"),
    ("192.0.0.0/24", "ietf_protocol"),
    ("192.0.2.0/24", "documentation"),
    ("192.31.196.0/24", "as112"),  # whoever is nearest answers, and for one purpose only
    ("192.52.193.0/24", "amt"),  # likewise
    ("192.88.99.0/24", "sixtofour_relay"),
    ("192.168.0.0/16", "private"),
    ("192.175.48.0/24", "as112"),
    ("198.18.0.0/15", "benchmarking"),
    ("198.51.100.0/24", "documentation"),
    ("203.0.113.0/24", "documentation"),
    ("224.0.0.0/4", "multicast"),
    ("255.255.255.255/32", "broadcast"),
    ("240.0.0.0/4", "reserved"),
    ("::/128", "unspecified"),
    ("::1/128", "loopback"),
    ("::/96", "ipv4_compatible"),
    ("::ffff:0:0/96", "ipv4_mapped"),
    ("::ffff:0:0:0/96", "ipv4_translated"),
    ("64:ff9b::/96", "nat64"),
    ("64:ff9b:1::/48", "nat64"),
    ("100::/64", "discard"),
    ("100:0:0:1::/64", "dummy"),
    ("2001::/32", "teredo"),
    ("2001:2::/48", "benchmarking"),
    ("2001:10::/28", "orchid"),
    ("2001:20::/28", "orchid"),
    ("2001:30::/28", "drone_id"),
    ("2001::/23", "ietf_protocol"),
    ("2001:db8::/32", "documentation"),
    ("2002::/16", "sixtofour"),
    ("2620:4f:8000::/48", "as112"),
    ("3ffe::/16", "sixbone"),
    ("3fff::/20", "documentation"),
    ("5f00::/16", "srv6"),
    ("fc00::/7", "unique_local"),
    ("fe80::/10", "link_local"),
    ("fec0::/10", "site_local"),
    ("ff00::/8", "multicast"),
)
_NETWORKS: Sequence[tuple[Network, str]] = [(ip_network(text), word) for text, word in _SPECIAL]
_IPV6_UNICAST = IPv6Network("2000::/3")

_INTERFACE = (1 << 64) - 1
_ISATAP = {0x0000_5EFE, 0x0200_5EFE}  # RFC 5214, 6.1


@dataclass(frozen=True, slots=True)
class Guard:
    """Which addresses may be connected to. `allowed` are networks that may be in any case."""

    allowed: tuple[Network, ...] = ()

    @classmethod
    def allowing(cls, text: str) -> "Guard":
        """The guard that also allows the networks of a text such as `127.0.0.1/32, 10.0.0.0/8`.

        An empty text allows none. Raises ValueError, whose text says which of them is no network.
        """
        return cls(tuple(_network(one.strip()) for one in text.split(",") if one.strip()))

    def allows(self, address: Address) -> bool:
        """Whether the operator allows the address, whatever it is."""
        return any(address in network for network in self.allowed)

    def refusal(self, address: Address) -> str | None:
        """What the address is that it may not be connected to, in a word; None where it may be."""
        return None if self.allows(address) else kind_of(address)


def kind_of(address: Address) -> str | None:
    """What is special about the address, in a word; None of globally reachable unicast."""
    for network, word in _NETWORKS:
        if address in network:
            return word
    if isinstance(address, IPv4Address):
        return None
    if address.scope_id is not None:
        return "zoned"  # it means something on this machine only
    if address not in _IPV6_UNICAST:
        return "reserved"
    if (int(address) & _INTERFACE) >> 32 in _ISATAP:
        return "isatap"
    return None


def _network(text: str) -> Network:
    try:
        return ip_network(text)
    except ValueError:
        pass
    try:
        meant = ip_network(text, strict=False)
    except ValueError:
        raise ValueError(
            "should be networks such as 127.0.0.1/32, 10.0.0.0/8, separated by commas:"
            f" {text!r} is none"
        ) from None
    raise ValueError(f"{text} has bits beyond its prefix: the network is written {meant}")
