"""Verifying an archive offline, without a database or a service.

Nothing is believed because the archive says so: not even which members it has.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from app.evidence.archive import BrokenArchiveError, difference, unpack
from app.evidence.chain import check_chain, digests_in
from app.evidence.content import check_content
from app.evidence.findings import Finding, Findings
from app.evidence.lists import check_lists
from app.evidence.members import json_of
from app.evidence.statement import predicate_of


@dataclass(frozen=True, slots=True)
class Verification:
    """Whether an archive holds. `predicate` is what its members say; {}: that can't be read."""

    findings: tuple[Finding, ...]
    predicate: Mapping[str, Any] = field(default_factory=dict)

    @property
    def holds(self) -> bool:
        """Whether nothing was found."""
        return not self.findings


def verify(archive: bytes, *, head: str | None = None, key: str | None = None) -> Verification:
    """Look whether every byte of an archive is what it is to be, and every formula comes out.

    `head` is the digest of a head that was kept elsewhere, and must be in the archive's chain,
    from a run that knows the instance: without that it proves nothing of it;
    `key` is the public key (PEM) that it must be signed with. Without either, an archive holds that
    somebody has made anew, and signed with a key of their own. Raises ValueError for a `key` that
    is none.
    """
    findings = Findings()
    try:
        members = unpack(archive)
    except BrokenArchiveError as error:
        findings.add("archive_broken", "archive", "an archive of evidence", error)
        return Verification(findings.found)
    proven_by = check_lists(members, key, findings)
    _look(findings, lambda: check_content(members, findings))
    _look(findings, lambda: check_chain(members, proven_by, findings))
    if head is not None:
        reached = digests_in(members)
        if head not in reached:
            findings.add("head_missing", f"head {head}", "in the chain", f"{len(reached)} others")
        if proven_by != "run":
            # Who has the key can say this of any document, in a chain that is whole.
            findings.add("run_missing", f"head {head}", "a run that knows the instance", proven_by)
    if (place := difference(archive, members)) is not None:
        findings.add("archive_altered", "archive", "as its members are packed", place)
    return Verification(findings.found, _predicate(members, proven_by))


def _look(findings: Findings, check: Callable[[], None]) -> None:
    """Have something looked at; what is missing, or can't be read, ends that."""
    try:
        check()
    except KeyError as error:
        findings.add("unreadable", "archive", f"member {error}", "none")


def _predicate(members: Mapping[str, bytes], proven_by: str) -> Mapping[str, Any]:
    try:
        json_of(members["instance.json"])
        return predicate_of(members, proven_by)
    except (ValueError, KeyError, TypeError, AttributeError):
        return {}
