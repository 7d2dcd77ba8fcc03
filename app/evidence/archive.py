"""The archive: a ZIP with one form only, so that every byte of it follows from its members.

Members are stored, not compressed, without extra fields, comments or times. What is read is packed
again, and has to be the same: so a byte that belongs to no member can't be changed unseen either.
`unzip` reads it like any other.
"""

import re
import struct
import zlib
from collections.abc import Iterable, Mapping
from itertools import takewhile
from typing import Final

MAX_ARCHIVE: Final = 64 * 1024 * 1024
"""Bytes of a whole archive."""

MAX_MEMBERS: Final = 10_100
"""The most pieces that a template has, and what else there is."""

MEDIA_TYPE: Final = "application/zip"

_LOCAL = struct.Struct("<4s5H3I2H")
_CENTRAL = struct.Struct("<4s6H3I5H2I")
_END = struct.Struct("<4s4H2IH")
_BLOCK = 64 * 1024
_VERSION = 20
_MADE_BY = 3 << 8 | _VERSION  # on Unix, so that modes mean something
_DATE = 1 << 5 | 1  # 1980-01-01, the first day that there is
_MODE = 0o100644 << 16
_TYPES = 0o170000
_REGULAR = (0, 0o100000)
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,99}(?:/[A-Za-z0-9][A-Za-z0-9_.-]{0,99}){0,3}")
_PIECE = re.compile(r"pieces/([1-9][0-9]{0,4})-[^/]*")


class BrokenArchiveError(Exception):
    """What was read is no archive of evidence; the message says what is wrong, and where."""


def ordered(names: Iterable[str]) -> list[str]:
    """Names in the order in which an archive has them: pieces last, by their positions."""
    return sorted(names, key=_place)


def pack(members: Mapping[str, bytes]) -> bytes:
    """The archive of the members: the same bytes for the same members, in whatever order."""
    local, central = bytearray(), bytearray()
    for name in ordered(members):
        content, encoded = members[name], name.encode("ascii")
        sizes = (zlib.crc32(content), len(content), len(content), len(encoded), 0)
        offset = len(local)
        local += _LOCAL.pack(b"PK\x03\x04", _VERSION, 0, 0, 0, _DATE, *sizes) + encoded + content
        central += _CENTRAL.pack(
            *(b"PK\x01\x02", _MADE_BY, _VERSION, 0, 0, 0, _DATE, *sizes, 0, 0, 0, _MODE, offset)
        )
        central += encoded
    count = len(members)
    end = _END.pack(b"PK\x05\x06", 0, 0, count, count, len(central), len(local), 0)
    return bytes(local + central + end)


def unpack(archive: bytes) -> dict[str, bytes]:
    """The members of an archive, by name.

    Takes what other programs store, too, so that what they added can be named: `difference` tells
    whether it is what `pack` makes. Raises BrokenArchiveError for what has no members that can be
    told, or that nobody should unpack.
    """
    if len(archive) > MAX_ARCHIVE:
        raise BrokenArchiveError(f"it is larger than the {MAX_ARCHIVE:,} bytes that evidence has")
    count, place, until = _end_of(archive)
    members: dict[str, bytes] = {}
    expected = 0
    for number in range(1, count + 1):
        if place + _CENTRAL.size > until:
            raise BrokenArchiveError(f"its directory ends before entry {number} of {count}")
        entry = _CENTRAL.unpack_from(archive, place)
        signature, made_by, _, flags, method, _, _, _, stored, size = entry[:10]
        name_size, extra, comment, _, _, attributes, offset = entry[10:]
        if signature != b"PK\x01\x02":
            raise BrokenArchiveError(f"entry {number} of its directory is none")
        after = place + _CENTRAL.size + name_size
        name = _name_of(archive[place + _CENTRAL.size : after], number)
        if name in members:
            raise BrokenArchiveError(f"it has two members {name}")
        if method or stored != size:
            raise BrokenArchiveError(f"{name} is compressed, and evidence never is")
        if flags & ~0x0800:  # but for "the name is UTF-8"
            raise BrokenArchiveError(f"{name} is encrypted, or its size stands behind it")
        if made_by >> 8 == _MADE_BY >> 8 and attributes >> 16 & _TYPES not in _REGULAR:
            raise BrokenArchiveError(f"{name} is a link, or no file")
        if offset != expected:
            raise BrokenArchiveError(f"{name} doesn't follow the member before it")
        begin, expected = _span(archive, name, offset, size)
        members[name] = archive[begin:expected]
        place = after + extra + comment
    if place != until or expected != _directory_of(archive):
        raise BrokenArchiveError("there is something between its members and its end")
    return members


def difference(archive: bytes, members: Mapping[str, bytes]) -> str | None:
    """Where an archive is not what its members are packed as; None: it is."""
    packed = pack(members)
    if packed == archive:
        return None
    # Only the block that differs is gone through byte by byte.
    blocks = range(0, len(archive), _BLOCK)
    same = (packed[at : at + _BLOCK] == archive[at : at + _BLOCK] for at in blocks)
    begin = next((at for at, equal in zip(blocks, same, strict=True) if not equal), len(archive))
    pairs = zip(packed[begin : begin + _BLOCK], archive[begin : begin + _BLOCK], strict=False)
    at = begin + sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], pairs))
    return f"byte {at:,} of {len(archive):,}"


def _place(name: str) -> tuple[bool, int, str]:
    piece = _PIECE.fullmatch(name)
    return (piece is not None, int(piece[1]) if piece else 0, name)


def _end_of(archive: bytes) -> tuple[int, int, int]:
    """How many members there are, and where the directory begins and ends."""
    begin = len(archive) - _END.size
    if begin < 0 or archive[begin : begin + 4] != b"PK\x05\x06":
        raise BrokenArchiveError("it doesn't end as an archive does: it is cut off, or none")
    _, disk, first_disk, here, count, size, place, comment = _END.unpack_from(archive, begin)
    if disk or first_disk or here != count or comment or place + size != begin:
        raise BrokenArchiveError("its end doesn't say where its directory is")
    if count > MAX_MEMBERS:
        raise BrokenArchiveError(f"it has {count:,} members, and evidence {MAX_MEMBERS:,} at most")
    return count, place, begin


def _directory_of(archive: bytes) -> int:
    place: int = _END.unpack_from(archive, len(archive) - _END.size)[6]
    return place


def _name_of(encoded: bytes, number: int) -> str:
    name = encoded.decode("ascii", "backslashreplace")
    if not encoded.isascii() or not _NAME.fullmatch(name) or ".." in name:
        raise BrokenArchiveError(f"member {number} has the name {name[:100]!r}, as no evidence has")
    return name


def _span(archive: bytes, name: str, offset: int, size: int) -> tuple[int, int]:
    """Where a member's content begins and ends."""
    if offset + _LOCAL.size > len(archive):
        raise BrokenArchiveError(f"{name} begins behind the archive's end")
    header = _LOCAL.unpack_from(archive, offset)
    signature, _, flags, method, _, _, _, stored, local_size, name_size, extra = header
    named = offset + _LOCAL.size
    begin = named + name_size + extra
    if (
        signature != b"PK\x03\x04"
        or archive[named : named + name_size] != name.encode()
        or (stored, local_size, method) != (size, size, 0)
        or flags & ~0x0800
        or begin + size > len(archive)
    ):
        raise BrokenArchiveError(f"the header of {name} is not what the directory says of it")
    return begin, begin + size
