"""Who has signed a raw webhook: the three ways of senders that have no bearer token.

github             `X-Hub-Signature-256`: HMAC-SHA256 of the body (GitHub's documentation)
standard_webhooks  `webhook-id`, `webhook-timestamp`, `webhook-signature` (standardwebhooks.com)
header             a shared secret as it is, in a header that the source names

A scheme has a second secret while one takes the other's place.
"""

import base64
import hashlib
import hmac
import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, StringConstraints, TypeAdapter
from standardwebhooks import Webhook as Signer

from app.errors import FactoryError
from app.schemas.base import Sha256, WireModel

HeaderValues = Mapping[str, Sequence[str]]
"""The values of a request's headers, each as often as it came, by their names in lower case."""

Reason = Literal["missing", "malformed", "mismatch", "too_old", "too_new"]

TOLERANCE = timedelta(minutes=5)
"""How far the time of a message may lie from ours: for clocks, and for its way."""

_SECRET_HEADERS = frozenset(
    {"authorization", "cookie", "proxy-authorization", "webhook-signature", "x-hub-signature-256"}
)
_GITHUB = re.compile(r"sha256=[0-9a-f]{64}")
_PRINTABLE = re.compile(r"[!-~]([ -~]*[!-~])?")
_SECONDS = re.compile(r"[0-9]{1,11}")


class SignatureError(FactoryError):
    """A webhook is not signed as its source signs: `reason` is a stable word, about that header."""

    def __init__(self, reason: Reason, header: str) -> None:
        super().__init__(f"{header}: {reason}")
        self.reason = reason
        self.header = header


def _is_whsec(secret: str) -> str:
    encoded = secret.removeprefix("whsec_")
    try:
        key = base64.b64decode(encoded + "=" * (-len(encoded) % 4), validate=True)
    except ValueError:
        key = b""
    if encoded == secret or not 24 <= len(key) <= 64:
        raise ValueError("should be whsec_ and the Base64 of 24 to 64 bytes")
    return secret


def _can_stand_in_a_header(secret: str) -> str:
    if not _PRINTABLE.fullmatch(secret):
        raise ValueError("should be printable ASCII, without spaces at its ends")
    return secret


Secret = Annotated[
    str,
    StringConstraints(min_length=16, max_length=500),  # what is shorter is guessed
    AfterValidator(_can_stand_in_a_header),
    Field(description="A secret that both sides know, in printable ASCII."),
]
WhsecSecret = Annotated[
    str,
    StringConstraints(max_length=100),
    AfterValidator(_is_whsec),
    Field(description="`whsec_` and the Base64 of 24 to 64 bytes."),
]
SECRETS: Mapping[str, TypeAdapter[list[str]]] = {
    "github": TypeAdapter(list[Secret]),
    "standard_webhooks": TypeAdapter(list[WhsecSecret]),
    "header": TypeAdapter(list[Secret]),
}
"""What the secrets of each kind look like, as senders have them."""

HeaderName = Annotated[
    str,
    StringConstraints(pattern=r"^[A-Za-z0-9-]{1,100}$"),
    Field(description="A header's name, in any case.", examples=["X-Webhook-Token"]),
]


class GitHubSignature(WireModel):
    """GitHub's: the secret of the webhook's settings page."""

    kind: Literal["github"]
    secrets: list[Secret] = Field(min_length=1, max_length=2, repr=False)


class StandardWebhooksSignature(WireModel):
    """That of the Standard Webhooks specification, with symmetric keys."""

    kind: Literal["standard_webhooks"]
    secrets: list[WhsecSecret] = Field(min_length=1, max_length=2, repr=False)


class SharedHeader(WireModel):
    """A secret that is sent as it is. Kept are only its digests, as `secret_digest` makes them."""

    kind: Literal["header"]
    header: HeaderName
    sha256: list[Sha256] = Field(min_length=1, max_length=2, repr=False)


Signature = Annotated[
    GitHubSignature | StandardWebhooksSignature | SharedHeader, Field(discriminator="kind")
]
"""How a source signs, as it is kept."""


def secret_headers(kind: str, header: str | None) -> frozenset[str]:
    """The headers that say who sends, by their names in lower case: nothing of an event's.

    `header` is the one of a source whose kind is `header`.
    """
    return _SECRET_HEADERS | ({header.lower()} if kind == "header" and header else set())


def secret_digest(secret: str) -> str:
    """What is kept of a shared secret: its SHA-256, as 64 hex digits."""
    return hashlib.sha256(secret.encode()).hexdigest()


def verify(signature: Signature, headers: HeaderValues, body: bytes, now: datetime) -> None:
    """Raise SignatureError unless the body, as it was received, is signed in that way.

    `now` is what the message's time is compared with, where the scheme has one. Secrets are
    compared in constant time.
    """
    match signature:
        case GitHubSignature():
            _verify_github(signature, headers, body)
        case StandardWebhooksSignature():
            _verify_standard(signature, headers, body, now)
        case SharedHeader():
            name = signature.header.lower()
            _expect(name, [secret_digest(_only(headers, name))], signature.sha256)


def _verify_github(signature: GitHubSignature, headers: HeaderValues, body: bytes) -> None:
    name = "x-hub-signature-256"
    sent = _only(headers, name)
    if not _GITHUB.fullmatch(sent):
        raise SignatureError("malformed", name)
    digests = [hmac.new(key.encode(), body, hashlib.sha256) for key in signature.secrets]
    _expect(name, [sent], [f"sha256={digest.hexdigest()}" for digest in digests])


def _verify_standard(
    signature: StandardWebhooksSignature, headers: HeaderValues, body: bytes, now: datetime
) -> None:
    message_id = _only(headers, "webhook-id")
    seconds = _only(headers, "webhook-timestamp")
    sent = _only(headers, "webhook-signature").split(" ")
    if not _SECONDS.fullmatch(seconds):
        raise SignatureError("malformed", "webhook-timestamp")
    if not all("," in one for one in sent):
        raise SignatureError("malformed", "webhook-signature")
    sent_at = datetime.fromtimestamp(int(seconds), UTC)
    try:
        text = body.decode()
    except UnicodeDecodeError:  # the library signs texts
        raise SignatureError("mismatch", "webhook-signature") from None
    # Not the library's verify: it has a clock of its own.
    expected = [Signer(key).sign(message_id, sent_at, text) for key in signature.secrets]
    _expect("webhook-signature", sent, expected)
    if sent_at < now - TOLERANCE:
        raise SignatureError("too_old", "webhook-timestamp")
    if sent_at > now + TOLERANCE:
        raise SignatureError("too_new", "webhook-timestamp")


def _only(headers: HeaderValues, name: str) -> str:
    match headers.get(name, ()):
        case []:
            raise SignatureError("missing", name)
        case [value] if value.isascii():
            return value
    raise SignatureError("malformed", name)


def _expect(name: str, sent: Iterable[str], expected: Sequence[str]) -> None:
    if not any(hmac.compare_digest(one, other) for one in sent for other in expected):
        raise SignatureError("mismatch", name)
