"""Where a connection leads to: names and their answers, and certificates."""

import asyncio
import socket
import ssl
from dataclasses import replace
from pathlib import Path

import pytest

from app.delivery.addresses import Guard
from app.delivery.attempt import Attempt
from app.delivery.connections import Limits
from tests.delivery.certificates import Authority
from tests.delivery.endpoints import (
    LOCAL,
    NO_CONTENT,
    SECRET,
    Names,
    Visit,
    answers,
    hangs,
    message,
    sending,
    serving,
)


def not_sent(error: str, detail: str) -> Attempt:
    return Attempt("not_sent", None, error, detail, b"", 0, None)  # type: ignore[arg-type]


async def attempt(url: str, names: Names, guard: Guard = LOCAL) -> Attempt:
    async with sending(guard=guard, resolver=names) as sender:
        return replace(await sender.send(url, [SECRET], message()), took_ms=0)


# Names.


async def test_a_name_is_looked_up_once_and_its_address_connected_to() -> None:
    names = Names(hooks=[["127.0.0.1"], ["10.0.0.1"]])
    async with serving(answers(NO_CONTENT)) as endpoint:
        found = await attempt(endpoint.url_of("hooks.test"), names)
    assert found.outcome == "delivered"
    assert names.asked == ["hooks.test"]
    assert endpoint.requests[0].headers["Host"] == f"hooks.test:{endpoint.port}"


async def test_a_name_that_leads_inside_at_the_second_look_only_is_not_connected_to() -> None:
    """Each connection looks once, and what it then connects to is what it saw."""
    names = Names(hooks=[["127.0.0.2"], ["127.0.0.1"]])
    async with serving(answers(NO_CONTENT)) as endpoint:
        url = endpoint.url_of("hooks.test")
        async with sending(guard=Guard.allowing("127.0.0.2"), resolver=names) as sender:
            first = replace(await sender.send(url, [SECRET], message()), took_ms=0)
            assert names.asked == ["hooks.test"]
            second = replace(await sender.send(url, [SECRET], message()), took_ms=0)
    assert first == not_sent("connect_failed", "127.0.0.2: Connection refused")
    assert second == not_sent(
        "address_refused", "hooks.test resolves to 127.0.0.1, which is not connected to: loopback"
    )
    assert endpoint.visits == 0


@pytest.mark.parametrize(
    "addresses", [["127.0.0.1", "10.0.0.1"], ["10.0.0.1", "127.0.0.1"]], ids=["last", "first"]
)
async def test_one_bad_address_among_good_ones_refuses_all(addresses: list[str]) -> None:
    async with serving(answers(NO_CONTENT)) as endpoint:
        found = await attempt(endpoint.url_of("hooks.test"), Names(hooks=[addresses]))
    assert found == not_sent(
        "address_refused", "hooks.test resolves to 10.0.0.1, which is not connected to: private"
    )
    assert endpoint.visits == 0


@pytest.mark.parametrize(
    ("address", "kind"),
    [
        ("169.254.169.254", "metadata"),
        ("::ffff:127.0.0.1", "ipv4_mapped"),
        ("64:ff9b::7f00:1", "nat64"),
        ("fe80::1%lo", "link_local"),
        ("0.0.0.0", "unspecified"),
        ("::1", "loopback"),
    ],
)
async def test_a_name_of_a_refused_address_is_not_connected_to(address: str, kind: str) -> None:
    found = await attempt("https://hooks.test/", Names(hooks=[[address]]))
    assert (found.outcome, found.error) == ("not_sent", "address_refused")
    assert found.detail.endswith(f"which is not connected to: {kind}")


async def test_the_next_address_is_tried_where_one_takes_no_connection() -> None:
    names = Names(hooks=[["127.0.0.2", "127.0.0.1"]])
    async with serving(answers(NO_CONTENT)) as endpoint:
        guard = Guard.allowing("127.0.0.0/8")
        found = await attempt(endpoint.url_of("hooks.test"), names, guard)
    assert found.outcome == "delivered"


async def test_the_next_address_is_tried_where_one_does_not_answer() -> None:
    """A listener whose queue is full takes no connection, and refuses none."""
    with socket.create_server(("127.0.0.2", 0), backlog=0) as deaf:
        port = deaf.getsockname()[1]
        fillers = [socket.socket() for _ in range(4)]
        for filler in fillers:
            filler.setblocking(False)
            filler.connect_ex(("127.0.0.2", port))
        names = Names(hooks=[["127.0.0.2", "127.0.0.1"]])
        limits = Limits(connect_s=0.2)
        guard = Guard.allowing("127.0.0.0/8")
        async with sending(guard=guard, resolver=names, limits=limits) as sender:
            found = await sender.send(f"http://hooks.test:{port}/", [SECRET], message())
        for filler in fillers:
            filler.close()
    assert replace(found, took_ms=0) == not_sent(
        "connect_failed", "127.0.0.2: Connection timed out; 127.0.0.1: Connection refused"
    )


@pytest.mark.parametrize(
    ("names", "said"),
    [
        (
            Names(hooks=socket.gaierror(socket.EAI_NONAME, "Name or service not known")),
            "hooks.test: Name or service not known",
        ),
        (Names(hooks=OSError()), "hooks.test: the look-up failed"),
        (Names(hooks=[[]]), "hooks.test has no address"),
    ],
)
async def test_a_name_without_an_address_is_told(names: Names, said: str) -> None:
    assert await attempt("https://hooks.test/", names) == not_sent("dns_failed", said)


async def test_a_name_that_is_looked_up_for_ever_ends_with_the_time() -> None:
    async def never(_: str) -> list[object]:
        return await asyncio.Event().wait()  # type: ignore[return-value]

    async with sending(resolver=never, total_s=0.2) as sender:  # type: ignore[arg-type]
        found = await sender.send("https://hooks.test/", [SECRET], message())
    assert replace(found, took_ms=0) == not_sent(
        "timed_out", "there was no connection within 0.2 s"
    )


async def test_the_system_s_names_are_looked_up_and_judged() -> None:
    async with sending(guard=Guard()) as sender:
        found = await sender.send("https://localhost./", [SECRET], message())
    assert (found.outcome, found.error) == ("not_sent", "address_refused")
    assert found.detail.endswith("which is not connected to: loopback")


# Certificates.


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


async def secure_attempt(
    server: ssl.SSLContext, authority: Authority, host: str = "hooks.test"
) -> tuple[Attempt, list[str | None], int]:
    """One attempt over TLS, what name it asked for, and how many requests there were."""
    names = Names(hooks=[["127.0.0.1"]])
    async with (
        serving(answers(NO_CONTENT), tls=server) as endpoint,
        sending(resolver=names, tls=authority.client()) as sender,
    ):
        found = await sender.send(endpoint.url_of(host), [SECRET], message())
    return replace(found, took_ms=0), endpoint.server_names, len(endpoint.requests)


async def test_the_certificate_is_one_for_the_name_and_not_for_the_address(
    authority: Authority,
) -> None:
    found, asked, requests = await secure_attempt(authority.server("hooks.test"), authority)
    assert (found.outcome, asked, requests) == ("delivered", ["hooks.test"], 1)


async def test_an_address_has_a_certificate_for_itself(authority: Authority) -> None:
    found, asked, _ = await secure_attempt(authority.server("127.0.0.1"), authority, "127.0.0.1")
    assert (found.outcome, asked) == ("delivered", [None])


async def test_a_certificate_for_the_address_is_none_for_the_name(authority: Authority) -> None:
    found, _, requests = await secure_attempt(authority.server("127.0.0.1"), authority)
    assert found == not_sent(
        "tls_failed", "Hostname mismatch, certificate is not valid for 'hooks.test'."
    )
    assert requests == 0


async def test_a_certificate_for_another_name_is_refused(authority: Authority) -> None:
    found, _, requests = await secure_attempt(authority.server("other.test"), authority)
    assert (found.outcome, found.error, requests) == ("not_sent", "tls_failed", 0)


async def test_a_certificate_that_nobody_signed_is_refused(authority: Authority) -> None:
    found, _, requests = await secure_attempt(authority.self_signed("hooks.test"), authority)
    assert found == not_sent("tls_failed", "self-signed certificate")
    assert requests == 0


async def test_a_certificate_of_an_authority_that_is_not_trusted_is_refused(
    authority: Authority,
) -> None:
    names = Names(hooks=[["127.0.0.1"]])
    async with (
        serving(answers(NO_CONTENT), tls=authority.server("hooks.test")) as endpoint,
        sending(resolver=names) as sender,
    ):
        found = await sender.send(endpoint.url_of("hooks.test"), [SECRET], message())
    assert replace(found, took_ms=0) == not_sent(
        "tls_failed", "unable to get local issuer certificate"
    )


async def test_a_certificate_that_is_out_of_date_is_refused(authority: Authority) -> None:
    found, _, _ = await secure_attempt(authority.server("hooks.test", days=-1), authority)
    assert found == not_sent("tls_failed", "certificate has expired")


async def test_plain_http_at_a_port_for_tls_is_told(authority: Authority) -> None:
    async def plain(visit: Visit) -> None:
        await visit.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        await visit.until_closed()

    async with serving(plain) as endpoint, sending(tls=authority.client()) as sender:
        url = endpoint.url.replace("http:", "https:")
        found = await sender.send(url, [SECRET], message())
        await endpoint.until(open=0)
    assert (found.outcome, found.error) == ("not_sent", "tls_failed")
    assert found.detail in {"wrong version number", "record layer failure"}


async def test_tls_at_a_port_for_plain_http_is_no_answer(authority: Authority) -> None:
    async with (
        serving(answers(NO_CONTENT), tls=authority.server("127.0.0.1")) as endpoint,
        sending() as sender,
    ):
        found = await sender.send(endpoint.url.replace("https:", "http:"), [SECRET], message())
    assert found.outcome == "failed"
    assert found.error in {"bad_answer", "connection_lost"}


async def test_a_server_that_closes_within_the_handshake_was_not_sent_to(
    authority: Authority,
) -> None:
    async def closes(_: Visit) -> None:
        pass

    async with serving(closes) as endpoint, sending(tls=authority.client()) as sender:
        url = endpoint.url.replace("http:", "https:")
        found = await sender.send(url, [SECRET], message())
    assert (found.outcome, found.error) == ("not_sent", "tls_failed")


async def test_a_handshake_that_never_ends_ends_with_the_time_and_leaves_nothing_open(
    authority: Authority,
) -> None:
    async def mute(visit: Visit) -> None:
        await visit.until_closed()

    async with (
        serving(mute) as endpoint,
        sending(tls=authority.client(), total_s=0.5) as sender,
    ):
        url = endpoint.url.replace("http:", "https:")
        found = await sender.send(url, [SECRET], message())
        await endpoint.until(visits=1, open=0)
    assert replace(found, took_ms=0) == not_sent(
        "timed_out", "there was no connection within 0.5 s"
    )


async def test_a_handshake_that_is_cancelled_leaves_nothing_open(authority: Authority) -> None:
    async def mute(visit: Visit) -> None:
        await visit.until_closed()

    async with serving(mute) as endpoint, sending(tls=authority.client()) as sender:
        url = endpoint.url.replace("http:", "https:")
        going = asyncio.create_task(sender.send(url, [SECRET], message()))
        await endpoint.until(visits=1)
        going.cancel()
        with pytest.raises(asyncio.CancelledError):
            await going
        await endpoint.until(open=0)


async def test_an_answer_over_tls_that_never_ends_is_cut(authority: Authority) -> None:
    async def floods(visit: Visit) -> None:
        await visit.request()
        await visit.write(b"HTTP/1.1 200 OK\r\n\r\n")
        while True:
            await visit.write(b"x" * 16384)

    async with (
        serving(floods, tls=authority.server("127.0.0.1")) as endpoint,
        sending(tls=authority.client()) as sender,
    ):
        found = await sender.send(endpoint.url, [SECRET], message())
        await endpoint.until(open=0)
    assert found.detail == "the endpoint answered 200, and not all that it sent was read"


async def test_a_hanging_endpoint_over_tls_ends_with_the_time(authority: Authority) -> None:
    async with (
        serving(hangs, tls=authority.server("127.0.0.1")) as endpoint,
        sending(tls=authority.client(), total_s=1.0) as sender,
    ):
        found = await sender.send(endpoint.url, [SECRET], message())
        await endpoint.until(open=0)
    assert (found.outcome, found.error) == ("failed", "timed_out")
