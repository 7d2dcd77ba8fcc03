"""Whether the members are those that were given: by the signed statement, or else by SHA256SUMS."""

import re
from collections.abc import Mapping
from typing import Any

from app.evidence.archive import MAX_MEMBERS, ordered
from app.evidence.findings import Findings
from app.evidence.members import (
    DSSE,
    KEY,
    PROOFS,
    SIGNATURE,
    SIGNED,
    STATEMENT,
    SUMS,
    json_of,
    lines_of,
    needed,
    sha256,
    split_lines,
    sums_text,
)
from app.evidence.statement import (
    NO_SUBJECTS,
    envelope,
    opened,
    predicate_of,
    signed_text,
    text_of,
)
from app.signing import is_signed, same_key

_SUM = re.compile(r"([0-9a-f]{64})  ([!-~]+)")


def check_lists(members: Mapping[str, bytes], key: str | None, findings: Findings) -> str:
    """Name each member that was changed, added or removed; answer what it is proven by.

    A statement whose signature holds is believed before SHA256SUMS, which anybody can write.
    Raises ValueError where `key` is no public key.
    """
    statement = _statement(members)
    proven_by = _proven_by(statement)
    actual = {name: sha256(members[name]) for name in members if name != SUMS}
    signed = _check_signatures(members, key, findings)
    listed = _sums(members.get(SUMS, b""))
    if signed and statement is not None:
        expected = _subjects(statement)
        expected |= {name: actual[name] for name in (STATEMENT, DSSE)}
        sums = sums_text(expected, ordered(expected))
        if SUMS in members:
            findings.same("member_changed", SUMS, sha256(sums), sha256(members[SUMS]))
    else:
        expected = listed
        sums = sums_text(listed, ordered(listed))
        if SUMS in members and (sums != members[SUMS] or not listed):
            findings.add("member_changed", SUMS, "a line for each member", "others")
    fixed = _fixed(members, proven_by)
    for name in ordered({*expected, *members, *fixed} - {SUMS}):
        if name not in actual:
            findings.add("member_missing", name, expected.get(name), None)
        elif name not in expected or name not in fixed:
            findings.add("member_added", name, None, actual[name])
        else:
            findings.same("member_changed", name, expected[name], actual[name])
    if SUMS not in members:
        findings.add("member_missing", SUMS, sha256(sums), None)
    if statement is not None:
        _check_statement(members, statement, proven_by, findings)
    elif STATEMENT in members:
        findings.add("unreadable", STATEMENT, "an in-toto statement", "none")
    return proven_by


def _check_signatures(members: Mapping[str, bytes], key: str | None, findings: Findings) -> bool:
    """Whether the statement is signed as its envelope says. `key` goes before the archive's own."""
    own = members.get(KEY, b"").decode("ascii", "replace")
    if key is not None and not _is_same_key(key, own):
        findings.add("key_differs", KEY, key, own)
    used = own if key is None else key
    try:
        payload, signature = opened(members.get(DSSE, b""))
    except ValueError:
        payload = signature = b""
    text = members.get(STATEMENT, b"")
    whole = payload == text and members.get(DSSE) == envelope(payload, signature, own)
    signed = whole and _holds(signed_text(text), signature, used)
    if not signed:
        findings.add("signature_wrong", DSSE, f"a signature of {STATEMENT}", "none that holds")
    if not _holds(members.get(SIGNED, b""), members.get(SIGNATURE, b""), used):
        findings.add("signature_wrong", SIGNATURE, f"a signature of {SIGNED}", "none that holds")
    return signed


def _check_statement(
    members: Mapping[str, bytes], statement: dict[str, Any], proven_by: str, findings: Findings
) -> None:
    """Whether the statement has its one form, and says what the members say."""
    said = statement["predicate"]
    form = text_of(_subjects(statement), said)
    if form != members[STATEMENT] or NO_SUBJECTS & _subjects(statement).keys():
        findings.add("statement_differs", STATEMENT, sha256(form), sha256(members[STATEMENT]))
    try:
        found = predicate_of(members, proven_by)
    except (ValueError, KeyError, TypeError, AttributeError):
        return  # what can't be read is named where it is looked at
    for name in sorted({*said, *found}):
        findings.same("statement_differs", f"{STATEMENT} {name}", said.get(name), found.get(name))


def _statement(members: Mapping[str, bytes]) -> dict[str, Any] | None:
    """The statement, if it has the members of one."""
    try:
        statement = json_of(members.get(STATEMENT, b""))
        subjects = _subjects(statement)
        text_of(subjects, statement["predicate"])
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None
    is_one = isinstance(statement["predicate"], dict) and all(
        isinstance(digest, str) for digest in subjects.values()
    )
    return statement if is_one else None


def _subjects(statement: dict[str, Any]) -> dict[str, str]:
    found = {}
    for subject in statement["subject"]:
        name = subject["name"]
        if not isinstance(name, str):
            raise TypeError("a name is a text")
        found[name] = subject["digest"]["sha256"]
    return found


def _proven_by(statement: dict[str, Any] | None) -> str:
    said = statement and statement["predicate"].get("proven_by")
    return said if isinstance(said, str) and said in PROOFS else "run"


def _fixed(members: Mapping[str, bytes], proven_by: str) -> set[str]:
    """The members that there are to be, told without any list of them."""
    try:
        lines = lines_of(members.get("composition.tsv", b""))
    except ValueError:
        # Which pieces there are can't be told: each is looked at.
        lines = []
    pieces = set() if lines else {name for name in members if name.startswith("pieces/")}
    try:
        of_an_event = json_of(members.get("instance.json", b"")).get("data_digest") is not None
    except ValueError:
        of_an_event = True
    return {*needed(lines, proven_by, of_an_event=of_an_event), *pieces}


def _sums(text: bytes) -> dict[str, str]:
    try:
        texts = split_lines(text, MAX_MEMBERS)
    except ValueError:
        return {}  # no list of members has so many, which is named as another one would be
    lines = (_SUM.fullmatch(line.decode("ascii", "replace")) for line in texts)
    return {line[2]: line[1] for line in lines if line}


def _holds(text: bytes, signature: bytes, key: str) -> bool:
    try:
        return is_signed(text, signature, key)
    except ValueError:
        return False


def _is_same_key(key: str, other: str) -> bool:
    try:
        return same_key(key, other)
    except ValueError:
        # Whose key was given is to be told apart from what the archive has.
        same_key(key, key)
        return False
