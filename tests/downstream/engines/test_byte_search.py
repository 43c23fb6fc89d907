"""Keys are found in the bytes of whatever lies beside the data."""

import bz2
import gzip
import io
import lzma
import zipfile
from collections.abc import Callable

import pytest
import zstandard

from downstream.engines import byte_search
from downstream.engines.errors import ConnectorError

KEYS = {"m_alice", "m_bäcker"}


def holds(content: bytes, keys: set[str] = KEYS) -> bool:
    return byte_search.holds_any("a file", io.BytesIO(content), keys)


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"", False),
        (b"wrong: m_alice\n", True),
        (b"m_alice", True),
        (b"wrong: m_alices and am_alice\n", False),
        (b"am_alice, then m_alice", True),
        ("grüße von m_bäcker!".encode(), True),
        (b"\0m_bobm_alicem_zoe\0", True),
        (b"m_bob", False),
    ],
)
@pytest.mark.parametrize(
    "wrap",
    [bytes, gzip.compress, zstandard.compress, bz2.compress, lzma.compress],
    ids=["plain", "gzip", "zstd", "bzip2", "xz"],
)
def test_a_key_is_found_where_it_stands_by_itself(
    content: bytes, expected: bool, wrap: Callable[[bytes], bytes]
) -> None:
    assert holds(wrap(content)) is expected


@pytest.mark.parametrize("split", range(1, 8))
def test_a_key_that_lies_over_the_edge_of_two_pieces_is_found(split: int) -> None:
    assert holds(b" " * ((1 << 20) - split) + b"m_alice" + b" " * 100)


def test_several_members_of_a_compressed_file_are_all_searched() -> None:
    assert holds(gzip.compress(b"nobody\n") + gzip.compress(b"m_alice\n"))
    assert holds(zstandard.compress(b"nobody\n") + zstandard.compress(b"m_alice\n"))


def test_what_cannot_be_opened_up_is_told() -> None:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("notes", "m_alice " * 100)
    packed.seek(0)
    assert byte_search.is_closed(packed)
    assert not holds(packed.getvalue())
    assert not byte_search.is_closed(io.BytesIO(b"m_alice"))
    assert not byte_search.is_closed(io.BytesIO(bz2.compress(b"m_alice")))


def test_keys_too_short_to_be_told_from_chance_are_not_searched_for() -> None:
    assert not holds(b"7 77 777", {"7", "777"})
    assert byte_search.searchable({"7", "7777"}) == {"7777"}


def test_a_file_that_is_cut_off_is_refused_by_name() -> None:
    whole = gzip.compress(bytes(range(256)) * 400)
    with pytest.raises(ConnectorError, match="a file") as refused:
        holds(whole[:-20])
    assert refused.value.code == "dataset_unreadable"
