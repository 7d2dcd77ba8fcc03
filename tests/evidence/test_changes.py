"""Whatever byte of an archive is changed, whatever is added or removed: it is named."""

import io
import os
import random
import zipfile
from collections.abc import Iterator

import pytest

from app.evidence.archive import pack, unpack
from app.evidence.making import make
from app.evidence.members import ALWAYS, OF_AN_EVENT, PROOFS
from app.evidence.verifying import Verification, verify
from app.signing import SigningKey
from tests.support.evidence import answer, forged

SEED = int(os.environ.get("FACTORY_TEST_SEED", random.randrange(2**32)))

NAMES = sorted(
    {*ALWAYS, *OF_AN_EVENT, *PROOFS["run"]}
    | {"pieces/1-welcome.txt", "pieces/2-first_week.txt", "pieces/3-note.txt"}
)


def named(found: Verification) -> set[str]:
    """What the findings are about."""
    return {finding.subject for finding in found.findings}


def kinds(found: Verification) -> set[tuple[str, str]]:
    return {(finding.kind, finding.subject) for finding in found.findings}


def places(size: int, chance: random.Random) -> Iterator[tuple[int, int]]:
    """First byte, last byte and some in between, each with what it is changed by."""
    for at in {0, size - 1, *(chance.randrange(size) for _ in range(12))}:
        yield at, chance.randrange(1, 256)


def test_the_archive_holds_and_is_the_same_every_time(archive: bytes, key: SigningKey) -> None:
    found = verify(archive, key=key.public_key)
    assert (found.findings, found.holds) == ((), True)
    assert found.predicate["proven_by"] == "run"
    assert sorted(unpack(archive)) == NAMES
    assert make(answer(), key) == archive


@pytest.mark.parametrize("name", NAMES)
def test_whatever_byte_of_a_member_is_changed_the_member_is_named(
    archive: bytes, key: SigningKey, name: str
) -> None:
    """In place, and in an archive that was packed anew; with the key, and without."""
    print(f"FACTORY_TEST_SEED={SEED}")
    chance = random.Random(f"{SEED} {name}")
    content = unpack(archive)[name]
    with zipfile.ZipFile(io.BytesIO(archive)) as file:
        entry = file.getinfo(name)
        begin = entry.header_offset + 30 + len(name)
    for at, by in places(len(content), chance):
        changed = bytearray(content)
        changed[at] ^= by
        inside = bytearray(archive)
        inside[begin + at] ^= by
        again = pack({**unpack(archive), name: bytes(changed)})
        for altered in (bytes(inside), again):
            for given in (None, key.public_key):
                found = verify(altered, key=given)
                assert ("member_changed", name) in kinds(found), (at, by, found.findings)
                others = {s for k, s in kinds(found) if k == "member_changed"} - {name}
                assert not others, (at, by, "nothing else is said to be changed")


def test_whatever_byte_of_the_archive_is_changed_it_does_not_hold(archive: bytes) -> None:
    """Those between the members too."""
    print(f"FACTORY_TEST_SEED={SEED}")
    chance = random.Random(SEED)
    members = unpack(archive)
    covered: set[int] = set()
    with zipfile.ZipFile(io.BytesIO(archive)) as file:
        for entry in file.infolist():
            begin = entry.header_offset + 30 + len(entry.filename)
            covered.update(range(begin, begin + entry.file_size))
    between = [at for at in range(len(archive)) if at not in covered]
    assert len(between) == len(archive) - sum(map(len, members.values()))
    for at in between:
        altered = bytearray(archive)
        altered[at] ^= chance.randrange(1, 256)
        found = verify(bytes(altered))
        assert {"archive_broken", "archive_altered"} & {f.kind for f in found.findings}, at
        assert "archive" in named(found)


def test_what_is_cut_off_or_put_behind_does_not_hold(archive: bytes) -> None:
    for altered in (b"", archive[:-1], archive[1:], archive + b"\n", archive[: len(archive) // 2]):
        (finding,) = verify(altered).findings
        assert (finding.kind, finding.subject) == ("archive_broken", "archive")


@pytest.mark.parametrize("name", NAMES)
def test_a_member_that_was_removed_is_named(archive: bytes, name: str) -> None:
    members = unpack(archive)
    del members[name]
    assert ("member_missing", name) in kinds(verify(pack(members)))


@pytest.mark.parametrize("name", ["extra.txt", "pieces/4-more.txt", "audit/run2.json", "zzz"])
def test_a_member_that_was_added_is_named(archive: bytes, name: str) -> None:
    assert kinds(verify(pack({**unpack(archive), name: b"x"}))) == {("member_added", name)}


@pytest.mark.parametrize("name", ["extra.txt", "pieces/4-more.txt", "audit/run2.json"])
def test_a_member_that_was_added_to_all_lists_too_is_named(
    archive: bytes, key: SigningKey, name: str
) -> None:
    """Which members there are to be is not told by any list."""
    more = forged(archive, key, lambda members: members.update({name: b"x"}))
    assert kinds(verify(more, key=key.public_key)) == {("member_added", name)}


@pytest.mark.parametrize("name", ["README.txt", "data.json", "pieces/3-note.txt"])
def test_a_member_that_was_removed_from_all_lists_too_is_named(
    archive: bytes, key: SigningKey, name: str
) -> None:
    less = forged(archive, key, lambda members: members.__delitem__(name))
    assert ("member_missing", name) in kinds(verify(less, key=key.public_key))


def test_a_member_that_another_program_has_added_is_named(archive: bytes) -> None:
    file = io.BytesIO(archive)
    with zipfile.ZipFile(file, "a") as opened:
        opened.writestr("extra.txt", "x")
    assert kinds(verify(file.getvalue())) == {
        ("member_added", "extra.txt"),
        ("archive_altered", "archive"),
    }


def test_members_in_another_order_do_not_hold(archive: bytes) -> None:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as opened:
        for name, content in reversed(unpack(archive).items()):
            opened.writestr(name, content)
    assert kinds(verify(file.getvalue())) == {("archive_altered", "archive")}


def test_a_member_that_was_renamed_is_named_twice(archive: bytes) -> None:
    members = unpack(archive)
    members["pieces/1-farewell.txt"] = members.pop("pieces/1-welcome.txt")
    found = kinds(verify(pack(members)))
    assert ("member_missing", "pieces/1-welcome.txt") in found
    assert ("member_added", "pieces/1-farewell.txt") in found
