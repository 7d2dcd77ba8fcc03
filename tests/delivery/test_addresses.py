"""Which addresses may be connected to: one of every kind that there is, by its name."""

import random
import socket
from ipaddress import IPv4Address, IPv6Address, ip_address

import pytest

from app.delivery.addresses import Address, Guard, kind_of

REFUSED = [
    ("this host", "0.0.0.0", "unspecified"),
    ("this network", "0.1.2.3", "this_network"),
    ("the end of this network", "0.255.255.255", "this_network"),
    ("private 10", "10.0.0.1", "private"),
    ("the end of private 10", "10.255.255.255", "private"),
    ("private 172.16", "172.16.0.1", "private"),
    ("the end of private 172.16", "172.31.255.255", "private"),
    ("private 192.168", "192.168.1.1", "private"),
    ("shared by a carrier", "100.64.0.1", "cgnat"),
    ("the end of shared by a carrier", "100.127.255.255", "cgnat"),
    ("loopback", "127.0.0.1", "loopback"),
    ("another loopback", "127.8.8.8", "loopback"),
    ("the end of loopback", "127.255.255.255", "loopback"),
    ("link-local", "169.254.1.1", "link_local"),
    ("metadata of most clouds", "169.254.169.254", "metadata"),
    ("metadata of Amazon's containers", "169.254.170.2", "metadata"),
    ("metadata of Alibaba", "100.100.100.200", "metadata"),
    ("metadata of Oracle", "192.0.0.192", "metadata"),
    ("metadata of Azure, on a public address", "168.63.129.16", "metadata"),
    ("protocol assignments", "192.0.0.1", "ietf_protocol"),
    ("port control anycast", "192.0.0.9", "ietf_protocol"),
    ("TURN anycast", "192.0.0.10", "ietf_protocol"),
    ("NAT64 discovery", "192.0.0.170", "ietf_protocol"),
    ("TEST-NET-1", "192.0.2.1", "documentation"),
    ("TEST-NET-2", "198.51.100.1", "documentation"),
    ("TEST-NET-3", "203.0.113.1", "documentation"),
    ("AS112", "192.31.196.1", "as112"),
    ("AS112, direct", "192.175.48.1", "as112"),
    ("multicast tunnels", "192.52.193.1", "amt"),
    ("6to4 relays", "192.88.99.1", "sixtofour_relay"),
    ("benchmarks", "198.18.0.1", "benchmarking"),
    ("the end of benchmarks", "198.19.255.255", "benchmarking"),
    ("multicast", "224.0.0.1", "multicast"),
    ("the end of multicast", "239.255.255.255", "multicast"),
    ("reserved", "240.0.0.1", "reserved"),
    ("broadcast", "255.255.255.255", "broadcast"),
    ("IPv6 unspecified", "::", "unspecified"),
    ("IPv6 loopback", "::1", "loopback"),
    ("mapped loopback", "::ffff:127.0.0.1", "ipv4_mapped"),
    ("mapped metadata", "::ffff:169.254.169.254", "ipv4_mapped"),
    ("mapped public", "::ffff:8.8.8.8", "ipv4_mapped"),
    ("compatible loopback", "::127.0.0.1", "ipv4_compatible"),
    ("translated", "::ffff:0:10.0.0.1", "ipv4_translated"),
    ("NAT64 of a private address", "64:ff9b::10.0.0.1", "nat64"),
    ("NAT64 of a public address", "64:ff9b::8.8.8.8", "nat64"),
    ("NAT64 for local use", "64:ff9b:1::10.0.0.1", "nat64"),
    ("discard", "100::1", "discard"),
    ("the dummy prefix", "100:0:0:1::1", "dummy"),
    ("Teredo", "2001:0:4136:e378:8000:63bf:3fff:fdd2", "teredo"),
    ("IPv6 protocol assignments", "2001:1ff::1", "ietf_protocol"),
    ("IPv6 port control anycast", "2001:1::1", "ietf_protocol"),
    ("IPv6 TURN anycast", "2001:1::2", "ietf_protocol"),
    ("service registration anycast", "2001:1::3", "ietf_protocol"),
    ("IPv6 benchmarks", "2001:2::1", "benchmarking"),
    ("IPv6 multicast tunnels", "2001:3::1", "ietf_protocol"),
    ("AS112 over IPv6", "2001:4:112::1", "ietf_protocol"),
    ("ORCHID", "2001:10::1", "orchid"),
    ("ORCHID v2", "2001:20::1", "orchid"),
    ("drones", "2001:30::1", "drone_id"),
    ("IPv6 documentation", "2001:db8::1", "documentation"),
    ("more IPv6 documentation", "3fff::1", "documentation"),
    ("6to4 of a private address", "2002:a00:1::1", "sixtofour"),
    ("6to4 of a public address", "2002:808:808::1", "sixtofour"),
    ("AS112 over IPv6, direct", "2620:4f:8000::1", "as112"),
    ("the 6bone, given back", "3ffe::1", "sixbone"),
    ("SRv6 segments", "5f00::1", "srv6"),
    ("unique local", "fd12:3456:789a::1", "unique_local"),
    ("unique local, never assigned", "fc00::1", "unique_local"),
    ("metadata of Amazon over IPv6", "fd00:ec2::254", "metadata"),
    ("metadata of Google over IPv6", "fd20:ce::254", "metadata"),
    ("IPv6 link-local", "fe80::1", "link_local"),
    ("IPv6 link-local in a zone", "fe80::1%eth0", "link_local"),
    ("a public address in a zone", "2606:4700::1111%eth0", "zoned"),
    ("site-local", "fec0::1", "site_local"),
    ("IPv6 multicast", "ff02::1", "multicast"),
    ("IPv6 multicast of global scope", "ff0e::1", "multicast"),
    ("ISATAP", "2a00:1450:4001:81b:0:5efe:10.0.0.1", "isatap"),
    ("ISATAP, said to be unique", "2a00:1450:4001:81b:200:5efe:8.8.8.8", "isatap"),
    ("before unicast", "1fff::1", "reserved"),
    ("after unicast", "4000::1", "reserved"),
    ("unassigned", "9000::1", "reserved"),
    ("former NSAP", "200::1", "reserved"),
]

ALLOWED = [
    ("a resolver of Google", "8.8.8.8"),
    ("before private 10", "9.255.255.255"),
    ("after private 10", "11.0.0.0"),
    ("before shared by a carrier", "100.63.255.255"),
    ("after shared by a carrier", "100.128.0.0"),
    ("after loopback", "128.0.0.0"),
    ("after link-local", "169.255.0.0"),
    ("beside Azure's", "168.63.129.17"),
    ("before private 172.16", "172.15.255.255"),
    ("after private 172.16", "172.32.0.0"),
    ("after private 192.168", "192.169.0.0"),
    ("after benchmarks", "198.20.0.0"),
    ("before multicast", "223.255.255.255"),
    ("an example's web server", "93.184.216.34"),
    ("a resolver of Cloudflare over IPv6", "2606:4700:4700::1111"),
    ("the first that registries have", "2001:200::1"),
    ("after IPv6 documentation", "2001:db9::1"),
    ("after 6to4", "2003::1"),
    ("of Europe's registry", "2a00:1450:4001:81b::200e"),
]


def named(table: list[tuple[str, ...]]) -> list[str]:
    return [row[0] for row in table]


@pytest.mark.parametrize(("name", "text", "kind"), REFUSED, ids=named(REFUSED))  # type: ignore[arg-type]
def test_refused(name: str, text: str, kind: str) -> None:
    assert Guard().refusal(ip_address(text)) == kind


@pytest.mark.parametrize(("name", "text"), ALLOWED, ids=named(ALLOWED))  # type: ignore[arg-type]
def test_allowed(name: str, text: str) -> None:
    assert Guard().refusal(ip_address(text)) is None


def test_the_table_is_as_long_as_promised() -> None:
    assert len({text for _, text, _ in REFUSED}) >= 60


def addresses(seed: int, count: int) -> list[Address]:
    """Addresses from all over, and near the edges of everything that is refused."""
    chance = random.Random(seed)
    found: list[Address] = [IPv4Address(chance.getrandbits(32)) for _ in range(count)]
    found += [IPv6Address(chance.getrandbits(128)) for _ in range(count)]
    # Half of all IPv6 addresses that are in use begin with few bits.
    found += [IPv6Address(chance.getrandbits(128) >> 3 | 1 << 125) for _ in range(count)]
    for _, text, _ in REFUSED:
        one = ip_address(text)
        whole = 2**one.max_prefixlen
        for step in (-1, 1, -256, 256, -(2**16), 2**16, -(2**24), 2**24, 2**96, -(2**96)):
            number = int(one) + step
            if 0 <= number < whole:
                found.append(type(one)(number))
    return found


def test_what_may_be_connected_to_is_global_for_python_too() -> None:
    """Where Python, in any of its releases, sees more that is not global, so does the table."""
    guard = Guard()
    unlike = [
        str(one) for one in addresses(5, 4000) if guard.refusal(one) is None and not one.is_global
    ]
    assert unlike == []


def test_what_is_refused_though_python_calls_it_global_is_of_kinds_that_are_known() -> None:
    kinds = {
        kind for one in addresses(6, 4000) if one.is_global and (kind := kind_of(one)) is not None
    }
    assert kinds <= {
        "amt",
        "as112",
        "drone_id",
        "documentation",  # 3fff::/20, before Python 3.12.8
        "dummy",
        "ietf_protocol",
        "ipv4_compatible",
        "ipv4_mapped",
        "ipv4_translated",
        "isatap",
        "metadata",
        "multicast",
        "nat64",
        "orchid",
        "reserved",
        "site_local",
        "sixbone",
        "sixtofour",
        "sixtofour_relay",
        "srv6",
    }


@pytest.mark.parametrize(
    ("text", "inside", "outside"),
    [
        ("", [], ["127.0.0.1", "10.0.0.1", "::1"]),
        (" , ", [], ["127.0.0.1"]),
        ("127.0.0.1/32, 10.0.0.0/8", ["127.0.0.1", "10.9.9.9"], ["127.0.0.2", "11.0.0.0"]),
        ("127.0.0.1", ["127.0.0.1"], ["127.0.0.2"]),
        ("::1/128,fd00::/8", ["::1", "fd00:ec2::254"], ["fc00::1", "127.0.0.1"]),
        ("10.0.0.0/8", ["10.0.0.1"], ["::ffff:10.0.0.1", "64:ff9b::10.0.0.1"]),
        ("0.0.0.0/0", ["169.254.169.254"], ["::1"]),
    ],
)
def test_what_an_operator_allows_is_allowed_in_any_case(
    text: str, inside: list[str], outside: list[str]
) -> None:
    guard = Guard.allowing(text)
    assert [one for one in inside if guard.refusal(ip_address(one)) is not None] == []
    assert [one for one in outside if guard.allows(ip_address(one))] == []


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            "10.0.0.0/8, intranet",
            "should be networks such as 127.0.0.1/32, 10.0.0.0/8, separated by commas: 'intranet'"
            " is none",
        ),
        (
            "10.0.0.0/33",
            "should be networks such as 127.0.0.1/32, 10.0.0.0/8, separated by commas:"
            " '10.0.0.0/33' is none",
        ),
        ("10.0.0.1/8", "10.0.0.1/8 has bits beyond its prefix: the network is written 10.0.0.0/8"),
        (
            "127.0.0.1/32;10.0.0.0/8",
            "should be networks such as 127.0.0.1/32, 10.0.0.0/8, separated by commas:"
            " '127.0.0.1/32;10.0.0.0/8' is none",
        ),
    ],
)
def test_a_text_that_allows_no_networks_is_refused(text: str, said: str) -> None:
    with pytest.raises(ValueError) as caught:
        Guard.allowing(text)
    assert str(caught.value) == said


@pytest.mark.parametrize(
    "spelling", ["127.1", "127.0.1", "2130706433", "0x7f000001", "0x7f.1", "0177.0.0.1", "0"]
)
def test_what_a_resolver_makes_of_odd_spellings_is_refused(spelling: str) -> None:
    """Were such a host to come this far, the guard would see what it stands for."""
    found = socket.getaddrinfo(spelling, 80, type=socket.SOCK_STREAM)
    kinds = {Guard().refusal(ip_address(place[0])) for *_, place in found}
    assert kinds <= {"loopback", "unspecified"}
    assert kinds
