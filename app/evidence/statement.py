"""The in-toto Statement v1 over the members, and the DSSE envelope that it is signed in.

https://github.com/in-toto/attestation/blob/main/spec/v1/statement.md
https://github.com/secure-systems-lab/dsse/blob/master/protocol.md
"""

import base64
import hashlib
from collections.abc import Mapping
from typing import Any, Final

from app.canonical_json import canonical_json
from app.evidence.archive import ordered
from app.evidence.members import DSSE, STATEMENT, SUMS, head_of, json_of, sha256

TYPE: Final = "https://in-toto.io/Statement/v1"
PREDICATE_TYPE: Final = "urn:product-factory:evidence:v1"
PAYLOAD_TYPE: Final = "application/vnd.in-toto+json"

NO_SUBJECTS: Final = frozenset({SUMS, STATEMENT, DSSE})
"""What a statement can't be over: itself, and what is made after it."""


def statement_text(members: Mapping[str, bytes], proven_by: str) -> bytes:
    """The statement over the members, as RFC 8785 has it."""
    subjects = {name: sha256(members[name]) for name in members if name not in NO_SUBJECTS}
    return text_of(subjects, predicate_of(members, proven_by))


def text_of(subjects: Mapping[str, str], predicate: Mapping[str, Any]) -> bytes:
    """The text of the statement over these digests."""
    return canonical_json(
        {
            "_type": TYPE,
            "subject": [
                {"name": name, "digest": {"sha256": subjects[name]}} for name in ordered(subjects)
            ],
            "predicateType": PREDICATE_TYPE,
            "predicate": predicate,
        }
    ).encode()


def predicate_of(members: Mapping[str, bytes], proven_by: str) -> dict[str, Any]:
    """What the members say together. Raises ValueError or KeyError where they can't be read."""
    instance, version = json_of(members["instance.json"]), json_of(members["version.json"])
    head, signed = members["audit/head.txt"], members["audit/signed.txt"]
    run = json_of(members["audit/run.json"]) if "audit/run.json" in members else None
    shown = ("instance_collection_id", "template_key", "composed_at", "composition_digest")
    return {
        **{name: instance[name] for name in (*shown, "data_digest", "product_digest")},
        "current_at_composing": was_current(version, instance["composed_at"]),
        "proven_by": proven_by,
        "run": run
        and {
            "record_id": run["record_id"],
            "sha256": sha256(members["audit/run.json"]),
            "instances_digest": run["instances_digest"],
        },
        "segment": {
            "segment_no": head_of(head).segment_no,
            "segment_digest": sha256(head),
            "runs_digest": head_of(head).runs_digest,
        },
        "signed_head": {
            "segment_no": head_of(signed).segment_no,
            "segment_digest": sha256(signed),
        },
    }


def was_current(version: Mapping[str, Any], at: str) -> bool:
    """Whether a version was its family's current one; times as texts in UTC, so they compare."""
    return any(
        period["from"] <= at and (period["until"] is None or at < period["until"])
        for period in version["current"]
    )


def signed_text(payload: bytes) -> bytes:
    """What a DSSE signature is over: its pre-authentication encoding (PAE)."""
    return b"DSSEv1 %d %s %d %s" % (
        *(len(PAYLOAD_TYPE), PAYLOAD_TYPE.encode(), len(payload), payload),
    )


def envelope(payload: bytes, signature: bytes, public_key: str) -> bytes:
    """The DSSE envelope; `keyid` is the SHA-256 of the public key's PEM text."""
    return canonical_json(
        {
            "payload": base64.b64encode(payload).decode(),
            "payloadType": PAYLOAD_TYPE,
            "signatures": [
                {
                    "keyid": hashlib.sha256(public_key.encode()).hexdigest(),
                    "sig": base64.b64encode(signature).decode(),
                }
            ],
        }
    ).encode()


def opened(text: bytes) -> tuple[bytes, bytes]:
    """Payload and signature of an envelope. Raises ValueError where it is none."""
    try:
        document = json_of(text)
        (signature,) = document["signatures"]
        return (
            base64.b64decode(document["payload"], validate=True),
            base64.b64decode(signature["sig"], validate=True),
        )
    except (KeyError, TypeError) as error:
        raise ValueError("no DSSE envelope") from error
