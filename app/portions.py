"""A stream that many read, written and compressed once for all of them.

Its portions are bytes as they are, or `Content-Encoding: deflate`, which is zlib's format (RFC
1950) and what every browser takes. Each portion is compressed by itself, to whole bytes that refer
to nothing before them, so it fits into everybody's stream, wherever that began. A client's own are
only the header and the checksum at the end.
"""

import zlib
from collections.abc import AsyncIterator
from functools import cached_property

_HEADER = b"\x78\x01"
_LAST_BLOCK = b"\x03\x00"
_MODULUS = 65521
_FASTEST = 1


class Portion:
    """A part of a stream."""

    def __init__(self, content: bytes) -> None:
        self.content = content

    @cached_property
    def deflated(self) -> bytes:
        """Its blocks, the last of which is not the stream's last."""
        compressor = zlib.compressobj(_FASTEST, wbits=-zlib.MAX_WBITS)
        return compressor.compress(self.content) + compressor.flush(zlib.Z_SYNC_FLUSH)

    @cached_property
    def checksum(self) -> int:
        """Adler-32."""
        return zlib.adler32(self.content)


async def plain(portions: AsyncIterator[Portion]) -> AsyncIterator[bytes]:
    """The stream as it is."""
    async for portion in portions:
        yield portion.content


async def deflated(portions: AsyncIterator[Portion]) -> AsyncIterator[bytes]:
    """The stream, compressed."""
    checksum = zlib.adler32(b"")
    head = _HEADER
    async for portion in portions:
        checksum = _joined(checksum, portion.checksum, len(portion.content))
        yield head + portion.deflated
        head = b""
    yield head + _LAST_BLOCK + checksum.to_bytes(4)


def takes_deflate(accept_encoding: str) -> bool:
    """Whether who sends this `Accept-Encoding` takes `deflate` (RFC 9110, 12.5.3)."""
    for choice in accept_encoding.lower().split(","):
        coding, _, weight = (part.strip() for part in choice.partition(";"))
        if coding == "deflate":
            return weight.replace(" ", "").strip("0.") != "q="
    return False


def _joined(first: int, second: int, length: int) -> int:
    """The checksum of two parts, of which the second has this length: as in zlib's own."""
    low, high = first & 0xFFFF, first >> 16
    low_sum = (low + (second & 0xFFFF) - 1) % _MODULUS
    high_sum = (high + (second >> 16) + length * (low - 1)) % _MODULUS
    return high_sum << 16 | low_sum
