"""Uploads on their way: what is too large for memory waits on disk encrypted, in a file without a name.

People send copies of their passports. A plain temporary file of these would outlive a crash, and the disk it lay on.
"""

import io
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any, BinaryIO

from django.core.files.uploadedfile import UploadedFile
from django.core.files.uploadhandler import FileUploadHandler

from portal import sealed_files
from portal.errors import NoRoom

_KIND = "uploads"


class SealedUploadHandler(FileUploadHandler):
    """Takes what the handler before it, which keeps small uploads in memory, leaves."""

    def new_file(self, *args: Any, **kwargs: Any) -> None:
        """Raises NoRoom, as everything that is written here."""
        super().new_file(*args, **kwargs)
        # closed with the request, by this name also where the upload breaks off
        self.file = sealed_files.nameless(_KIND)
        self._key = sealed_files.new_key()
        self._writer = sealed_files.SealedWriter(self.file, key=self._key)

    def receive_data_chunk(self, raw_data: bytes, start: int) -> None:
        with self._writable():
            self._writer.write(raw_data)

    def file_complete(self, file_size: int) -> "UploadedFile[Any]":
        with self._writable():
            self._writer.close()
            self.file.flush()
        content = io.BufferedReader(SealedReader(self.file, key=self._key))
        return UploadedFile(
            file=content,
            name=self.file_name,
            content_type=self.content_type,
            size=file_size,
            charset=self.charset,
            content_type_extra=self.content_type_extra,
        )

    @contextmanager
    def _writable(self) -> Iterator[None]:
        try:
            with sealed_files.writable(_KIND):
                yield
        except NoRoom:
            # it would be written once more when it is closed, and fail once more
            with suppress(OSError):
                self.file.close()
            raise

    def upload_interrupted(self) -> None:
        if hasattr(self, "file"):
            self.file.close()


class SealedReader(io.RawIOBase):
    """Reads what a SealedWriter wrote, as often as wanted, but only from the first byte on."""

    def __init__(self, file: BinaryIO, *, key: bytes) -> None:
        super().__init__()
        self._file, self._key = file, key
        self._at, self._left = 0, b""
        self._pieces = self._begin()

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        if whence == io.SEEK_SET and offset == 0:
            self._at, self._left, self._pieces = 0, b"", self._begin()
        elif (whence, offset) not in {(io.SEEK_CUR, 0), (io.SEEK_SET, self._at)}:
            raise io.UnsupportedOperation("An upload is read from its first byte on.")
        return self._at

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]  # what BufferedReader hands over
        self._left = self._left or next(self._pieces, b"")
        count = min(len(buffer), len(self._left))
        buffer[:count], self._left = self._left[:count], self._left[count:]
        self._at += count
        return count

    def close(self) -> None:
        self._file.close()
        super().close()

    def _begin(self) -> Iterator[bytes]:
        self._file.seek(0)
        return sealed_files.opened(self._file, key=self._key)
