"""The members of an archive: what they are called, and how they follow from what is stored."""

import hashlib
import json
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from app.canonical_json import canonical_json

SUMS: Final = "SHA256SUMS"
README: Final = "README.txt"
STATEMENT: Final = "statement.json"
DSSE: Final = "statement.dsse.json"
RUN: Final = "audit/run.json"
INSTANCES: Final = "audit/instances.bin"
LIST: Final = "audit/segment.list"
HEAD: Final = "audit/head.txt"
CHAIN: Final = "audit/chain.txt"
SIGNED: Final = "audit/signed.txt"
SIGNATURE: Final = "audit/signed.sig"
KEY: Final = "audit/audit.pub"

ALWAYS: Final = frozenset(
    {README, SUMS, STATEMENT, DSSE, LIST, HEAD, CHAIN, SIGNED, SIGNATURE, KEY}
    | {"instance.json", "version.json", "composition.tsv"}
)
OF_AN_EVENT: Final = frozenset({"log.json", "data.json", "product.txt"})
PROOFS: Final[Mapping[str, frozenset[str]]] = {
    "run": frozenset({RUN, INSTANCES}),
    "older_than_runs": frozenset({RUN}),
    "run_retired": frozenset(),
}
"""By what an instance is proven, and the members that it takes."""

MAX_JSON: Final = 8 * 1024 * 1024
"""Bytes of a member that is JSON: there is none that has more."""

MAX_PIECES: Final = 10_000
"""Of a composition."""

MAX_HEADS: Final = 20_000
"""Of a chain: fn_iu_evidence_audit answers no longer one."""

MAX_RUNS: Final = 1_000
"""Of a segment."""

HEAD_LINES: Final = 8
_LINE = re.compile(rb"([1-9][0-9]{0,4})\t([a-z][a-z0-9_-]{0,62})\t([0-9a-f]{64})")
_HEAD = re.compile(
    rb"segment ([1-9][0-9]{0,18})\nruns ([1-9][0-9]{0,8})\n"
    rb"from ([^\n ]+)\nto ([^\n ]+) [0-9a-f-]{36}\n"
    rb"sealed [^\n ]+\nruns_sha256 ([0-9a-f]{64})\nprevious_sha256 ([0-9a-f]{64})\n"
    rb"sealed_by [^\n]*\n"
)


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a composition."""

    position: int
    role: str
    digest: str

    @property
    def member(self) -> str:
        """The member with its content."""
        return f"pieces/{self.position}-{self.role}.txt"


@dataclass(frozen=True, slots=True)
class Head:
    """What a segment's head says; times are as it has them."""

    segment_no: int
    runs: int
    first_at: str
    last_at: str
    runs_digest: str
    previous_digest: str


def sha256(content: bytes) -> str:
    """The digest of bytes, as 64 hex digits."""
    return hashlib.sha256(content).hexdigest()


def stored_members(found: Mapping[str, Any]) -> dict[str, bytes]:
    """The members that what fn_iu_evidence answers comes to, without what is signed and listed."""
    lines, members = [], {}
    for piece in found["pieces"]:
        line = Line(piece["position"], piece["role"], piece["content_digest"])
        lines.append(f"{line.position}\t{line.role}\t{line.digest}\n")
        content = f"{piece['media_type']}\n{piece['title']}\n{piece['body']}"
        members[line.member] = content.encode()
    members["composition.tsv"] = "".join(lines).encode()
    members["instance.json"] = canonical_json(found["instance"]).encode()
    members["version.json"] = canonical_json(found["version"]).encode()
    if found["log"] is not None:
        members["log.json"] = canonical_json(found["log"]).encode()
        members["data.json"] = found["data"].encode()
        members["product.txt"] = product_text(found["instance"])
    if found["run"] is not None:
        members[RUN] = found["run"].encode()
    if found["instances"] is not None:
        members[INSTANCES] = bytes.fromhex(found["instances"])
    members[LIST] = found["list"].encode()
    members[CHAIN] = found["chain"].encode()
    heads = heads_in(members[CHAIN])
    members[HEAD], members[SIGNED] = heads[0], heads[-1]
    return members


def product_text(instance: Mapping[str, Any]) -> bytes:
    """The text whose SHA-256 is the product digest."""
    return f"{instance['composition_digest']}\n{instance['data_digest']}\n".encode()


def sums_text(digests: Mapping[str, str], order: Sequence[str]) -> bytes:
    """What `sha256sum -c` checks."""
    return "".join(f"{digests[name]}  {name}\n" for name in order).encode()


def needed(lines: Sequence[Line], proven_by: str, *, of_an_event: bool) -> Collection[str]:
    """The names of all members that an archive has, and may have."""
    return (
        ALWAYS
        | (OF_AN_EVENT if of_an_event else frozenset())
        | PROOFS.get(proven_by, PROOFS["run"])
        | {line.member for line in lines}
    )


def json_of(text: bytes) -> dict[str, Any]:
    """A JSON object. Raises ValueError for anything else."""
    document = _parsed(text)
    if not isinstance(document, dict):
        raise ValueError("no JSON object")  # noqa: TRY004 - of what was read
    return document


def canonical(text: bytes) -> bool:
    """Whether a text is the one form that RFC 8785 gives to its value."""
    try:
        return canonical_json(_parsed(text)).encode() == text
    except (ValueError, RecursionError):
        return False


def split_lines(text: bytes, most: int) -> list[bytes]:
    """What stands between the line feeds of a text. Raises ValueError for more than `most` of them.

    They are counted first: a line that is empty takes nine times its text in memory.
    """
    if text.count(b"\n") > most:
        raise ValueError(f"more than {most:,} lines")
    return text.split(b"\n")


def lines_of(composition: bytes) -> list[Line]:
    """The lines of a composition. Raises ValueError where they are not as docs/digests.md says."""
    *texts, rest = split_lines(composition, MAX_PIECES)
    lines = [_line(text, number) for number, text in enumerate(texts, start=1)]
    if rest or not lines:
        raise ValueError("its last line has no end")
    return lines


def heads_in(chain: bytes) -> list[bytes]:
    """The heads that follow each other in a text. Raises ValueError where they are cut off."""
    *lines, rest = split_lines(chain, MAX_HEADS * HEAD_LINES)
    if rest or not lines or len(lines) % HEAD_LINES:
        raise ValueError(f"{len(lines)} lines, and not {HEAD_LINES} for each head")
    return [
        b"\n".join([*lines[at : at + HEAD_LINES], b""]) for at in range(0, len(lines), HEAD_LINES)
    ]


def head_of(text: bytes) -> Head:
    """What a head says. Raises ValueError where it is none."""
    found = _HEAD.fullmatch(text)
    if found is None:
        raise ValueError("no head of a segment")
    return Head(
        segment_no=int(found[1]),
        runs=int(found[2]),
        first_at=found[3].decode("ascii", "replace"),
        last_at=found[4].decode("ascii", "replace"),
        runs_digest=found[5].decode(),
        previous_digest=found[6].decode(),
    )


def _parsed(text: bytes) -> Any:
    if len(text) > MAX_JSON:
        # A value takes twenty times its text in memory.
        raise ValueError(f"longer than {MAX_JSON:,} bytes")
    try:
        return json.loads(text)
    except RecursionError as error:
        raise ValueError("nested too deeply") from error


def _line(text: bytes, number: int) -> Line:
    found = _LINE.fullmatch(text)
    if found is None or int(found[1]) != number:
        raise ValueError(f"line {number} is none of a composition")
    return Line(number, found[2].decode(), found[3].decode())
