"""Whether the digests of content, data and product come out, and the facts agree."""

import hashlib
import re
from collections.abc import Mapping
from typing import Any

from app.evidence.findings import Findings
from app.evidence.members import canonical, json_of, lines_of, product_text, sha256

_MEDIA_TYPE = re.compile(rb"[a-z0-9!#$&^_.+-]+/[a-z0-9!#$&^_.+-]+")
_UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_OF_ALL = ("instance_collection_id", "template_collection_id", "composed_at", "data_digest")


def check_content(members: Mapping[str, bytes], findings: Findings) -> None:
    """Look at pieces, composition, data, product, identity, and whether one knows the other."""
    instance = _document(members, "instance.json", findings)
    version = _document(members, "version.json", findings)
    _check_composition(members, instance, version, findings)
    if version is not None and instance is not None:
        for name in ("template_collection_id", "template_key"):
            findings.same(
                "facts_differ", f"version.json {name}", instance.get(name), version.get(name)
            )
    if "log.json" in members:
        _check_event(members, instance, findings)


def _check_composition(
    members: Mapping[str, bytes],
    instance: dict[str, Any] | None,
    version: dict[str, Any] | None,
    findings: Findings,
) -> None:
    composition = members.get("composition.tsv", b"")
    try:
        lines = lines_of(composition)
    except ValueError as error:
        findings.add("unreadable", "composition.tsv", "lines of a composition", error)
        lines = []
    for line in lines:
        content = members.get(line.member)
        if content is None:
            continue  # it is named as missing
        findings.same("piece_differs", line.member, line.digest, sha256(content))
        if not _is_content(content):
            findings.add("unreadable", line.member, "media type, title and body", "something else")
    digest = sha256(composition)
    for name, document, member in (
        ("instance.json", instance, "composition_digest"),
        ("instance.json", instance, "lineage_digest"),
        ("version.json", version, "composition_digest"),
    ):
        if document is not None:
            said = document.get(member)
            findings.same("composition_differs", f"{name} {member}", said, digest)


def _check_event(
    members: Mapping[str, bytes], instance: dict[str, Any] | None, findings: Findings
) -> None:
    log = _document(members, "log.json", findings)
    if log is None or instance is None:
        return
    for name in _OF_ALL:
        findings.same("facts_differ", f"log.json {name}", instance.get(name), log.get(name))
    data = members.get("data.json", b"")
    findings.same("data_differ", "data.json", instance.get("data_digest"), sha256(data))
    if not canonical(data):
        findings.add("unreadable", "data.json", "JSON in the form of RFC 8785", "something else")
    product = product_text(instance) if "composition_digest" in instance else b""
    findings.same(
        "product_differs", "product.txt", sha256(product), sha256(members.get("product.txt", b""))
    )
    findings.same(
        *("product_differs", "instance.json product_digest"),
        *(instance.get("product_digest"), sha256(product)),
    )
    for name in ("event_id", "reference_id"):
        if not _UUID.fullmatch(str(log.get(name))):
            # Or the colons between the three could be moved, and the MD5 still come out.
            findings.add("unreadable", f"log.json {name}", "a UUID", log.get(name))
    text = f"{log.get('event_id')}:{log.get('reference_id')}:{log.get('suffix')}"
    key = hashlib.md5(text.encode("utf-8", "replace"), usedforsecurity=False).hexdigest()
    identity = str(instance.get("instance_collection_id")).replace("-", "")
    findings.same("identity_differs", "instance.json instance_collection_id", key, identity)
    findings.same("identity_differs", "log.json idempotency_key", key, log.get("idempotency_key"))


def _document(members: Mapping[str, bytes], name: str, findings: Findings) -> dict[str, Any] | None:
    """A member's JSON; None where it is missing, or no canonical object, which is named."""
    text = members.get(name)
    if text is None:
        return None
    try:
        document = json_of(text)
    except ValueError as error:
        findings.add("unreadable", name, "a JSON object", error)
        return None
    if not canonical(text):
        findings.add("unreadable", name, "JSON in the form of RFC 8785", "something else")
    return document


def _is_content(content: bytes) -> bool:
    """Whether it can have been digested: text, that begins with a media type and a title."""
    try:
        content.decode()
    except UnicodeDecodeError:
        return False
    media_type, *rest = content.split(b"\n", 2)
    return len(rest) == 2 and _MEDIA_TYPE.fullmatch(media_type) is not None
