"""Archives that were made to do harm: refused at little cost, by a message that says why."""

import io
import stat
import struct
import time
import tracemalloc
import zipfile
from collections.abc import Callable

import pytest

from app.evidence.archive import MAX_ARCHIVE, MAX_MEMBERS, pack, unpack
from app.evidence.verifying import verify
from app.signing import SigningKey
from tests.support.evidence import Members, forged

MOST_SECONDS = 20.0
MOST_BYTES = 256 * 1024 * 1024


def refusal(archive: bytes) -> str:
    """What is said of an archive that can't be read; all that is found."""
    (finding,) = verify(archive).findings
    assert (finding.kind, finding.subject) == ("archive_broken", "archive")
    return finding.actual


def zipped(
    *entries: tuple[str | zipfile.ZipInfo, bytes], method: int = zipfile.ZIP_STORED
) -> bytes:
    """An archive as Python writes it."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", method) as opened:
        for name, content in entries:
            opened.writestr(name, content)
    return file.getvalue()


def link() -> zipfile.ZipInfo:
    entry = zipfile.ZipInfo("README.txt")
    entry.create_system = 3
    entry.external_attr = (stat.S_IFLNK | 0o777) << 16
    return entry


def test_a_bomb_is_not_unpacked() -> None:
    bomb = zipped(("data.json", bytes(200 * 1024 * 1024)), method=zipfile.ZIP_DEFLATED)
    assert len(bomb) < 1024 * 1024
    tracemalloc.start()
    assert refusal(bomb) == "data.json is compressed, and evidence never is"
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most < 8 * len(bomb)


@pytest.mark.parametrize(
    "name",
    [
        "../escaped.txt",
        "/etc/passwd",
        "a/../../b",
        "a//b",
        "a/",
        "C:\\x",
        "a\\b",
        ".hidden",
        "a/.b",
        "a/b/c/d/e",
        "ä.txt",
        "a b",
        "a\nb",
        "x" * 300,
        "-rf",
    ],
)
def test_a_name_that_leads_elsewhere_is_refused(name: str) -> None:
    assert refusal(zipped((name, b"x"))).startswith("member 1 has the name ")


def test_a_name_that_is_no_text_is_refused(archive: bytes) -> None:
    assert "member 1 has the name 'R\\\\xffADME.txt'" in refusal(
        archive.replace(b"README.txt", b"R\xffADME.txt")
    )


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_two_members_of_one_name_are_refused() -> None:
    assert refusal(zipped(("a", b"1"), ("a", b"2"))) == "it has two members a"


def test_a_link_is_refused() -> None:
    assert refusal(zipped((link(), b"/etc/passwd"))) == "README.txt is a link, or no file"


def test_more_members_than_there_can_be_are_refused() -> None:
    many = zipped(*((f"m{number}", b"") for number in range(MAX_MEMBERS + 1)))
    assert (
        refusal(many) == f"it has {MAX_MEMBERS + 1:,} members, and evidence {MAX_MEMBERS:,} at most"
    )


def test_an_archive_that_is_too_large_is_refused() -> None:
    assert "larger than the 67,108,864 bytes" in refusal(bytes(MAX_ARCHIVE + 1))


def test_members_that_lie_within_each_other_are_refused(archive: bytes) -> None:
    """As in bombs whose members share their content."""
    count = len(unpack(archive))
    directory = archive.index(b"PK\x01\x02")
    second = archive.index(b"PK\x01\x02", directory + 1)
    overlapping = bytearray(archive)
    overlapping[second + 42 : second + 46] = struct.pack("<I", 0)
    assert refusal(bytes(overlapping)) == "SHA256SUMS doesn't follow the member before it"
    assert count > 2


@pytest.mark.parametrize("place", range(0, 22, 2))
def test_an_end_that_says_something_else_is_refused(archive: bytes, place: int) -> None:
    altered = bytearray(archive)
    altered[len(archive) - 22 + place : len(archive) - 20 + place] = b"\xff\xff"
    assert refusal(bytes(altered))


DEEP = b"[" * 100_000 + b"]" * 100_000
HOSTILE: dict[str, Callable[[Members], None]] = {
    "nested deeply": lambda m: m.update({name: DEEP for name in m if name.endswith(".json")}),
    "an object nested deeply": lambda m: m.update(
        {name: b'{"a":' * 100_000 + b"1" + b"}" * 100_000 for name in m if name.endswith(".json")}
    ),
    "no objects": lambda m: m.update({name: b"[]" for name in m if name.endswith(".json")}),
    "nothing": lambda m: m.update(dict.fromkeys(m, b"")),
    "no text": lambda m: m.update(dict.fromkeys(m, b"\xff\xfe\x00")),
    "not a number": lambda m: m.update(
        {name: b'{"a":NaN}' for name in m if name.endswith(".json")}
    ),
    "a number without end": lambda m: m.update(
        {name: b'{"a":' + b"9" * 100_000 + b"}" for name in m if name.endswith(".json")}
    ),
    "half a character": lambda m: m.update(
        {name: b'{"composed_at":"\\ud800"}' for name in m if name.endswith(".json")}
    ),
    "other types": lambda m: m.update(
        {
            name: b'{"subject":[{"name":[],"digest":{"sha256":{}}}],"predicate":[],"current":[1],'
            b'"composed_at":{},"instance_collection_id":[],"data_digest":{},"counts":[],'
            b'"signatures":[[]],"payload":{},"template_collection_id":1,"record_id":{}}'
            for name in m
            if name.endswith(".json")
        }
    ),
    "another predicate": lambda m: m.update(
        {"statement.json": b'{"subject":[],"predicate":{"proven_by":[]}}'}
    ),
    "many values": lambda m: m.update({"data.json": b"[" + b"[]," * 5_000_000 + b"[]]"}),
    "many lines": lambda m: m.update(
        dict.fromkeys(("composition.tsv", "SHA256SUMS", "audit/chain.txt"), b"\n" * 1000000)
    ),
    **{
        f"nothing but line feeds in {name}": lambda m, name=name: m.update(  # type: ignore[misc]
            {name: b"\n" * 60_000_000}
        )
        for name in ("audit/chain.txt", "audit/segment.list", "composition.tsv", "SHA256SUMS")
    },
    "a key of another kind": lambda m: m.update(
        {
            "audit/audit.pub": b"-----BEGIN PUBLIC KEY-----\n"
            b"MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE\n-----END PUBLIC KEY-----\n"
        }
    ),
    "entries that are cut off": lambda m: m.update({"audit/instances.bin": bytes(47)}),
    "only zeros": lambda m: m.update({"audit/instances.bin": bytes(48 * 100_000)}),
    "an instance before any template": lambda m: m.update({"audit/instances.bin": b"x" * 48}),
}


@pytest.mark.parametrize("how", HOSTILE)
def test_members_that_were_made_to_do_harm_are_named(archive: bytes, how: str) -> None:
    members = unpack(archive)
    HOSTILE[how](members)
    archive = pack(members)
    began = time.monotonic()
    tracemalloc.start()
    found = verify(archive)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert time.monotonic() - began < MOST_SECONDS
    assert most < MOST_BYTES
    assert not found.holds
    assert all(len(f.expected) <= 200 and len(f.actual) <= 200 for f in found.findings)


def test_as_much_as_there_can_be_is_verified_in_little_time(
    archive: bytes, key: SigningKey
) -> None:
    def change(members: Members) -> None:
        members.update({f"pieces/{n}-x.txt": b"x" * 4096 for n in range(4, 10_001)})

    large = forged(archive, key, change)
    began = time.monotonic()
    tracemalloc.start()
    found = verify(large)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert time.monotonic() - began < MOST_SECONDS
    assert most < MOST_BYTES
    assert len(found.findings) == 9_997
