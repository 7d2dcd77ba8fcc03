"""What is a URI reference (RFC 3986) and a time (RFC 3339), and what only looks like one."""

import pytest

from app.errors import Refusal
from app.events.cloudevent import CloudEvent
from app.events.reading import event_from_document
from tests.api.throwaway import wrong
from tests.events.intake import EVENT


def taken(**members: str) -> CloudEvent:
    """The event with these attributes."""
    return event_from_document({**EVENT, **members})


# Those of RFC 3986, sections 1.1.2 and 5.4, and some more.
@pytest.mark.parametrize(
    "text",
    [
        "ftp://ftp.is.co.za/rfc/rfc1808.txt", "http://www.ietf.org/rfc/rfc2396.txt",
        "ldap://[2001:db8::7]/c=GB?objectClass?one", "mailto:John.Doe@example.com",
        "news:comp.infosystems.www.servers.unix", "tel:+1-816-555-1212",
        "telnet://192.0.2.16:80/", "urn:oasis:names:specification:docbook:dtd:xml:4.1.2",
        "g:h", "./g", "g/", "/g", "//g", "?y", "g?y", "#s", "g#s", ";x", "g;x?y#s", ".", "..",
        "../../g", "g;x=1/../y", "g?y/./x", "http:g", "./a:b", "//user:pw@host:/", "/hr/%C3%A9",
        "file:///etc", "//[::ffff:192.0.2.1]:80", "?a:b",
    ],
)  # fmt: skip
def test_a_uri_reference_is_taken(text: str) -> None:
    assert taken(source=text).source == text


@pytest.mark.parametrize(
    "text",
    [
        ":", ":a", "1a:b", "a_b:c", "http://[::1", "http://::1]", "http://a:b:c/", "//host:x/",
        "a b", "a%", "a%2", "a%zz", "é", "a\\b", "<a>", "a[b]", "a?[x]", "##", "//a@b@c",
        "https://exa mple",
    ],
)  # fmt: skip
def test_what_is_no_uri_reference_is_refused(text: str) -> None:
    with pytest.raises(Refusal) as refused:
        taken(source=text)
    detail = "should be a URI reference (RFC 3986), with all else percent-encoded"
    assert refused.value.members == {"errors": [wrong("body", "/source", "value_error", detail)]}


@pytest.mark.parametrize(
    "text",
    [
        "1985-04-12T23:20:50.52Z", "1996-12-19T16:39:57-08:00", "1990-12-31T23:59:60Z",
        "1990-12-31T15:59:60-08:00", "1937-01-01T12:00:27.87+00:20", "2026-03-02t09:00:00z",
        "2024-02-29T00:00:00-00:00", "9999-12-31T23:59:59-23:59",
        "2026-03-02T09:00:00.1234567890123Z",
    ],
)  # fmt: skip
def test_a_time_is_taken_and_kept_as_it_was_sent(text: str) -> None:
    assert taken(time=text).time == text


@pytest.mark.parametrize(
    "text",
    [
        "2026-02-29T09:00:00Z", "2026-13-01T09:00:00Z", "2026-03-02T24:00:00Z",
        "2026-03-02T09:60:00Z", "2026-03-02T09:00:61Z", "2026-03-02T09:00:00",
        "2026-03-02 09:00:00Z", "2026-03-02T09:00Z", "2026-03-02T09:00:00+24:00",
        "2026-03-02T09:00:00+0100", "2026-03-02T09:00:00,5Z", "20260302T090000Z",
        "2026-W10-1T09:00:00Z", "२०२६-03-02T09:00:00Z", "now",
    ],
)  # fmt: skip
def test_what_is_no_time_is_refused(text: str) -> None:
    with pytest.raises(Refusal) as refused:
        taken(time=text)
    detail = "should be a timestamp of RFC 3339, with its offset: 2025-06-01T12:00:00Z"
    assert refused.value.members == {"errors": [wrong("body", "/time", "value_error", detail)]}
