"""What every connector promises, in steps whose results the caller stores between them.

The order is: sweep, find, then per unit stage and commit, then verify; and once the rows are gone for readers, purge
and residue, until their bytes are gone too. A unit is what is swapped atomically: one file here, one commit of a table
format elsewhere. Whoever dies between two steps leaves each unit either old or new; `unit_state` tells the next one
which. `tests/downstream/connectors/contract.py` holds a connector to this.
"""

from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Literal, Protocol, runtime_checkable

from downstream.connectors.statement_columns import RowsSaying
from downstream.engines.columns import Column
from downstream.engines.errors import ConnectorError
from downstream.engines.spans import WHOLE, Part, Span, Spans
from downstream.subject_index import Holdings, Place

__all__ = [
    "WHOLE",
    "Column",
    "Connector",
    "ConnectorError",
    "Description",
    "Indexed",
    "Manifest",
    "Part",
    "ReadsRows",
    "Residue",
    "Row",
    "RowsSaying",
    "Span",
    "Spans",
    "StagedUnit",
    "TellsKeys",
    "Trace",
    "UnitFinding",
    "UnitState",
    "UnitVersion",
    "Verification",
    "stage_one_by_one",
]

UnitState = Literal["old", "new", "changed", "missing"]


@dataclass(frozen=True)
class Description:
    """What is there, as staff see it."""

    format: str
    files: int
    rows: int
    size: int
    schema: str
    columns: tuple[Column, ...] = ()


@dataclass(frozen=True)
class UnitVersion:
    """One unit of a manifest. `digest` changes with the content; `sha256` is of the bytes, where it is known anyway."""

    name: str
    digest: str
    rows: int
    size: int
    sha256: str = ""


@dataclass(frozen=True)
class Manifest:
    """Which version of the dataset is there: the digest names its units and their content.

    `units` are in order of name; without them nobody can tell later what has changed between two versions.
    """

    files: int
    rows: int
    digest: str
    units: tuple[UnitVersion, ...] = ()
    columns: tuple[Column, ...] = ()


@dataclass(frozen=True)
class UnitFinding:
    """A unit that holds rows that have to go. The keys are personal data: not for logs."""

    unit: str
    fingerprint: str
    rows: int
    matching: int
    rows_per_key: dict[str, int] = field(repr=False)
    groups: tuple[int, ...] | None = None
    """The row groups that hold such rows, where the unit is a file that has some; None where nobody knows."""


@dataclass(frozen=True)
class StagedUnit:
    """A new version beside the old one, verified and on disk. Plain values without any key, to be stored."""

    unit: str
    temporary: str
    fingerprint: str
    before: str
    """What names the old version: a file's SHA-256, a table's version."""
    after: str
    """The same of the new one, or what this run will call it."""
    size_before: int
    size_after: int
    rows_before: int
    rows_after: int
    rows_removed: int
    digest: str
    """Order-independent, over all rows that stay; it was equal before and after."""
    links: int
    """Names that the old file had; with more than one, its bytes stay reachable by the others."""


@dataclass(frozen=True)
class Verification:
    """What looking again at everything that readers read has found."""

    rows_found: int
    rows: int
    files: int
    digest: str
    manifest: Manifest | None = None
    """What was there, where the look has come by it anyway; it is asked for otherwise."""
    by_index: int = 0
    """Of the files, how many were not read again: since the subject index was made of them they are unchanged."""


@dataclass(frozen=True)
class Trace:
    """Bytes of removed people that are still there. `place` names a file, never what is in it."""

    place: str
    kind: str
    """old_version | log | statistics | cache | index | link | object_version | dead_rows | beside | unreadable

    `unreadable`: a file that cannot be opened up, so that nobody can say whether it holds them.
    """


@dataclass(frozen=True)
class Residue:
    """What a look at everything that is physically there has found of people whose rows are gone for readers."""

    looked_at: int
    """Files, objects or tables that were searched."""
    found: tuple[Trace, ...] = ()
    unreachable: tuple[str, ...] = ()
    """What cannot be looked at from here and may hold them still, for the receipt.

    replicas | write_ahead_log | hub_history | reader_caches, or words for staff. Backups go without
    saying: whoever files the receipt adds them.
    """
    kept_until: datetime | None = None
    """Until when the store's own retention keeps what was found; None where nothing does."""
    not_searched: int = 0
    """Of the keys, how many are too short to be told from other bytes in what was searched."""


@dataclass(frozen=True)
class Row:
    """One row with all its columns. What it holds is personal data: not for logs."""

    unit: str
    values: dict[str, Any] = field(repr=False)
    """By name: None, Python's own types, lists and dicts of them, or `engines.attached.Attached`.

    `downstream.row_values.as_json` writes each of them.
    """


class Connector(Protocol):
    """Every method raises ConnectorError; `permanent` says whether a person has to act.

    `keys` lose every row, the keys of `spans` only rows made in their spans of time (`created_column_missing` where
    the dataset does not say when a row was made). Everything else about removing is the same for both.
    """

    def describe(self) -> Description:
        """Look at everything and refuse what could not be carried out later: the connection test."""

    def manifest(self) -> Manifest:
        """Name the version that is there; units that cannot be read are named too."""

    def sweep(self) -> list[str]:
        """Remove what died runs left behind, by name; call it before anything else of a run.

        It also disarms a holder that lost its lease but still runs: what it staged is gone.
        """

    def find(self, keys: Collection[str], spans: Spans = WHOLE) -> Iterator[UnitFinding]:
        """Units that hold rows that have to go, one after the other; writes nothing.

        Nothing found is a success. A unit that cannot be read or rewritten does not keep the others from
        being found: the error is raised at the end.
        """

    def stage(self, finding: UnitFinding, keys: Collection[str], spans: Spans = WHOLE, *, token: str) -> StagedUnit:
        """Make the unit's new version beside the old one, and verify it; on error nothing is left.

        `token` tells whose it is, letters, digits and dashes; it is part of a name on disk.
        """

    def stage_each(
        self, findings: Iterable[UnitFinding], keys: Collection[str], spans: Spans = WHOLE, *, token: str
    ) -> Iterator[tuple[UnitFinding, StagedUnit]]:
        """`stage` for all of them, in any order, several at once where the engine can; `stage_one_by_one` elsewhere.

        What was staged and not taken when the caller stops is thrown away, by this or by the next sweep.
        """

    def commit(self, staged: StagedUnit, *, fence: Callable[[], object]) -> None:
        """Swap the new version in, unless the unit has changed since it was found.

        `fence` is called right before and raises where the lease is lost. On error the new version is
        thrown away. Where it is in place already, nothing happens.
        """

    def unit_state(self, staged: StagedUnit) -> UnitState:
        """Which version is in place, by content; "new" is answered only when it is there to stay."""

    def verify(self, keys: Collection[str], spans: Spans = WHOLE) -> Verification:
        """Look again at everything that readers read; what is not read again is told in `by_index`."""

    def statements(self, keys: Collection[str]) -> Iterator[RowsSaying]:
        """How many rows say what of their own use, and how many of those are of the keys: one look at everything.

        Nothing where the dataset's options name no such columns.
        """

    def purge(self, *, retention: timedelta | None, at: datetime) -> None:
        """Erase what readers no longer see and the store still keeps: old versions, logs, statistics, caches.

        Only what is older than the store's own retention at `at`, or than `retention` where staff have decided one.
        Nothing to erase is a success. No run writes meanwhile; readers and other writers may.
        """

    def residue(
        self, keys: Collection[str], *, retention: timedelta | None, at: datetime, removed_at: datetime | None = None
    ) -> Residue:
        """Search the bytes of everything that is physically there for the keys.

        They are keys of people of whom readers see no row any more; the caller made sure of that. Since `removed_at`
        readers see none: old versions that are only listed, not looked into, count where they were there before.
        """


@runtime_checkable
class TellsKeys(Protocol):
    """A connector that can also tell whom units are about: needed to recognise erased people in new units."""

    def keys(
        self, units: Collection[str] | None = None, failures: list[ConnectorError] | None = None
    ) -> Iterator[list[str]]:
        """The distinct keys of these units (None: of all), as text, some thousands at a time; memory stays flat.

        A key may come once for each unit. Nulls are left out. Raises ConnectorError; where `failures` is given, why a
        unit could not be read is added to it, and the others are read.
        """


@runtime_checkable
class ReadsRows(Protocol):
    """A connector that can hand out people's rows: what the right of access asks for. Every kind can."""

    def rows(self, keys: Collection[str], failures: list[ConnectorError] | None = None) -> Iterator[Row]:
        """Every row whose key column names one of the keys, with all its columns, in any order: those `find` counts.

        Streamed: memory does not grow with their number. Units that cannot hold them are not opened, where the
        dataset has an index. What readers no longer see is not told.

        A unit that cannot be read keeps no other from being told: why is added to `failures`, or raised at the end
        where there are none. So is `source_changed` of a unit that was changed while it was read: then some of its
        rows may be missing.
        """


@runtime_checkable
class Indexed(Protocol):
    """A connector that looks by a subject index, where one is handed to it. It finds the same without."""

    def use_index(self, place: Place) -> None:
        """From here on, look by the index that is kept there."""

    def index_holdings(self, *, rebuild: bool) -> Holdings | None:
        """Bring the index up to date, or make it anew; None where this dataset has none. Raises ConnectorError."""


@contextmanager
def collecting(failures: list[ConnectorError] | None) -> Iterator[None]:
    """Add a ConnectorError to the failures and go on behind it; raise it where there are none to add to."""
    try:
        yield
    except ConnectorError as failure:
        if failures is None:
            raise
        failures.append(failure)


def report(found: list[ConnectorError], failures: list[ConnectorError] | None) -> None:
    """Hand on what was found wrong with units; raises it where nobody takes it, what a person has to act on first."""
    if failures is not None:
        failures.extend(found)
    elif found:
        raise min(found, key=lambda failure: not failure.permanent)


def stage_one_by_one(
    connector: Connector, findings: Iterable[UnitFinding], keys: Collection[str], spans: Spans = WHOLE, *, token: str
) -> Iterator[tuple[UnitFinding, StagedUnit]]:
    """`stage_each` of connectors that have no faster way."""
    for finding in findings:
        yield finding, connector.stage(finding, keys, spans, token=token)
