"""The index of one dataset of files, as a connector uses it: keep it current, ask it, confirm what it says."""

import hashlib
import os
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from downstream.engines.base import DataFile, Grouped
from downstream.engines.errors import ConnectorError
from downstream.engines.spans import Spans
from downstream.stores.base import Store, Stored
from downstream.subject_index import building, filters, segments
from downstream.subject_index.confirming import Hit, Wanted, confirm
from downstream.subject_index.hashes import Hasher, Hashes
from downstream.subject_index.segments import About, Unusable

MOST_KEYS = 200
"""For more keys than this the filters name most row groups by mistake alone: reading all keys once costs less."""
_AT_ONCE = 2
_DEAD_AFTER = 3_600.0
_SUFFIX = ".segment"
R = TypeVar("R")


@dataclass(frozen=True)
class Place:
    """Where the index of a dataset is, the secret that its hashes are made with, and how far it is to be trusted."""

    folder: Path
    secret: bytes = field(repr=False)
    full_look_due: bool = False
    """Whether verifying has to read everything again, whatever the index knows."""
    least_files: int = 8
    least_size: int = 64 * 2**20
    """A dataset of fewer files that are smaller in all is looked at whole, which costs no more."""


@dataclass(frozen=True)
class Holdings:
    """What an index holds."""

    asked: int
    """Files of the dataset."""
    files: int
    groups: int
    entries: int
    size: int
    """Bytes on disk."""
    built: int
    """How many segments were made just now."""


class Index:
    """The index of one dataset; nothing is looked at before it is asked."""

    def __init__(self, place: Place, store: Store, engine: Grouped, key_column: str) -> None:
        self._place = place
        self._store = store
        self._engine = engine
        self._hasher = Hasher(place.secret, key_column)

    def is_worth_it(self, files: Sequence[Stored]) -> bool:
        """Whether these files are looked at by the index rather than whole."""
        size = sum(one.size for one in files)
        return len(files) >= self._place.least_files or size >= self._place.least_size

    @property
    def full_look_due(self) -> bool:
        return self._place.full_look_due

    def about(self, stored: Stored) -> About | None:
        """What was seen of this file, if a change since would show."""
        try:
            with segments.opened(self._path(stored.name)) as segment:
                return segment.about if self._is_of(segment.about, stored) and segment.about.settled else None
        except Unusable:
            return None

    def refresh(self, files: Sequence[Stored]) -> dict[str, About]:
        """Make the segments that are missing or of another version, and delete those of files that are gone.

        Answers what was made now. Files that cannot be read, or not indexed, have no segment afterwards.
        """
        stale = [stored for stored in files if self.about(stored) is None]
        made: dict[str, About] = {}
        try:
            self._place.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            for stored in stale:
                # whoever left the file meanwhile is in no segment, even where no new one can be made
                self._path(stored.name).unlink(missing_ok=True)
            self._sweep(files)
        except OSError:
            return {}
        for stored, about in self._each(stale, self._build):
            if isinstance(about, About):
                made[stored.name] = about
        return made

    def forget(self, files: Iterable[Stored]) -> None:
        """Know nothing of these files any more."""
        with suppress(OSError):
            for stored in files:
                self._path(stored.name).unlink(missing_ok=True)

    def clear(self) -> None:
        """Know nothing any more."""
        with suppress(OSError):
            self._sweep([])

    def candidates(
        self, files: Sequence[Stored], keys: Collection[str], made: Collection[str]
    ) -> dict[str, list[int] | None]:
        """The row groups that may hold one of the keys, by file; None of a file that the index does not know.

        `made` are files whose segments were made for this very look and need not be settled.
        """
        by_family: dict[str, Hashes] = {}
        return {stored.name: self._candidates(stored, keys, by_family, stored.name in made) for stored in files}

    def confirm(
        self,
        files: Sequence[Stored],
        groups: Mapping[str, Collection[int]] | None,
        keys: Collection[str],
        spans: Spans,
    ) -> Iterator[tuple[Stored, Hit | ConnectorError]]:
        """Read the keys of these groups, or of all; what was found, or why it could not be read, file by file."""
        wanted = Wanted(keys, spans)

        def look(stored: Stored, file: DataFile) -> Hit | ConnectorError:
            try:
                return confirm(
                    self._engine,
                    file,
                    key_column=self._hasher.key_column,
                    wanted=wanted,
                    groups=groups[stored.name] if groups is not None else None,
                )
            except ConnectorError as failure:
                return failure

        return self._each(files, look)

    def holdings(self, files: Sequence[Stored], *, rebuild: bool) -> Holdings:
        """Bring the index up to date, from nothing if told so, and say what it holds."""
        if rebuild:
            self.clear()
        built = self.refresh(files)
        known, groups, entries, size = 0, 0, 0, 0
        for stored in files:
            try:
                with segments.opened(self._path(stored.name)) as segment:
                    known += 1
                    groups += len({int(group) for group in segment.filters["group"]})
                    entries += int(segment.filters["entries"].sum())
                    size += self._path(stored.name).stat().st_size
            except Unusable:
                continue
        return Holdings(len(files), known, groups, entries, size, len(built))

    def _candidates(
        self, stored: Stored, keys: Collection[str], by_family: dict[str, Hashes], is_made_now: bool
    ) -> list[int] | None:
        try:
            with segments.opened(self._path(stored.name)) as segment:
                about = segment.about
                if not self._is_of(about, stored) or not (about.settled or is_made_now):
                    return None
                if about.family not in by_family:
                    by_family[about.family] = self._hasher.keys(keys, about.family)
                held = filters.holding(segment, segment.filters, by_family[about.family])
                return sorted(set(segment.filters["group"][held].tolist()))
        except Unusable:
            return None

    def _is_of(self, about: About, stored: Stored) -> bool:
        return (about.make, about.name, about.fingerprint) == (self._hasher.make, stored.name, stored.fingerprint)

    def _build(self, stored: Stored, file: DataFile) -> About | None:
        try:
            about = building.build(self._path(stored.name), stored, file, engine=self._engine, hasher=self._hasher)
            if about is not None and self._store.fingerprint(stored.name) == stored.fingerprint:
                return about
        except ConnectorError:
            # whoever looks at the file itself will say what is wrong with it
            pass
        self._path(stored.name).unlink(missing_ok=True)
        return None

    def _each(
        self, files: Iterable[Stored], act: Callable[[Stored, DataFile], R]
    ) -> Iterator[tuple[Stored, R | ConnectorError]]:
        """What `act` answers for each, several at once; the error where a file cannot be brought here."""
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            for portion in self._store.portions(list(files)):
                for part in self._reachable(portion):
                    if isinstance(part, tuple):
                        yield part
                    else:
                        yield from zip(part, pool.map(act, part, part.values()), strict=True)

    def _reachable(
        self, portion: Sequence[Stored]
    ) -> Iterator["dict[Stored, DataFile] | tuple[Stored, ConnectorError]"]:
        """The files of a portion, to be read one way or the other until the next is asked for."""
        with ExitStack() as stack:
            try:
                local = stack.enter_context(self._store.at_hand([one.name for one in portion]))
            except ConnectorError as failure:
                if len(portion) == 1:
                    yield portion[0], failure
                    return
            else:
                yield dict(zip(portion, local, strict=True))
                return
        # one of them keeps the others from being brought here
        for stored in portion:
            yield from self._reachable([stored])

    def _path(self, name: str) -> Path:
        return self._place.folder / f"{hashlib.blake2b(name.encode(), digest_size=16).hexdigest()}{_SUFFIX}"

    def _sweep(self, files: Sequence[Stored]) -> None:
        """Delete the segments of all other files, and what builders that died have left."""
        keep = {self._path(stored.name).name for stored in files}
        if not self._place.folder.is_dir():
            return
        for entry in os.scandir(self._place.folder):
            is_left = entry.name.endswith(segments.TEMPORARY) and entry.stat().st_mtime < time.time() - _DEAD_AFTER
            if is_left or (entry.name.endswith(_SUFFIX) and entry.name not in keep):
                Path(entry.path).unlink(missing_ok=True)
