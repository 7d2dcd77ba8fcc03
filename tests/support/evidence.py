"""Evidence in tests: a made-up answer of fn_iu_evidence, and archives that somebody forged."""

import hashlib
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any
from uuid import UUID

from app.canonical_json import canonical_json
from app.evidence.archive import pack, unpack
from app.evidence.making import completed
from app.signing import SigningKey

Members = dict[str, bytes]

AT = "2026-03-02T08:12:44.120311Z"
EVENT, REFERENCE, BATCH = (str(UUID(int=number)) for number in (1, 2, 3))
TEMPLATE, RECORD, OTHER = (str(UUID(int=number)) for number in (4, 5, 6))
INSTANCE = str(UUID(hashlib.md5(f"{EVENT}:{REFERENCE}:ada".encode()).hexdigest()))
PIECES = (
    ("welcome", "text/markdown", "Welcome", "# Welcome, {{ name }}\n"),
    ("first_week", "text/markdown", "Erste Woche – Überblick", "Schlüssel, Kaffee ☕\n"),
    ("note", "text/plain", "", ""),
)
DATA = '{"grade":1000,"name":"Zoë","score":1}'


def sha256(content: str | bytes) -> str:
    """The digest of a text or of bytes."""
    return hashlib.sha256(content.encode() if isinstance(content, str) else content).hexdigest()


def head(segment_no: int, runs: int, runs_digest: str, previous: str) -> str:
    """A segment's head."""
    return (
        f"segment {segment_no}\nruns {runs}\nfrom {AT}\nto {AT} {RECORD}\nsealed {AT}\n"
        f"runs_sha256 {runs_digest}\nprevious_sha256 {previous}\nsealed_by service\n"
    )


def answer(segments: int = 3) -> dict[str, Any]:
    """What fn_iu_evidence would answer for an instance whose segment's chain has so many heads."""
    pieces = [
        {
            "position": position,
            "role": role,
            "content_digest": sha256(f"{media_type}\n{title}\n{body}"),
            "media_type": media_type,
            "title": title,
            "body": body,
        }
        for position, (role, media_type, title, body) in enumerate(PIECES, start=1)
    ]
    lines = (f"{p['position']}\t{p['role']}\t{p['content_digest']}\n" for p in pieces)
    composition, data = sha256("".join(lines)), sha256(DATA)
    entries = (
        bytes(48)
        + UUID(TEMPLATE).bytes
        + bytes.fromhex(composition)
        + b"".join(
            UUID(one).bytes + bytes.fromhex(digest)
            for one, digest in sorted(((INSTANCE, data), (OTHER, "ab" * 32)))
        )
    )
    run = {
        "record_id": RECORD,
        "subject_id": BATCH,
        "command": "instantiate_from_event",
        "outcome": "done",
        "actor": "hr-bot",
        "last_at": AT,
        "counts": {"composed": 2, "replayed": 0},
        "instances_digest": sha256(entries),
    }
    text = json.dumps(run)
    listed = f"{sha256('another')}  {OTHER}\n{sha256(text)}  {RECORD}\n"
    chain, previous = "", "0" * 64
    for number in range(7, 7 + segments):
        one = head(number, 2, sha256(listed) if number == 7 else "cd" * 32, previous)
        chain, previous = chain + one, sha256(one)
    shared = {
        "instance_collection_id": INSTANCE,
        "template_collection_id": TEMPLATE,
        "composed_at": AT,
        "data_digest": data,
    }
    return {
        "status": "ok",
        "proven_by": "run",
        "instance": {
            **shared,
            "instance_key": "letter",
            "template_key": "tpl:wf:letter/v2",
            "composition_digest": composition,
            "lineage_digest": composition,
            "product_digest": sha256(f"{composition}\n{data}\n"),
        },
        "log": {
            **shared,
            "event_id": EVENT,
            "reference_id": REFERENCE,
            "suffix": "ada",
            "batch_id": BATCH,
            "actor": "hr-bot",
            "event_type": "hr.employee.hired",
            "idempotency_key": INSTANCE.replace("-", ""),
        },
        "data": DATA,
        "version": {
            "template_collection_id": TEMPLATE,
            "template_key": "tpl:wf:letter/v2",
            "composition_digest": composition,
            "current": [{"from": "2026-03-01T00:00:00.000000Z", "until": None}],
        },
        "pieces": pieces,
        "run": text,
        "instances": entries.hex(),
        "list": listed,
        "chain": chain,
    }


def key_in(directory: Path, name: str = "audit.key") -> SigningKey:
    """A key that is made with the first look at it."""
    return SigningKey.kept_in(directory / name)


def forged(
    archive: bytes, key: SigningKey, change: Callable[[Members], None], proven_by: str = "run"
) -> bytes:
    """An archive in which somebody has changed members, made the lists anew, and signed with a key.

    The key in it stays as it was, unless the change puts in another one.
    """
    members = unpack(archive)
    change(members)
    lists = {"SHA256SUMS", "statement.json", "statement.dsse.json"}
    rest = {name: content for name, content in members.items() if name not in lists}
    return pack(completed(rest, proven_by, key))


def edited(text: bytes, **members: Any) -> bytes:
    """A JSON object with other members."""
    document: Mapping[str, Any] = json.loads(text)
    return canonical_json({**document, **members}).encode()
