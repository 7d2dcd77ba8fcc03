"""Which URLs are endpoints, how they are kept, and which may not be sent to."""

import pytest
from pydantic import TypeAdapter, ValidationError

from app.delivery.addresses import Guard
from app.delivery.endpoint import EndpointUrl, endpoint_refusal, read_endpoint

URL = TypeAdapter(EndpointUrl)

NORMAL = [
    ("https://hooks.example.com/in", "https://hooks.example.com/in"),
    ("HTTPS://Hooks.Example.COM/In", "https://hooks.example.com/In"),
    ("https://example.com", "https://example.com/"),
    ("https://example.com?a=1", "https://example.com/?a=1"),
    ("https://example.com:443/in", "https://example.com/in"),
    ("http://example.com:80/in", "http://example.com/in"),
    ("https://example.com:80/in", "https://example.com:80/in"),
    ("https://example.com:08443/", "https://example.com:8443/"),
    ("https://example.com./in", "https://example.com/in"),
    ("http://localhost./", "http://localhost/"),
    ("https://127.0.0.1./", "https://127.0.0.1/"),
    ("https://xn--mnchen-3ya.example/", "https://xn--mnchen-3ya.example/"),
    ("https://my_service:8080/", "https://my_service:8080/"),
    ("https://[2606:4700:0:0::1111]/", "https://[2606:4700::1111]/"),
    ("https://[2606:4700::1111]:8443/in", "https://[2606:4700::1111]:8443/in"),
    (
        "https://example.com/a/../b;c=1/%7Ex?d=%2F&e=?",
        "https://example.com/a/../b;c=1/%7Ex?d=%2F&e=?",
    ),
    ("https://1.example/", "https://1.example/"),
    ("https://0x7f.example/", "https://0x7f.example/"),
]


@pytest.mark.parametrize(("url", "kept"), NORMAL)
def test_an_endpoint_is_kept_in_normal_form(url: str, kept: str) -> None:
    assert URL.validate_python(url) == kept
    assert URL.validate_python(kept) == kept


HTTPS = "should be a URL that begins with https://"
USER = "should have no user name: messages are signed instead"
PLACE = "should name a host, and nothing but a port after it"
PORT = "should have a port from 1 to 65535, or none"
NO_HOST = "should name a host"
NAME = "should name a host by letters, digits, hyphens and dots"
ASCII = "should name its host in ASCII: of other letters, the form xn--…"
IPV4 = "should write an IPv4 address as four decimal numbers without leading zeros"
IPV6 = "should have an IPv6 address between its brackets"
ZONE = "should have no zone: it means something on one machine only"
MAPPED = "should write an IPv4 address as one, without brackets"
FRAGMENT = "should have no fragment: it would not be sent"
CHARACTERS = (
    "should hold no other characters than RFC 3986 has for a path and a query:"
    " the others are percent-encoded"
)

FLAWED = [
    ("nothing", "", HTTPS),
    ("a path", "/in", HTTPS),
    ("no scheme", "//example.com/", HTTPS),
    ("another scheme", "ftp://example.com/", HTTPS),
    ("a file", "file:///etc/passwd", HTTPS),
    ("gopher", "gopher://127.0.0.1:6379/_", HTTPS),
    ("a script", "javascript:alert(1)", HTTPS),
    ("a scheme without slashes", "https:example.com", HTTPS),
    ("a blank before", " https://example.com/", HTTPS),
    ("no host", "https:///in", NO_HOST),
    ("a port only", "https://:443/", NO_HOST),
    ("a dot for a host", "https://./", NO_HOST),
    ("a user", "https://user@example.com/", USER),
    ("a user and a password", "https://user:pw@example.com/", USER),
    ("a host as a user", "http://good.example@127.0.0.1/", USER),
    ("a host and a port as a user", "http://good.example:443@127.0.0.1/", USER),
    ("an empty user", "http://@127.0.0.1/", USER),
    ("an escape before a user", "http://good.example%2F@127.0.0.1/", USER),
    ("two users", "http://a@b@127.0.0.1/", USER),
    ("a backslash before a user", "http://good.example\\@127.0.0.1/", USER),
    ("a backslash", "http://127.0.0.1\\good.example/", NAME),
    ("a fragment", "https://example.com/#top", FRAGMENT),
    ("an empty fragment", "https://example.com/#", FRAGMENT),
    ("a fragment before a user", "http://127.0.0.1#@good.example/", FRAGMENT),
    ("no port after the colon", "https://example.com:/", PORT),
    ("port 0", "https://example.com:0/", PORT),
    ("port 65536", "https://example.com:65536/", PORT),
    ("a port of many digits", "https://example.com:" + "9" * 400 + "/", PORT),
    ("a negative port", "https://example.com:-1/", PORT),
    ("a port that is a name", "https://example.com:https/", PORT),
    ("a port in other digits", "https://example.com:４４３/", PORT),
    ("two ports", "https://example.com:1:2/", PORT),
    ("one decimal number", "http://2130706433/", IPV4),
    ("one hexadecimal number", "http://0x7f000001/", IPV4),
    ("hexadecimal and short", "http://0x7f.1/", IPV4),
    ("octal", "http://0177.0.0.1/", IPV4),
    ("a long octal", "http://0000000177.0.0.1/", IPV4),
    ("short by two", "http://127.1/", IPV4),
    ("short by one", "http://127.0.1/", IPV4),
    ("nothing at all", "http://0/", IPV4),
    ("a number too large", "http://127.0.0.256/", IPV4),
    ("five numbers", "http://127.0.0.1.1/", IPV4),
    ("two dots at the end", "http://127.0.0.1../", NAME),
    ("a name that ends in a number", "http://good.1/", IPV4),
    ("a name that ends in hexadecimal", "http://good.0x/", IPV4),
    ("hexadecimal in capitals", "http://0X7F.1/", IPV4),
    ("full-width digits", "http://１２７.0.0.1/", ASCII),
    ("digits in circles", "http://①②⑦.⓪.⓪.①/", ASCII),
    ("an ideographic full stop", "http://127。0。0。1/", ASCII),
    ("letters of a language", "https://münchen.example/", ASCII),
    ("a soft hyphen", "http://local\u00adhost/", ASCII),
    ("an escape in the name", "http://%31%32%37.0.0.1/", NAME),
    ("a null in the name", "http://127.0.0.1\x00.good.example/", NAME),
    ("a blank in the name", "http://127.0.0.1 .good.example/", NAME),
    ("a line's end in the name", "http://good.example\r\nX/", NAME),
    ("an empty label", "https://a..b/", NAME),
    ("a label too long", f"https://{'a' * 64}.example/", NAME),
    ("a name too long", f"https://{'a.' * 130}example/", NAME),
    ("a hyphen first", "https://-a.example/", NAME),
    ("mapped loopback", "http://[::ffff:127.0.0.1]/", MAPPED),
    ("mapped loopback in hexadecimal", "http://[::ffff:7f00:1]/", MAPPED),
    ("an escaped zone", "http://[fe80::1%25eth0]/", ZONE),
    ("a zone", "http://[fe80::1%eth0]/", ZONE),
    ("IPv4 in brackets", "http://[127.0.0.1]/", IPV6),
    ("a later version", "http://[v1.fe80]/", IPV6),
    ("nothing in brackets", "http://[]/", IPV6),
    ("a bracket not closed", "http://[::1/", PLACE),
    ("something after the bracket", "http://[::1]good.example/", PLACE),
    ("IPv6 without brackets", "http://::1/", PORT),
    ("a blank in the path", "https://example.com/a b", CHARACTERS),
    ("a line's end in the path", "https://example.com/a\r\nX: y", CHARACTERS),
    ("a half escape", "https://example.com/%4", CHARACTERS),
    ("other letters in the path", "https://example.com/ü", CHARACTERS),
]


@pytest.mark.parametrize(("name", "url", "said"), FLAWED, ids=[row[0] for row in FLAWED])
def test_what_is_no_endpoint_is_refused(name: str, url: str, said: str) -> None:
    with pytest.raises(ValidationError) as caught:
        URL.validate_python(url)
    assert [error["msg"] for error in caught.value.errors()] == [f"Value error, {said}"]


def test_an_endpoint_has_2000_characters_at_most_in_normal_form_too() -> None:
    longest = "https://example.com/".ljust(2000, "a")
    assert URL.validate_python(longest) == longest
    with pytest.raises(ValidationError, match="at most 2000 characters"):
        URL.validate_python(longest + "a")
    with pytest.raises(ValidationError, match="at most 2000 characters"):
        URL.validate_python("https://example.com?".ljust(2000, "a"))


NOT_HTTPS = "should begin with https://, or name an address (no host) of an allowed network"

MAY_BE_SENT_TO = [
    ("https://example.com/", "", False, None),
    ("https://8.8.8.8/", "", False, None),
    ("https://[2606:4700::1111]/", "", False, None),
    ("http://example.com/", "", False, NOT_HTTPS),
    ("http://example.com/", "", True, None),
    ("http://8.8.8.8/", "", False, NOT_HTTPS),
    ("http://127.0.0.1:8080/", "127.0.0.0/8", False, None),
    ("http://127.0.0.1:8080/", "10.0.0.0/8", False, NOT_HTTPS),
    ("http://localhost/", "127.0.0.0/8", False, NOT_HTTPS),
    ("http://127.0.0.1/", "", True, "should not lead to 127.0.0.1, which is loopback"),
    ("https://127.0.0.1/", "", False, "should not lead to 127.0.0.1, which is loopback"),
    ("https://127.0.0.1/", "127.0.0.1/32", False, None),
    (
        "https://169.254.169.254/",
        "",
        False,
        "should not lead to 169.254.169.254, which is metadata",
    ),
    ("https://[::1]/", "", False, "should not lead to ::1, which is loopback"),
    ("https://[fd00:ec2::254]/", "", False, "should not lead to fd00:ec2::254, which is metadata"),
    ("https://[64:ff9b::a00:1]/", "", False, "should not lead to 64:ff9b::a00:1, which is nat64"),
]


@pytest.mark.parametrize(("url", "allowed", "http", "said"), MAY_BE_SENT_TO)
def test_where_nothing_may_be_sent_is_told_from_the_url(
    url: str, allowed: str, http: bool, said: str | None
) -> None:
    assert endpoint_refusal(read_endpoint(url), Guard.allowing(allowed), allow_http=http) == said
