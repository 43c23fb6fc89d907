"""Sealed files: what went in comes out, and nothing else does."""

import io
import tracemalloc
import uuid
import zipfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portal import sealed_files
from portal.sealed_files import CHUNK, SealedFileError

KEY = sealed_files.new_key()


def written(path: Path, *pieces: bytes, key: bytes = KEY) -> Path:
    with sealed_files.create(path, key=key) as writer:
        for piece in pieces:
            writer.write(piece)
    return path


def content(path: Path, key: bytes = KEY) -> bytes:
    return b"".join(sealed_files.read(path, key=key))


@pytest.mark.parametrize("size", [0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 3 * CHUNK])
def test_what_was_written_is_read(tmp_path: Path, size: int) -> None:
    text = bytes(range(256)) * (size // 256 + 1)
    assert content(written(tmp_path / "f", text[:size])) == text[:size]


@given(pieces=st.lists(st.binary(max_size=100), max_size=20))
def test_it_does_not_matter_in_which_pieces(tmp_path_factory: pytest.TempPathFactory, pieces: list[bytes]) -> None:
    path = tmp_path_factory.mktemp("sealed") / "f"
    assert content(written(path, *pieces)) == b"".join(pieces)


def test_nothing_of_it_can_be_read_in_the_file(tmp_path: Path) -> None:
    path = written(tmp_path / "f", b"alice@example.org " * 1000)
    assert b"alice" not in path.read_bytes()
    assert path.stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("harm", ["cut", "cut at a chunk", "flipped", "swapped", "other key", "emptied", "other head"])
def test_whatever_is_done_to_it_is_seen(tmp_path: Path, harm: str) -> None:
    path = written(tmp_path / "f", b"x" * CHUNK, b"y" * CHUNK, b"z")
    data, whole, head = path.read_bytes(), CHUNK + 16, 11
    first, second = data[head : head + whole], data[head + whole : head + 2 * whole]
    harmed = {
        "cut": data[:-1],
        "cut at a chunk": data[: head + 2 * whole],
        "flipped": data[:5000] + bytes([data[5000] ^ 1]) + data[5001:],
        "swapped": data[:head] + second + first + data[head + 2 * whole :],
        "other key": data,
        "emptied": b"",
        "other head": b"PK" + data[2:],
    }
    path.write_bytes(harmed[harm])
    key = sealed_files.new_key() if harm == "other key" else KEY
    with pytest.raises(SealedFileError) as refused:
        content(path, key)
    assert refused.value.code == "file_altered"


def test_a_failed_write_leaves_nothing_and_harms_nothing(tmp_path: Path) -> None:
    path = written(tmp_path / "f", b"before")
    with pytest.raises(TypeError), sealed_files.create(path, key=KEY) as writer:
        writer.write(b"after" + None)  # type: ignore[operator]  # whoever writes fails
    assert content(path) == b"before"
    assert [one.name for one in tmp_path.iterdir()] == ["f"]


def test_a_zip_is_written_through_it_in_flat_memory(tmp_path: Path) -> None:
    tracemalloc.start()
    with (
        sealed_files.create(tmp_path / "f", key=KEY) as writer,
        zipfile.ZipFile(writer, "w") as archive,
        archive.open("big.bin", "w", force_zip64=True) as entry,
    ):
        for _ in range(50):
            entry.write(bytes(CHUNK))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 16 * CHUNK
    with zipfile.ZipFile(io.BytesIO(content(tmp_path / "f"))) as archive:
        assert archive.testzip() is None
        assert archive.getinfo("big.bin").file_size == 50 * CHUNK


def test_deleting_and_sweeping(tmp_path: Path, settings: Any) -> None:
    settings.FILES_DIR = tmp_path
    path = written(sealed_files.path_of("packages", uuid.uuid4()), b"x")
    left = path.with_name("dead.part")
    left.touch()
    assert sealed_files.sweep("packages", older_than=left.stat().st_mtime) == 0
    assert sealed_files.sweep("packages", older_than=left.stat().st_mtime + 1) == 1
    assert sealed_files.delete(path)
    assert not sealed_files.delete(path)
    with pytest.raises(SealedFileError) as refused:
        content(path)
    assert refused.value.code == "file_gone"
