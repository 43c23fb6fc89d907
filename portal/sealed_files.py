"""Files that only Heed can read, however long: encrypted in chunks as they are written, in memory that stays flat.

AES-256-GCM in the STREAM construction (Hoang, Reyhanitabar, Rogaway, Vizár, 2015): each chunk's nonce is a prefix of
the file, the chunk's number and whether it is the last, so that nothing can be swapped, left out or cut off. A file's
own key is sealed by whoever owns the file; without it the bytes say nothing.
"""

import errno
import io
import os
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import BinaryIO

import structlog
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from django.conf import settings

from portal.errors import DomainError, NoRoom

logger = structlog.get_logger(__name__)

_FULL = frozenset({errno.ENOSPC, errno.EDQUOT})
_UNWRITABLE = frozenset({errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR, errno.EIO})
CHUNK = 1 << 20
_MAGIC = b"HSF1"
_PREFIX_BYTES = 7
_TAG_BYTES = 16


class SealedFileError(DomainError):
    """A file that cannot be read: gone, cut off, altered, or of another key."""


def new_key() -> bytes:
    """A key for one file (32 bytes)."""
    return os.urandom(32)


def path_of(kind: str, name: uuid.UUID) -> Path:
    """Where the file of that name lies, below HEED_FILES."""
    hexadecimal = name.hex
    return Path(settings.FILES_DIR) / kind / hexadecimal[-2:] / hexadecimal


@contextmanager
def create(path: Path, *, key: bytes) -> "Iterator[SealedWriter]":
    """A writer whose file is there, whole and on disk, once the block ends; on error nothing is left.

    A file of that name is replaced. Raises NoRoom, also where something else within the block found the disk full.
    """
    kind, temporary = path.parent.parent.name, path.with_name(f"{path.name}.{uuid.uuid4().hex}.part")
    with writable(kind):
        path.parent.mkdir(parents=True, exist_ok=True)
        file = temporary.open("xb")
    try:
        # what was written last may be found to have no room as late as the file is closed
        with writable(kind, _FULL), file:
            temporary.chmod(0o600)
            with SealedWriter(file, key=key) as writer:
                yield writer
            file.flush()
            os.fsync(file.fileno())
        with writable(kind):
            temporary.rename(path)
            _sync_folder(path.parent)
    finally:
        temporary.unlink(missing_ok=True)


def nameless(kind: str) -> BinaryIO:
    """A new file without a name, below HEED_FILES, which is gone with whoever has it open. Raises NoRoom."""
    folder = Path(settings.FILES_DIR) / kind
    with writable(kind):
        folder.mkdir(parents=True, exist_ok=True)
        return tempfile.TemporaryFile(dir=folder)


@contextmanager
def writable(kind: str, found: frozenset[int] = frozenset()) -> Iterator[None]:
    """Within the block, what a full or unwritable disk says becomes NoRoom, once in the log for the operators.

    `found` are the error numbers that say so, where not every refusal is one of this disk.
    """
    try:
        yield
    except OSError as error:
        if error.errno not in (found or _FULL | _UNWRITABLE):
            raise
        logger.error("files.no_room", kind=kind, error=errno.errorcode.get(error.errno or 0, ""))
        raise NoRoom from error


def read(path: Path, *, key: bytes) -> Iterator[bytes]:
    """The content, a megabyte at a time. Raises SealedFileError(`file_gone` | `file_altered`), also half-way."""
    try:
        file = path.open("rb")
    except FileNotFoundError as error:
        raise SealedFileError("file_gone", "The file is no longer there.") from error
    with file:
        yield from opened(file, key=key)


def opened(file: BinaryIO, *, key: bytes) -> Iterator[bytes]:
    """The same of an open file, from where it stands. Raises SealedFileError(`file_altered`)."""
    head = file.read(len(_MAGIC) + _PREFIX_BYTES)
    if len(head) != len(_MAGIC) + _PREFIX_BYTES or not head.startswith(_MAGIC):
        raise _altered()
    cipher, prefix, number = AESGCM(key), head[len(_MAGIC) :], 0
    chunk = file.read(CHUNK + _TAG_BYTES)
    while True:
        following = file.read(CHUNK + _TAG_BYTES)
        try:
            yield cipher.decrypt(_nonce(prefix, number, is_last=not following), chunk, _MAGIC)
        except (InvalidTag, ValueError) as error:
            raise _altered() from error
        if not following:
            return
        chunk, number = following, number + 1


def delete(path: Path) -> bool:
    """Delete the file; answers whether there was one."""
    try:
        path.unlink()
    except FileNotFoundError:
        return False
    _sync_folder(path.parent)
    return True


def sweep(kind: str, *, older_than: float) -> int:
    """Delete what died writers left behind, unwritten since that time (seconds since 1970); answers how many."""
    swept = 0
    for part in (Path(settings.FILES_DIR) / kind).glob("*/*.part"):
        if part.stat().st_mtime < older_than:
            part.unlink(missing_ok=True)
            swept += 1
    return swept


def abandon(path: Path) -> int:
    """Delete what writers of this one file have begun; answers how many.

    One that still runs can no longer put its file in place: it gets a FileNotFoundError.
    """
    parts = list(path.parent.glob(f"{path.name}.*.part"))
    for part in parts:
        part.unlink(missing_ok=True)
    return len(parts)


class SealedWriter(io.RawIOBase):
    """Encrypts what is written to it. It cannot seek, and neither need whoever writes a ZIP."""

    def __init__(self, file: BinaryIO, *, key: bytes) -> None:
        super().__init__()
        self._file, self._cipher = file, AESGCM(key)
        self._prefix = os.urandom(_PREFIX_BYTES)
        self._number, self._waiting = 0, bytearray()
        self.size = 0
        """Bytes of content so far."""
        file.write(_MAGIC + self._prefix)

    def writable(self) -> bool:
        return True

    def write(self, data: "bytes | bytearray | memoryview") -> int:  # type: ignore[override]  # a narrower buffer
        self._waiting += data
        self.size += len(data)
        # one chunk is kept back, for which one is the last is known only at the end
        while len(self._waiting) > CHUNK:
            self._seal(bytes(self._waiting[:CHUNK]), is_last=False)
            del self._waiting[:CHUNK]
        return len(data)

    def close(self) -> None:
        if not self.closed:
            self._seal(bytes(self._waiting), is_last=True)
            self._waiting.clear()
        super().close()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self.close()

    def _seal(self, chunk: bytes, *, is_last: bool) -> None:
        self._file.write(self._cipher.encrypt(_nonce(self._prefix, self._number, is_last=is_last), chunk, _MAGIC))
        self._number += 1


def _nonce(prefix: bytes, number: int, *, is_last: bool) -> bytes:
    return prefix + number.to_bytes(4, "big") + bytes([is_last])


def _altered() -> SealedFileError:
    return SealedFileError("file_altered", "The file was cut off or altered, or belongs to another key.")


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
