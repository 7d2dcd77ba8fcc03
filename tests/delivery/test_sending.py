"""What comes of an attempt, whatever the endpoint does."""

import asyncio
import logging
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from email.utils import format_datetime

import pytest
from standardwebhooks import Webhook

from app import __version__
from app.delivery.attempt import LONGEST_WAIT_S, Attempt
from app.delivery.connections import Limits
from app.delivery.endpoint import read_endpoint
from app.delivery.exchange import KEPT, MOST_READ
from app.delivery.message import Message
from app.errors import ContractError
from tests.delivery.endpoints import (
    NO_CONTENT,
    OTHER_SECRET,
    SECRET,
    Behaviour,
    Visit,
    answers,
    hangs,
    message,
    sending,
    serving,
)


async def attempt(behaviour: Behaviour, total_s: float = 20.0) -> Attempt:
    """One attempt to an endpoint that behaves so; how long it took is left out."""
    async with serving(behaviour) as endpoint, sending(total_s=total_s) as sender:
        found = await sender.send(endpoint.url, [SECRET], message())
        await endpoint.until(visits=1)
    return replace(found, took_ms=0)


def failed(error: str | None, detail: str, **rest: object) -> Attempt:
    usual: dict[str, object] = {
        "outcome": "failed", "status": None, "answer": b"", "took_ms": 0, "retry_after_s": None,
    }  # fmt: skip
    return Attempt(**{**usual, **rest, "error": error, "detail": detail})  # type: ignore[arg-type]


NO_HTTP = failed("bad_answer", "what came back is no HTTP")
CLOSED = failed("connection_lost", "the connection was closed before there was an answer")


async def test_a_message_is_posted_signed_and_delivered() -> None:
    sent = message()
    async with (
        serving(answers(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")) as endpoint,
        sending() as sender,
    ):
        found = await sender.send(endpoint.url, [SECRET, OTHER_SECRET], sent)
    assert found == Attempt(
        outcome="delivered",
        status=200,
        error=None,
        detail="the endpoint answered 200",
        answer=b"ok",
        took_ms=found.took_ms,
        retry_after_s=None,
    )
    (request,) = endpoint.requests
    assert request.line == "POST /in?token=hidden HTTP/1.1"
    assert request.body == sent.body
    signature = request.headers.pop("webhook-signature")
    assert request.headers == {
        "Host": f"127.0.0.1:{endpoint.port}",
        "User-Agent": f"product-factory/{__version__}",
        "Content-Type": "application/cloudevents+json",
        "Content-Length": str(len(sent.body)),
        "webhook-id": str(sent.message_id),
        "webhook-timestamp": str(int(sent.sent_at.timestamp())),
    }
    assert len(signature.split(" ")) == 2
    headers = {**request.headers, "webhook-signature": signature}
    for secret in (SECRET, OTHER_SECRET):
        assert Webhook(secret).verify(request.body, headers) == {"name": "Zoë"}


async def test_a_time_of_another_zone_is_signed_as_the_moment_that_it_is() -> None:
    there = datetime.now(timezone(timedelta(hours=5, minutes=30)))
    async with serving(answers(NO_CONTENT)) as endpoint, sending() as sender:
        await sender.send(endpoint.url, [SECRET], replace_time(message(), there))
    (request,) = endpoint.requests
    Webhook(SECRET).verify(request.body, request.headers)


@pytest.mark.parametrize("status", [200, 201, 202, 204, 299])
async def test_each_2xx_delivers(status: int) -> None:
    found = await attempt(answers(b"HTTP/1.1 %d \r\nContent-Length: 0\r\n\r\n" % status))
    assert (found.outcome, found.status, found.error) == ("delivered", status, None)


@pytest.mark.parametrize("status", [300, 301, 302, 303, 304, 307, 308])
async def test_a_redirect_is_a_failure_and_followed_nowhere(status: int) -> None:
    redirect = (
        b"HTTP/1.1 %d Elsewhere\r\nLocation: http://169.254.169.254/latest/\r\n"
        b"Content-Length: 0\r\n\r\n" % status
    )
    assert await attempt(answers(redirect)) == failed(
        "redirected", f"the endpoint answered {status}", status=status
    )


@pytest.mark.parametrize("status", [400, 401, 404, 410, 429, 500, 503, 599])
async def test_another_status_is_a_failure_that_tells_it(status: int) -> None:
    answer = b"HTTP/1.1 %d No\r\nContent-Length: 5\r\n\r\nsorry" % status
    assert await attempt(answers(answer)) == failed(
        "answered", f"the endpoint answered {status}", status=status, answer=b"sorry"
    )


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("120", 120),
        ("0", 0),
        ("999999999", LONGEST_WAIT_S),
        ("9999999999", None),
        ("-1", None),
        ("1.5", None),
        ("soon", None),
        ("", None),
        ("Mon, 01 Jan 1990 00:00:00 GMT", 0),
        ("Fri, 31 Dec 9999 23:59:59 GMT", LONGEST_WAIT_S),
        ("Fri, 99 Dec 9999 23:59:59 GMT", None),
        ("Fri, 31 Dec 9999999999 23:59:59 GMT", None),
    ],
)
async def test_what_the_endpoint_asks_to_wait_is_read(header: str, seconds: int | None) -> None:
    answer = f"HTTP/1.1 503 No\r\nRetry-After: {header}\r\nContent-Length: 0\r\n\r\n"
    assert (await attempt(answers(answer.encode()))).retry_after_s == seconds


async def test_a_date_to_wait_for_is_counted_from_the_attempt() -> None:
    sent = replace_time(message(), datetime(2026, 3, 2, 9, 0, tzinfo=UTC))
    until = format_datetime(sent.sent_at + timedelta(minutes=2), usegmt=True)
    answer = f"HTTP/1.1 429 No\r\nretry-after: {until}\r\nContent-Length: 0\r\n\r\n"
    async with serving(answers(answer.encode())) as endpoint, sending() as sender:
        assert (await sender.send(endpoint.url, [SECRET], sent)).retry_after_s == 120


def replace_time(sent: Message, moment: datetime) -> Message:
    return Message(sent.message_id, moment, sent.content_type, sent.body)


# Slow, endless, and broken off.


async def test_an_endpoint_that_answers_nothing_ends_with_the_time() -> None:
    assert await attempt(hangs, total_s=0.5) == failed(
        "timed_out", "there was no answer within 0.5 s"
    )


async def test_a_head_that_comes_byte_by_byte_wins_no_time() -> None:
    async def drips(visit: Visit) -> None:
        await visit.request()
        for byte in b"HTTP/1.1 200 OK\r\nX-Slow: " + b"a" * 2000:
            await visit.write(bytes([byte]))
            await asyncio.sleep(0.01)  # the pace of the endpoint: nothing waits for it

    assert await attempt(drips, total_s=0.5) == failed(
        "timed_out", "there was no answer within 0.5 s"
    )


async def test_a_body_that_never_ends_leaves_the_status_to_decide() -> None:
    async def drips(visit: Visit) -> None:
        await visit.request()
        await visit.write(b"HTTP/1.1 202 Accepted\r\nContent-Length: 10000\r\n\r\nwell")
        await visit.until_closed()

    found = await attempt(drips, total_s=2.0)
    assert found == failed(
        None,
        "the endpoint answered 202, and not all that it sent was read",
        outcome="delivered",
        status=202,
        answer=b"well",
    )


@pytest.mark.parametrize(
    "head",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 10000000000\r\n\r\n",
        b"HTTP/1.0 200 OK\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
    ],
    ids=["with its length", "until the end", "in chunks"],
)
async def test_a_body_of_10_gb_is_read_to_64_kib_and_cut(head: bytes) -> None:
    piece = b"x" * 16384
    chunk = b"%x\r\n%b\r\n" % (len(piece), piece) if b"chunked" in head else piece
    written = 0
    cut = asyncio.Event()

    async def floods(visit: Visit) -> None:
        nonlocal written
        await visit.request()
        await visit.write(head)
        try:
            while True:
                await visit.write(chunk)
                written += len(piece)
        except OSError:
            cut.set()
            raise

    async with serving(floods) as endpoint, sending() as sender:
        found = await sender.send(endpoint.url, [SECRET], message())
        async with asyncio.timeout(30):
            await cut.wait()
    assert found.outcome == "delivered"
    assert found.detail == "the endpoint answered 200, and not all that it sent was read"
    assert found.answer == b"x" * KEPT
    # What the sockets of both sides hold comes on top of what was read.
    assert MOST_READ < written < 32 * 1024 * 1024


async def test_64_kib_are_read_to_the_end_and_not_a_byte_more_is_waited_for() -> None:
    head = b"HTTP/1.1 500 No\r\nContent-Length: %d\r\n\r\n"
    room = MOST_READ - len(head % MOST_READ)
    whole = failed("answered", "the endpoint answered 500", status=500, answer=b"x" * KEPT)
    cut = replace(whole, detail="the endpoint answered 500, and not all that it sent was read")
    assert await attempt(answers(head % room + b"x" * room)) == whole
    assert await attempt(answers(head % (room + 1) + b"x" * (room + 1))) == cut


async def test_an_answer_in_chunks_of_a_byte_is_read_to_64_kib_too() -> None:
    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    found = await attempt(answers(head + b"1\r\nx\r\n" * MOST_READ))
    assert (found.outcome, found.answer) == ("delivered", b"x" * KEPT)


async def test_a_body_that_breaks_off_leaves_the_status_to_decide() -> None:
    async def breaks_off(visit: Visit) -> None:
        await visit.request()
        await visit.write(b"HTTP/1.1 500 No\r\nContent-Length: 100\r\n\r\nhalf")

    assert await attempt(breaks_off) == failed(
        "answered",
        "the endpoint answered 500, and not all that it sent was read",
        status=500,
        answer=b"half",
    )


async def test_a_server_that_closes_after_the_request_may_have_taken_it() -> None:
    async def closes(visit: Visit) -> None:
        await visit.request()

    assert await attempt(closes) == CLOSED


async def test_a_server_that_closes_within_its_answers_head_may_have_taken_it() -> None:
    async def closes(visit: Visit) -> None:
        await visit.request()
        await visit.write(b"HTTP/1.1 200 OK\r\nContent-")

    assert await attempt(closes) == CLOSED


async def test_a_server_that_closes_at_once_may_have_taken_the_request() -> None:
    async def closes(_: Visit) -> None:
        pass

    assert await attempt(closes) == CLOSED


async def test_an_answer_that_comes_before_the_request_was_read_counts() -> None:
    """What is left of the request then stands before everything else, so the connection closes."""

    async def answers_early(visit: Visit) -> None:
        await visit.write(b"HTTP/1.1 413 No\r\nContent-Length: 0\r\n\r\n")
        await visit.until_closed()

    large = message(b"x" * 64 * 1024 * 1024)
    async with serving(answers_early) as endpoint, sending() as sender:
        found = [await sender.send(endpoint.url, [SECRET], large) for _ in range(2)]
        assert endpoint.visits == 2
    assert [(one.outcome, one.status, one.error) for one in found] == [
        ("failed", 413, "answered")
    ] * 2


@pytest.mark.parametrize(
    "garbage",
    [
        b"SSH-2.0-OpenSSH_9.2p1\r\n",
        b"\x16\x03\x01\x00\xa5\x01\x00\x00\xa1\x03\x03\r\n\r\n",
        b"220 mail.example ESMTP\r\n",
        b"S",
        b"HTTP1.1 200 OK\r\n\r\n",
        b"HTTP/1.1 2000 OK\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nno colon\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: many\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nX: " + b"a" * 200_000,
    ],
)
async def test_what_is_no_http_is_no_answer(garbage: bytes) -> None:
    async def talks(visit: Visit) -> None:
        await visit.request()
        await visit.write(garbage)
        await visit.until_closed()

    assert await attempt(talks) == NO_HTTP


async def test_answers_that_only_inform_are_passed_over() -> None:
    informs = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early\r\nLink: x\r\n\r\n"
    assert (await attempt(answers(informs + NO_CONTENT))).status == 204


async def test_answers_that_only_inform_without_end_are_no_answer() -> None:
    async def informs(visit: Visit) -> None:
        await visit.request()
        while True:
            await visit.write(b"HTTP/1.1 100 Continue\r\n\r\n")

    assert await attempt(informs) == failed("bad_answer", "what came back has no end")


async def test_nobody_listens() -> None:
    async with serving(hangs) as endpoint:
        pass
    async with sending() as sender:
        found = await sender.send(endpoint.url, [SECRET], message())
    assert replace(found, took_ms=0) == failed(
        "connect_failed", "127.0.0.1: Connection refused", outcome="not_sent"
    )


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("ftp://example.com/", "the URL should be a URL that begins with https://"),
        (
            "https://169.254.169.254/",
            "the URL should not lead to 169.254.169.254, which is metadata",
        ),
    ],
)
async def test_an_endpoint_that_is_none_is_not_sent_to(url: str, said: str) -> None:
    async with sending() as sender:
        found = await sender.send(url, [SECRET], message())
    assert found == failed("endpoint_refused", said, outcome="not_sent")


# What is no business of an endpoint's.


async def test_no_cookie_comes_back_and_no_proxy_of_the_environment_is_asked(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    sets = b"HTTP/1.1 204 No\r\nSet-Cookie: a=b\r\n\r\n"
    async with serving(answers(sets)) as endpoint, sending() as sender:
        for _ in range(2):
            assert (await sender.send(endpoint.url, [SECRET], message())).outcome == "delivered"
    assert [request.headers.get("Cookie") for request in endpoint.requests] == [None, None]


async def test_secrets_and_the_url_appear_nowhere(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    said = []
    async with (
        serving(answers(b"HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n")) as endpoint,
        sending() as sender,
    ):
        said.append(repr(await sender.send(endpoint.url, [SECRET, OTHER_SECRET], message())))
        said.append(repr(sender) + repr(vars(sender)))
    async with sending() as sender:
        said.append(repr(await sender.send(endpoint.url, [SECRET], message())))
        for secrets in (["whsec_!!" + SECRET], [""], []):
            with pytest.raises(ContractError) as caught:
                await sender.send(endpoint.url, secrets, message())
            said.append(repr(caught.value))
    said.append(repr(message()))
    said += [record.getMessage() for record in caplog.records]
    for hidden in (SECRET[6:], OTHER_SECRET[6:], "token=hidden", "Zo"):
        assert [one for one in said if hidden in one] == []


@pytest.mark.parametrize("content_type", ["a\r\nX: y", "text/plain\x00", "tëxt/plain"])
def test_a_content_type_that_can_not_stand_in_a_header_is_ours_to_mend(content_type: str) -> None:
    with pytest.raises(ContractError, match="no content type"):
        Message(message().message_id, datetime.now(UTC), content_type, b"")


def test_a_body_that_can_not_be_signed_is_ours_to_mend() -> None:
    with pytest.raises(ContractError, match="not in UTF-8"):
        message(b"\xff")


async def test_a_cancelled_attempt_is_cancelled() -> None:
    async with serving(hangs) as endpoint, sending() as sender:
        going = asyncio.create_task(sender.send(endpoint.url, [SECRET], message()))
        await endpoint.until(visits=1)
        going.cancel()
        with pytest.raises(asyncio.CancelledError):
            await going
        await endpoint.until(open=0)


async def test_an_attempt_that_waits_for_its_turn_until_the_time_is_up_was_not_sent() -> None:
    limits = Limits(total_s=0.5, per_origin=1)
    async with serving(hangs) as endpoint, sending(limits=limits) as sender:
        # Somebody has the only place, for longer than any attempt of this sender would.
        place = asyncio.Semaphore(1)
        sender._connections._places[read_endpoint(endpoint.url).origin] = place
        async with place:
            found = await asyncio.gather(
                *(sender.send(endpoint.url, [SECRET], message()) for _ in range(2))
            )
        assert endpoint.visits == 0
    assert [(one.outcome, one.error, one.detail) for one in found] == [
        ("not_sent", "timed_out", "there was no connection within 0.5 s")
    ] * 2
