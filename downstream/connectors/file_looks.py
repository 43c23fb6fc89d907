"""Looking for people's rows in the files of a dataset: by its subject index where that costs less, else by reading.

Both ways find the same rows. What the index says to be there is read before it is told, and of a file it says what is
not there only while the file is by its fingerprint the one whose every key it has read. Only a file that may hold
somebody is asked when its rows were made.
"""

import time
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from downstream.connectors.base import ConnectorError, Spans
from downstream.engines.base import Engine
from downstream.stores.base import Store, Stored
from downstream.subject_index.confirming import Hit
from downstream.subject_index.headers import Header, Headers
from downstream.subject_index.index import MOST_KEYS, Index


@dataclass(frozen=True)
class Located:
    """Rows that have to go of one file. The keys are personal data: not for logs."""

    rows: int
    rows_per_key: dict[str, int] | None = field(default=None, repr=False)
    """None where nobody has counted yet."""
    groups: tuple[int, ...] | None = None
    """The row groups that hold them; None where nobody knows."""


class Looks:
    """Looks at the files of one dataset."""

    def __init__(self, store: Store, engine: Engine, key_column: str, index: Index | None = None) -> None:
        self._store = store
        self._engine = engine
        self._key_column = key_column
        self.index = index
        self.remembered: Headers | None = None
        """What files said about themselves, where their formats have no index."""

    def find(
        self, files: Sequence[Stored], keys: Collection[str], spans: Spans, failures: list[ConnectorError]
    ) -> dict[str, Located]:
        """Rows that have to go, by file; why some could not be looked at is added to `failures`."""
        index = self._index_for(files)
        if index is None:
            return self.scan(files, keys, spans, failures)
        if _are_many(keys, spans):
            # nearly every row group would be named: all are read, which also tells whose rows are in which
            return _hits(index.confirm(files, None, keys, spans), failures)
        made = index.refresh(files)
        return self._by_index(index, files, made, keys, spans, failures)[0]

    def again(
        self, files: Sequence[Stored], keys: Collection[str], spans: Spans, failures: list[ConnectorError]
    ) -> tuple[dict[str, Located], int]:
        """The same, to be relied on: read is what is new or has changed, and everything where a full look is due.

        The second answer is how many files were not read, because they are unchanged since they last were.
        """
        index = self._index_for(files)
        if index is None:
            if self.index is not None:
                # what was remembered when it was larger would be of people who have left since
                self.index.clear()
            return self.scan(files, keys, spans, failures), 0
        if index.full_look_due or _are_many(keys, spans):
            known: list[Stored] = []
        else:
            known = [stored for stored in files if index.about(stored) is not None]
        names = {stored.name for stored in known}
        located = self.scan([stored for stored in files if stored.name not in names], keys, spans, failures)
        # what was read tells better than what was remembered, or the next look would not find these rows either
        index.forget([stored for stored in files if index.full_look_due or stored.name in located])
        # who was taken out of a file is in no segment from here on
        index.refresh(files)
        by_index, scanned = self._by_index(index, known, (), keys, spans, failures)
        return located | by_index, len(known) - scanned

    def scan(
        self, files: Sequence[Stored], keys: Collection[str], spans: Spans, failures: list[ConnectorError]
    ) -> dict[str, Located]:
        """Read every key; where the look at all fails, each file is looked at, to go on with the good."""
        located: dict[str, int] = {}
        for portion in self._store.portions(files) if files else ():
            try:
                located |= self._scan(portion, keys, spans)
            except ConnectorError:
                for stored in portion:
                    try:
                        located |= self._scan([stored], keys, spans)
                    except ConnectorError as failure:
                        failures.append(failure)
        return {name: Located(rows) for name, rows in located.items()}

    def headers(self, files: Iterable[Stored]) -> dict[str, Header | ConnectorError]:
        """What each file's header says, or why it cannot be read."""
        files, since_ns = list(files), time.time_ns()
        found: dict[str, Header | ConnectorError] = {}
        for stored in files:
            try:
                found[stored.name] = self._known(stored) or self._inspect(stored)
            except ConnectorError as failure:
                found[stored.name] = failure
        if self.remembered is not None:
            read = {name: header for name, header in found.items() if isinstance(header, Header)}
            self.remembered.keep(files, read, since_ns=since_ns)
        return found

    def _known(self, stored: Stored) -> Header | None:
        if self.remembered is not None:
            return self.remembered.of(stored)
        about = self.index and self.index.about(stored)
        return Header(about.rows, about.size, about.token) if about else None

    def _by_index(
        self,
        index: Index,
        files: Sequence[Stored],
        made: Collection[str],
        keys: Collection[str],
        spans: Spans,
        failures: list[ConnectorError],
    ) -> tuple[dict[str, Located], int]:
        groups = index.candidates(files, {*keys, *spans.keys}, made)
        unknown = [stored for stored in files if groups[stored.name] is None]
        located = self.scan(unknown, keys, spans, failures)
        candidates = {name: found for name, found in groups.items() if found}
        hits = index.confirm([one for one in files if one.name in candidates], candidates, keys, spans)
        return located | _hits(hits, failures), len(unknown)

    def _index_for(self, files: Sequence[Stored]) -> Index | None:
        return self.index if self.index is not None and self.index.is_worth_it(files) else None

    def _scan(self, files: Sequence[Stored], keys: Collection[str], spans: Spans) -> Mapping[str, int]:
        with self._store.at_hand([one.name for one in files]) as local:
            return self._engine.locate(local, key_column=self._key_column, keys=keys, spans=spans)

    def _inspect(self, stored: Stored) -> Header:
        with self._store.at_hand([stored.name]) as (file,):
            shape = self._engine.inspect(file, key_column=self._key_column)
        return Header(shape.rows, shape.size, shape.token, shape.columns)


def _hits(looked: Iterable[tuple[Stored, Hit | ConnectorError]], failures: list[ConnectorError]) -> dict[str, Located]:
    located = {}
    for stored, hit in looked:
        if isinstance(hit, ConnectorError):
            failures.append(hit)
        elif hit.rows:
            located[stored.name] = Located(hit.rows, hit.rows_per_key, hit.groups)
    return located


def _are_many(keys: Collection[str], spans: Spans) -> bool:
    return len(keys) + sum(len(part.keys) for part in spans.parts) > MOST_KEYS
