"""What somebody uploads is never plain on a disk, however large, and arrives as it was sent."""

import io
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile, UploadedFile
from django.test import RequestFactory

from portal import sealed_files
from portal.uploads import SealedReader

PASSPORT = b"passport of Alice, " * 200_000


@pytest.fixture(autouse=True)
def folder(settings: Any, tmp_path: Path) -> Path:
    settings.FILES_DIR = tmp_path
    return tmp_path / "uploads"


@contextmanager
def posted(content: bytes) -> Iterator[UploadedFile]:
    request = RequestFactory().post("/", {"document": SimpleUploadedFile("passport.txt", content)})
    with closing(request):
        file = request.FILES["document"]
        assert isinstance(file, UploadedFile)
        yield file


@pytest.mark.parametrize("content", [b"small", PASSPORT, bytes(sealed_files.CHUNK * 3)], ids=["small", "large", "even"])
def test_an_upload_arrives_as_it_was_sent(content: bytes) -> None:
    with posted(content) as file:
        assert (file.name, file.size) == ("passport.txt", len(content))
        assert b"".join(file.chunks()) == content
        # as often as it is asked for
        assert b"".join(file.chunks()) == content
        file.seek(0)
        assert file.read(7) == content[:7]


def test_a_large_one_lies_encrypted_and_without_a_name(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written: list[Any] = []
    make = tempfile.TemporaryFile

    def kept(**said: Any) -> Any:
        written.append(make(**said))
        return written[-1]

    monkeypatch.setattr(sealed_files.tempfile, "TemporaryFile", kept)
    with posted(PASSPORT):
        assert list(folder.iterdir()) == []
        (lies,) = written
        lies.seek(0)
        assert b"passport" not in lies.read()
    assert lies.closed


def test_it_is_read_from_its_first_byte_on() -> None:
    with tempfile.TemporaryFile() as file:
        with sealed_files.SealedWriter(file, key=bytes(32)) as writer:
            writer.write(b"twelve bytes")
        reader = io.BufferedReader(SealedReader(file, key=bytes(32)))
        assert (reader.read(6), reader.read()) == (b"twelve", b" bytes")
        with pytest.raises(io.UnsupportedOperation):
            reader.seek(5, io.SEEK_END)
