"""Signatures of raw webhooks, against what others publish and sign."""

import base64
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError
from standardwebhooks import Webhook as Signer

from app.events.signatures import (
    TOLERANCE,
    GitHubSignature,
    HeaderValues,
    SharedHeader,
    Signature,
    SignatureError,
    StandardWebhooksSignature,
    secret_digest,
    verify,
)

NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)

# From GitHub's "Validating webhook deliveries".
GITHUB_SECRET = "It's a Secret to Everybody"
GITHUB_BODY = b"Hello, World!"
GITHUB_SIGNED = "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"
ZEROS = "sha256=" + "0" * 64

WHSEC = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"  # of the specification
OTHER = "whsec_" + base64.b64encode(bytes(range(32))).decode()
BODY = '{"name": "Zoë"}'.encode()

GITHUB = GitHubSignature(kind="github", secrets=[GITHUB_SECRET])
STANDARD = StandardWebhooksSignature(kind="standard_webhooks", secrets=[WHSEC])
SHARED = SharedHeader(
    kind="header", header="X-HR-Token", sha256=[secret_digest("correct horse battery")]
)


def reason(signature: Any, headers: HeaderValues, body: bytes = BODY) -> str | None:
    try:
        verify(signature, headers, body, NOW)
    except SignatureError as error:
        return error.reason
    return None


@pytest.mark.parametrize(
    ("sent", "body", "said"),
    [
        ([GITHUB_SIGNED], GITHUB_BODY, None),
        ([], GITHUB_BODY, "missing"),
        ([GITHUB_SIGNED, GITHUB_SIGNED], GITHUB_BODY, "malformed"),
        ([""], GITHUB_BODY, "malformed"),
        ([GITHUB_SIGNED.upper()], GITHUB_BODY, "malformed"),
        ([GITHUB_SIGNED[7:]], GITHUB_BODY, "malformed"),
        ([GITHUB_SIGNED[:-1]], GITHUB_BODY, "malformed"),
        ([f" {GITHUB_SIGNED}"], GITHUB_BODY, "malformed"),
        ([f"{GITHUB_SIGNED}\n"], GITHUB_BODY, "malformed"),
        (["sha1=" + "0" * 40], GITHUB_BODY, "malformed"),
        (["sha256=" + "é" * 64], GITHUB_BODY, "malformed"),
        ([ZEROS], GITHUB_BODY, "mismatch"),
        ([GITHUB_SIGNED], GITHUB_BODY + b"\n", "mismatch"),
        ([GITHUB_SIGNED], b"", "mismatch"),
    ],
)
def test_github(sent: list[str], body: bytes, said: str | None) -> None:
    assert reason(GITHUB, {"x-hub-signature-256": sent}, body) == said
    other = {"x-hub-signature": ["sha1=" + "0" * 40], "x-hub-signature-256": sent}
    assert reason(GITHUB, other, body) == said


def standard(
    secret: str = WHSEC, at: datetime = NOW, body: bytes = BODY, **headers: list[str]
) -> dict[str, list[str]]:
    """The headers of a message as the official library signs it."""
    signed = Signer(secret).sign("msg_1", at, body.decode())
    sent = {
        "webhook-id": ["msg_1"],
        "webhook-timestamp": [str(int(at.timestamp()))],
        "webhook-signature": [signed],
    }
    return sent | {f"webhook-{name}": values for name, values in headers.items()}


SIGNED = standard()["webhook-signature"][0]


@pytest.mark.parametrize(
    ("headers", "said"),
    [
        (standard(), None),
        (standard(signature=[f"v1,AAAA v1a,BBBB {SIGNED} v2,"]), None),
        ({}, "missing"),
        (standard(id=[]), "missing"),
        (standard(timestamp=[]), "missing"),
        (standard(signature=[]), "missing"),
        (standard(id=["msg_1", "msg_1"]), "malformed"),
        (standard(timestamp=["1772442000", "1772442000"]), "malformed"),
        (standard(signature=[SIGNED, SIGNED]), "malformed"),
        (standard(timestamp=["soon"]), "malformed"),
        (standard(timestamp=["1e9"]), "malformed"),
        (standard(timestamp=["-1"]), "malformed"),
        (standard(timestamp=["9" * 400]), "malformed"),
        (standard(timestamp=["١٧٧٢٤٤٢٠٠٠"]), "malformed"),
        (standard(signature=[SIGNED.removeprefix("v1,")]), "malformed"),
        (standard(signature=[""]), "malformed"),
        (standard(id=["msg_2"]), "mismatch"),
        (standard(timestamp=["1772442001"]), "mismatch"),
        (standard(OTHER), "mismatch"),
        (standard(body=b"{}"), "mismatch"),
        (standard(signature=["v1," + "A" * 43 + "="]), "mismatch"),
        (standard(signature=[SIGNED.replace("v1,", "v1a,")]), "mismatch"),
        (standard(at=NOW - TOLERANCE), None),
        (standard(at=NOW + TOLERANCE), None),
        (standard(at=NOW - TOLERANCE - timedelta(seconds=1)), "too_old"),
        (standard(at=NOW + TOLERANCE + timedelta(seconds=1)), "too_new"),
        (standard(timestamp=["0"]), "mismatch"),
    ],
)
def test_standard_webhooks(headers: dict[str, list[str]], said: str | None) -> None:
    assert reason(STANDARD, headers) == said


def test_an_error_says_which_header_it_is_about() -> None:
    with pytest.raises(SignatureError, match=r"^webhook-timestamp: missing$") as refused:
        verify(STANDARD, standard(timestamp=[]), BODY, NOW)
    assert (refused.value.reason, refused.value.header) == ("missing", "webhook-timestamp")


def test_a_body_that_is_no_text_is_signed_by_nobody() -> None:
    headers = standard(body=b"\xef\xbf\xbd")
    assert reason(STANDARD, headers, b"\xef\xbf\xbd") is None
    assert reason(STANDARD, headers, b"\xff") == "mismatch"


@pytest.mark.parametrize(
    ("sent", "said"),
    [
        (["correct horse battery"], None),
        ([], "missing"),
        (["correct horse battery"] * 2, "malformed"),
        (["corrèct horse battery"], "malformed"),
        (["correct horse batter"], "mismatch"),
        ([secret_digest("correct horse battery")], "mismatch"),
        ([""], "mismatch"),
    ],
)
def test_a_shared_header(sent: list[str], said: str | None) -> None:
    assert reason(SHARED, {"x-hr-token": sent}) == said


def test_two_secrets_are_in_force_while_one_takes_the_others_place() -> None:
    both = GitHubSignature(kind="github", secrets=["another secret of GitHub's", GITHUB_SECRET])
    assert reason(both, {"x-hub-signature-256": [GITHUB_SIGNED]}, GITHUB_BODY) is None
    rotating = StandardWebhooksSignature(kind="standard_webhooks", secrets=[WHSEC, OTHER])
    for secret in (WHSEC, OTHER):
        assert reason(rotating, standard(secret)) is None
    digests = [secret_digest(secret) for secret in ("the secret before", "the secret after")]
    shared = SharedHeader(kind="header", header="x-token", sha256=digests)
    for secret in ("the secret before", "the secret after"):
        assert reason(shared, {"x-token": [secret]}) is None


@pytest.mark.parametrize(
    "configuration",
    [
        {"kind": "github", "secrets": []},
        {"kind": "github", "secrets": [""]},
        {"kind": "github", "secrets": ["fifteen letters"]},
        {"kind": "github", "secrets": ["a secret with a\nline break"]},
        {"kind": "github", "secrets": ["ein Geheimnis für zwei"]},
        {"kind": "github", "secrets": [GITHUB_SECRET] * 3},
        {"kind": "standard_webhooks", "secrets": [""]},
        {"kind": "standard_webhooks", "secrets": ["whsec_"]},
        {"kind": "standard_webhooks", "secrets": [WHSEC.removeprefix("whsec_")]},
        {"kind": "standard_webhooks", "secrets": ["whsec_" + "A" * 28]},
        {"kind": "standard_webhooks", "secrets": ["whsec_" + "A" * 88]},
        {"kind": "standard_webhooks", "secrets": [WHSEC + "%"]},
        {"kind": "standard_webhooks", "secrets": ["whsec_" + "é" * 32]},
        {"kind": "header", "header": "", "sha256": ["0" * 64]},
        {"kind": "header", "header": "X Token", "sha256": ["0" * 64]},
        {"kind": "header", "header": "X-Token", "sha256": []},
        {"kind": "header", "header": "X-Token", "sha256": ["correct horse battery"]},
        {"kind": "none"},
    ],
)
def test_a_secret_that_protects_nothing_is_refused(configuration: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        TypeAdapter(Signature).validate_python(configuration)


@pytest.mark.parametrize("signature", [GITHUB, STANDARD, SHARED])
def test_secrets_do_not_show(signature: Any) -> None:
    kept = signature.model_dump()
    for secret in kept.get("secrets", kept.get("sha256")):
        assert secret not in repr(signature)
    assert TypeAdapter(Signature).validate_json(signature.model_dump_json()) == signature
