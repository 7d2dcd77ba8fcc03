"""A stream that is compressed once for all who read it."""

import zlib
from collections.abc import AsyncIterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.portions import Portion, deflated, plain, takes_deflate


async def stream(*contents: bytes) -> AsyncIterator[Portion]:
    """A stream of portions."""
    for content in contents:
        yield Portion(content)


@given(st.lists(st.binary(max_size=300), max_size=6))
async def test_what_is_compressed_by_portions_is_one_whole_stream(contents: list[bytes]) -> None:
    contents.append(b"\xff" * 100_000)  # its sums go round the modulus
    text = b"".join(contents)
    assert b"".join([part async for part in plain(stream(*contents))]) == text
    assert zlib.decompress(b"".join([part async for part in deflated(stream(*contents))])) == text


async def test_every_portion_can_be_read_when_it_comes() -> None:
    reader = zlib.decompressobj()
    assert [reader.decompress(part) async for part in deflated(stream(b"a", b"b"))] == [
        b"a",
        b"b",
        b"",
    ]
    assert reader.eof


async def test_a_stream_of_nothing_is_whole_too() -> None:
    assert zlib.decompress(b"".join([part async for part in deflated(stream())])) == b""


def test_a_portion_is_compressed_once() -> None:
    portion = Portion(b"a" * 1000)
    assert portion.deflated is portion.deflated
    assert len(portion.deflated) < 50


@pytest.mark.parametrize(
    ("accept_encoding", "taken"),
    [
        ("deflate", True),
        ("gzip, deflate, br", True),
        ("gzip;q=1.0, Deflate ; q=0.5", True),
        ("", False),
        ("identity", False),
        ("gzip", False),
        ("*", False),
        ("deflate;q=0", False),
        ("deflate; q=0.000, gzip", False),
        ("deflated", False),
    ],
)
def test_who_takes_deflate_says_so(accept_encoding: str, taken: bool) -> None:
    assert takes_deflate(accept_encoding) is taken
