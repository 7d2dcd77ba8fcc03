"""Whether the run knows the instance, the segment the run, and each head the one before it."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from app.evidence.findings import Findings
from app.evidence.members import (
    CHAIN,
    HEAD,
    INSTANCES,
    LIST,
    MAX_RUNS,
    RUN,
    SIGNED,
    Head,
    head_of,
    heads_in,
    json_of,
    sha256,
    split_lines,
)

_ENTRY = 48
_NO_INSTANCE = bytes(_ENTRY)
_OF_ALL_OLDER = "00000000-0000-0000-0000-000000000000"


def check_chain(members: Mapping[str, bytes], proven_by: str, findings: Findings) -> None:
    """Look at everything in audit/ but for the signature."""
    run = _run(members, findings)
    instance = _object(members, "instance.json")
    log = _object(members, "log.json")
    if run is not None and proven_by == "run":
        _check_run(run, log, findings)
        _check_instances(members.get(INSTANCES, b""), run, instance, findings)
    elif run is not None:
        told = (run.get("command"), run.get("subject_id"))
        findings.same("facts_differ", RUN, ("migrate_database", _OF_ALL_OLDER), told)
    head = _check_segment(members, run, findings)
    if head is not None and proven_by == "run_retired":
        at = str(instance.get("composed_at"))
        if not head.first_at <= at <= head.last_at:
            findings.add("facts_differ", HEAD, f"a segment with {at}", f"to {head.last_at}")
    _check_heads(members, findings)


def digests_in(members: Mapping[str, bytes]) -> set[str]:
    """The digests of all heads of the archive's chain."""
    try:
        return {sha256(text) for text in heads_in(members.get(CHAIN, b""))}
    except ValueError:
        return set()


def _check_run(run: dict[str, Any], log: dict[str, Any], findings: Findings) -> None:
    for of_the_run, of_the_log in (
        ("subject_id", "batch_id"),
        ("actor", "actor"),
        ("last_at", "composed_at"),
    ):
        findings.same(
            "facts_differ", f"{RUN} {of_the_run}", log.get(of_the_log), run.get(of_the_run)
        )
    findings.same("facts_differ", f"{RUN} outcome", "done", run.get("outcome"))


def _check_instances(
    entries: bytes, run: dict[str, Any], instance: dict[str, Any], findings: Findings
) -> None:
    findings.same("instances_differ", INSTANCES, run.get("instances_digest"), sha256(entries))
    found = _instances_in(entries)
    counts = run.get("counts")
    composed = counts.get("composed") if isinstance(counts, dict) else None
    if found is None:
        findings.add("instances_differ", INSTANCES, f"entries of {_ENTRY} bytes", "others")
        return
    findings.same("instances_differ", f"{INSTANCES} entries", composed, len(found))
    try:
        of = _entry(instance, "template_collection_id", "composition_digest")
        this = _entry(instance, "instance_collection_id", "data_digest")
    except (ValueError, KeyError, TypeError, AttributeError):
        return  # instance.json can't be read, or has no such thing, which is named elsewhere
    if (of, this) not in found:
        there = next((one for one in found if one[1][:16] == this[:16]), None)
        findings.add(
            "instances_differ",
            f"{INSTANCES} instance {instance['instance_collection_id']}",
            f"{of.hex()} {this.hex()}",
            there and f"{there[0].hex()} {there[1].hex()}",
        )


def _instances_in(entries: bytes) -> list[tuple[bytes, bytes]] | None:
    """Each instance's entry, with its template's; None where they are not as they are digested."""
    if len(entries) % _ENTRY:
        return None
    found = []
    template, announced = None, False
    for at in range(0, len(entries), _ENTRY):
        entry = entries[at : at + _ENTRY]
        if entry == _NO_INSTANCE:
            announced = True
        elif announced:
            template, announced = entry, False
        elif template is None:
            return None
        else:
            found.append((template, entry))
    return found


def _entry(instance: dict[str, Any], of: str, digest: str) -> bytes:
    return UUID(instance[of]).bytes + bytes.fromhex(instance[digest])


def _check_segment(
    members: Mapping[str, bytes], run: dict[str, Any] | None, findings: Findings
) -> Head | None:
    listed = members.get(LIST, b"")
    if run is not None:
        line = f"{sha256(members[RUN])}  {run.get('record_id')}"
        try:
            is_listed = line.encode("utf-8", "replace") in split_lines(listed, MAX_RUNS)
        except ValueError:
            is_listed = False  # how many lines there are to be, the head says below
        if not is_listed:
            findings.add("run_unlisted", f"run {run.get('record_id')}", line, None)
    try:
        head = head_of(members.get(HEAD, b""))
    except ValueError as error:
        findings.add("unreadable", HEAD, "a segment's head", error)
        return None
    findings.same("segment_edited", f"segment {head.segment_no}", head.runs_digest, sha256(listed))
    findings.same("segment_edited", f"{LIST} lines", head.runs, listed.count(b"\n"))
    return head


def _check_heads(members: Mapping[str, bytes], findings: Findings) -> None:
    try:
        texts = heads_in(members.get(CHAIN, b""))
        heads = [head_of(text) for text in texts]
    except ValueError as error:
        findings.add("unreadable", CHAIN, "heads of segments", error)
        return
    if HEAD in members:
        findings.same(
            "segment_unlinked", f"{CHAIN} begins", sha256(members[HEAD]), sha256(texts[0])
        )
    if SIGNED in members:
        findings.same(
            "segment_unlinked", f"{CHAIN} ends", sha256(members[SIGNED]), sha256(texts[-1])
        )
    for number, head in enumerate(heads[1:], start=1):
        before = heads[number - 1]
        findings.same(
            *("segment_unlinked", f"segment {head.segment_no}"),
            *(f"after {before.segment_no} {sha256(texts[number - 1])}",),
            f"after {head.segment_no - 1} {head.previous_digest}",
        )


def _run(members: Mapping[str, bytes], findings: Findings) -> dict[str, Any] | None:
    if RUN not in members:
        return None
    try:
        return json_of(members[RUN])
    except ValueError as error:
        findings.add("unreadable", RUN, "a JSON object", error)
        return None


def _object(members: Mapping[str, bytes], name: str) -> dict[str, Any]:
    """A member's JSON; what can't be read has nothing in it, and is named elsewhere."""
    try:
        return json_of(members.get(name, b""))
    except ValueError:
        return {}
