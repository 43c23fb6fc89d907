"""Files in a folder of a local or mounted file system."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import BinaryIO

from downstream.engines.base import DataFile
from downstream.engines.errors import changed, reading, swept, writing
from downstream.stores import folders
from downstream.stores.base import Kept, Stored
from portal.fault_points import reach


class LocalStore:
    """Implements `downstream.stores.base.Store`. The new version lies beside the old one and is renamed."""

    def __init__(self, location: str) -> None:
        self.location = location

    def check(self) -> None:
        """A rename is atomic in every file system."""

    def walk(self, *, unfinished: bool = False) -> list[Stored]:
        place = folders.root(self.location)
        with reading(self.location):
            return [_stored(path, place) for path in folders.walk(place, unfinished=unfinished)]

    def head_and_tail(self, name: str, count: int) -> tuple[bytes, bytes]:
        with reading(name), self._path(name).open("rb") as stream:
            head = stream.read(count)
            stream.seek(max(0, stream.seek(0, 2) - count))
            return head, stream.read(count)

    @contextmanager
    def stream(self, name: str) -> Iterator[BinaryIO]:
        with reading(name), self._path(name).open("rb") as stream:
            yield stream

    def portions(self, files: Sequence[Stored]) -> Iterator[Sequence[Stored]]:
        yield files

    @contextmanager
    def at_hand(self, names: Sequence[str]) -> Iterator[list[DataFile]]:
        place = folders.root(self.location)
        yield [DataFile(name, str(folders.path_of(name, place))) for name in names]

    def fingerprint(self, name: str) -> str:
        with reading(name):
            return folders.fingerprint(self._path(name))

    def size(self, name: str) -> int | None:
        path = self._path(name)
        with reading(name):
            return path.stat().st_size if path.exists() else None

    def digest(self, name: str) -> str:
        path = self._path(name)
        with reading(name):
            digest = folders.sha256(path)
            # who renamed it may have died before the name was on disk
            folders.sync(path.parent)
        return digest

    def links(self, name: str) -> int:
        with reading(name):
            return self._path(name).stat().st_nlink

    def draft(self, name: str, *, token: str) -> Path:
        return folders.make_temporary(self._path(name), token=token)

    def settle(self, draft: Path, *, like: str) -> str:
        with writing(like):
            folders.settle_temporary(draft, like=self._path(like))
        return str(Path(like).with_name(draft.name))

    def replace(self, name: str, *, by: str, fingerprint: str, digest: str, fence: Callable[[], object]) -> None:
        source = self._path(name)
        fence()
        if self.fingerprint(name) != fingerprint:
            raise changed(name)
        reach("commit.before_rename")
        with writing(name):
            try:
                folders.swap(self._path(by), into=source)
            except FileNotFoundError:
                raise swept(name) from None
        reach("commit.after_rename")
        with writing(name):
            folders.sync(source.parent)
        reach("commit.after_dirsync")

    def discard(self, draft: str) -> None:
        with writing(draft):
            self._path(draft).unlink(missing_ok=True)

    def sweep(self) -> list[str]:
        place = folders.root(self.location)
        with reading(self.location):
            leftovers = folders.temporaries(place)
        with writing(self.location):
            for leftover in leftovers:
                leftover.unlink(missing_ok=True)
        return [folders.name_of(leftover, place) for leftover in leftovers]

    def purge(self, *, retention: timedelta | None, at: datetime) -> None:
        """Nothing old is kept: the old file went when the new one took its name."""

    def kept(self, *, retention: timedelta | None, at: datetime, removed_at: datetime | None = None) -> Kept:
        return Kept()

    def _path(self, name: str) -> Path:
        return folders.path_of(name, folders.root(self.location))


def _stored(path: Path, place: Path) -> Stored:
    stat = path.stat()
    return Stored(folders.name_of(path, place), stat.st_size, folders.fingerprint_of(stat), stat.st_ctime_ns)
