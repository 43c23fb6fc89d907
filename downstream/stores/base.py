"""What a store of files does for a connector: naming what is there, and swapping one file for another, atomically.

A store knows nothing of formats; an engine knows nothing of stores. Between them stand local paths: a store on this
machine gives its own, one elsewhere brings a copy of a file here while it is looked at.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import BinaryIO, Protocol

from downstream.engines.base import DataFile


@dataclass(frozen=True)
class Stored:
    """A file as it is found. The fingerprint changes whenever the content may have: inode and times, or an etag."""

    name: str
    size: int
    fingerprint: str
    changed_ns: int | None = None
    """Nanoseconds since 1970 when it last changed, where the fingerprint has the resolution of a clock."""


@dataclass(frozen=True)
class Kept:
    """What the store keeps of old versions, and until when its retention keeps the last of it (None: for ever)."""

    names: tuple[str, ...] = ()
    until: datetime | None = None


class Store(Protocol):
    """Every method raises ConnectorError and names the file in it. Names are relative, with slashes."""

    location: str

    def check(self) -> None:
        """Refuse a store on which files cannot be swapped safely: part of the connection test."""

    def walk(self, *, unfinished: bool = False) -> list[Stored]:
        """Every file at any depth but our own temporary ones, in the order of names.

        What writers have not finished is no data; it is named only where it is asked for.
        """

    def head_and_tail(self, name: str, count: int) -> tuple[bytes, bytes]:
        """The first and last `count` bytes, to tell what a file is."""

    def stream(self, name: str) -> AbstractContextManager[BinaryIO]:
        """The file's bytes, one after the other."""

    def portions(self, files: Sequence[Stored]) -> Iterator[Sequence[Stored]]:
        """The files in portions of which one may be at hand at once."""

    def at_hand(self, names: Sequence[str]) -> AbstractContextManager[list[DataFile]]:
        """Local paths to read these files by, as they are now, for as long as the context lasts."""

    def fingerprint(self, name: str) -> str:
        """The file's fingerprint now."""

    def size(self, name: str) -> int | None:
        """The file's size in bytes now; None where there is no such file."""

    def digest(self, name: str) -> str:
        """The SHA-256 of the file's content, in hex; what it tells of is there to stay."""

    def links(self, name: str) -> int:
        """By how many names the file's bytes can be reached."""

    def draft(self, name: str, *, token: str) -> Path:
        """An empty local file that only we may read, for the new version of `name`."""

    def settle(self, draft: Path, *, like: str) -> str:
        """Bring the filled draft to disk, in the old file's manner; answers the name it is remembered by."""

    def replace(self, name: str, *, by: str, fingerprint: str, digest: str, fence: Callable[[], object]) -> None:
        """Swap a settled draft in for a file that still has this fingerprint; `digest` is the draft's own.

        `fence` is called right before and raises where the lease is lost. Raises `source_changed`, `fence_lost`.
        """

    def discard(self, draft: str) -> None:
        """Throw a settled draft away, if it is still there."""

    def sweep(self) -> list[str]:
        """Throw away whatever drafts are left, by name."""

    def purge(self, *, retention: timedelta | None, at: datetime) -> None:
        """Erase old versions that the store keeps by itself, when they are older than `retention`.

        Without a decided retention the store's own setting stands, and nothing is erased here.
        """

    def kept(self, *, retention: timedelta | None, at: datetime, removed_at: datetime | None = None) -> Kept:
        """Old versions that are still there; only those that were there at `removed_at`, where that is told."""
