"""Packed files are read whole by both readers or refused, and written with the same codec."""

import gzip
import io
from pathlib import Path

import pytest
import zstandard

from downstream.engines import packing
from downstream.engines.base import DataFile
from downstream.engines.errors import ConnectorError
from tests.downstream.engines.acting import put

DATA = b"".join(b'{"n": %d}\n' % number for number in range(5_000))
_SKIPPABLE = b"\x50\x2a\x4d\x18" + (4).to_bytes(4, "little") + b"note"


def zstd(data: bytes) -> bytes:
    return zstandard.ZstdCompressor(write_checksum=True).compress(data)


PACKED = {
    "": DATA,
    "gzip": gzip.compress(DATA, mtime=0),
    "gzip of two members": gzip.compress(DATA[:70], mtime=0) + gzip.compress(DATA[70:], mtime=0),
    "zstd": zstd(DATA),
    "zstd of two frames": zstd(DATA[:70]) + zstd(DATA[70:]),
    "zstd with a note between": zstd(DATA[:70]) + _SKIPPABLE + zstd(DATA[70:]),
    "zstd with a note first": _SKIPPABLE + zstd(DATA),
}


def read(file: DataFile) -> bytes:
    with packing.read(file) as stream:
        return stream.read()


def read_again(file: DataFile) -> bytes:
    with packing.read_again(file) as stream:
        return stream.read()


@pytest.mark.parametrize("how", PACKED)
def test_both_readers_give_all_that_is_packed(tmp_path: Path, how: str) -> None:
    file = put(tmp_path, PACKED[how])
    assert read(file) == read_again(file) == DATA
    assert packing.packing_of(file).codec == how.split(" ")[0]


@pytest.mark.parametrize("how", PACKED)
def test_what_is_written_is_packed_the_same_way(tmp_path: Path, how: str) -> None:
    kind = packing.packing_of(put(tmp_path, PACKED[how]))
    with packing.write(str(tmp_path / "new"), kind) as out:
        out.write(DATA)
    new = DataFile("new", str(tmp_path / "new"))
    assert packing.packing_of(new) == kind
    assert read(new) == DATA


@pytest.mark.parametrize("how", [how for how in PACKED if how])
@pytest.mark.parametrize("cut", [1, 5, 200])
def test_what_is_cut_off_is_refused_by_both(tmp_path: Path, how: str, cut: int) -> None:
    file = put(tmp_path, PACKED[how][:-cut])
    for reader in (read, read_again):
        with pytest.raises(ConnectorError, match=r"^a ") as refused:
            reader(file)
        assert (refused.value.code, refused.value.permanent) == ("dataset_unreadable", True)


@pytest.mark.parametrize("how", ["gzip", "zstd"])
def test_what_is_damaged_is_refused_by_both(tmp_path: Path, how: str) -> None:
    data = bytearray(PACKED[how])
    data[len(data) // 2] ^= 0xFF
    file = put(tmp_path, bytes(data))
    for reader in (read, read_again):
        with pytest.raises(ConnectorError) as refused:
            reader(file)
        assert refused.value.code == "dataset_unreadable"


@pytest.mark.parametrize("head", [b"BZh91AY", b"\xfd7zXZ\0", b"PK\x03\x04"])
def test_other_codecs_are_refused(tmp_path: Path, head: bytes) -> None:
    with pytest.raises(ConnectorError, match="packed with") as refused:
        packing.packing_of(put(tmp_path, head))
    assert refused.value.code == "unsupported_codec"


@pytest.mark.parametrize(("inside", "kept"), [("posts.jsonl", "posts.jsonl"), ("m_alice.jsonl", "")])
def test_a_name_in_the_header_stays_where_it_is_the_files_own(tmp_path: Path, inside: str, kept: str) -> None:
    packed = io.BytesIO()
    with gzip.GzipFile(inside, "wb", 6, packed, mtime=1_700_000_000) as out:
        out.write(DATA)
    kind = packing.packing_of(put(tmp_path, packed.getvalue(), "posts.jsonl.gz"))
    assert kind == packing.Packing("gzip", kept, 1_700_000_000)
    with packing.write(str(tmp_path / "new"), kind) as out_again:
        out_again.write(DATA)
    assert (b"posts.jsonl" in (tmp_path / "new").read_bytes()[:40]) == bool(kept)


@pytest.mark.parametrize(
    ("name", "bare"), [("a.JSONL.GZ", "a.jsonl"), ("d/a.csv.zst", "d/a.csv"), ("a.zstd", "a"), ("a.tar", "a.tar")]
)
def test_a_name_is_told_without_its_codec(name: str, bare: str) -> None:
    assert packing.bare(name) == bare
