"""A dataset in the process's own memory: the double that keeps every promise of a connector.

For tests of what uses connectors. It goes with the process, so it cannot be registered as a dataset.
"""

import hashlib
import secrets
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from downstream.connectors import statement_columns
from downstream.connectors.base import (
    WHOLE,
    ConnectorError,
    Description,
    Manifest,
    Residue,
    Row,
    RowsSaying,
    Spans,
    StagedUnit,
    Trace,
    UnitFinding,
    UnitState,
    UnitVersion,
    Verification,
    collecting,
    report,
    stage_one_by_one,
)
from downstream.connectors.statement_columns import NO_COLUMNS, StatementColumns
from downstream.engines import arrow_values, columns
from downstream.engines.base import Tally
from downstream.engines.key_columns import form_of
from downstream.engines.parquet_statements import kind_of
from downstream.engines.spans import TimeForm, time_form
from portal.fault_points import reach


@dataclass
class Place:
    """What is at one location: units by name, how often each was written, and what is staged."""

    units: dict[str, pa.Table] = field(default_factory=dict)
    writes: Counter[str] = field(default_factory=Counter)
    staged: dict[str, pa.Table] = field(default_factory=dict)

    def put(self, unit: str, table: pa.Table) -> None:
        self.units[unit] = table
        self.writes[unit] += 1


PLACES: dict[str, Place] = {}
"""Everything there is, by location; tests fill and empty it."""


def connect(location: str, key_column: str, options: Mapping[str, Any]) -> "Memory":
    """The connector to one place. Options: `created_column`, and the names of the columns of statements."""
    if set(options) - {"created_column"} - statement_columns.OPTIONS:
        raise ConnectorError("invalid_options", "A dataset in memory knows no such options.", permanent=True)
    statements = statement_columns.from_options(options)
    return Memory(location, key_column, options.get("created_column", ""), statements)


@dataclass(frozen=True)
class Memory:
    """Implements `downstream.connectors.base.Connector`."""

    location: str
    key_column: str
    created_column: str = ""
    statement_columns: StatementColumns = NO_COLUMNS

    def describe(self) -> Description:
        place = self._place()
        for unit in place.units:
            self._matches(unit, (), WHOLE)
            if self.created_column:
                self._times(unit)
            self._said(unit)
        return Description(
            format="memory",
            files=len(place.units),
            rows=self.manifest().rows,
            size=sum(table.nbytes for table in place.units.values()),
            schema=str(next(iter(place.units.values())).schema.remove_metadata()),
            columns=columns.of_schema(next(iter(place.units.values())).schema),
        )

    def manifest(self) -> Manifest:
        units = self._place().units
        named = tuple(
            UnitVersion(name, _sha256(table), table.num_rows, table.nbytes) for name, table in sorted(units.items())
        )
        content = "".join(f"{one.name}\0{one.digest}\n" for one in named)
        return Manifest(
            files=len(units),
            rows=sum(table.num_rows for table in units.values()),
            digest=hashlib.sha256(content.encode()).hexdigest(),
            units=named,
            columns=columns.of_schema(next(iter(units.values())).schema),
        )

    def keys(
        self, units: Collection[str] | None = None, failures: list[ConnectorError] | None = None
    ) -> Iterator[list[str]]:
        there = self._place().units
        for unit in sorted(there if units is None else there.keys() & set(units)):
            with collecting(failures):
                column = self._column(unit, self.key_column, "key_column_missing")
                form = form_of(unit, self.key_column, column.type)
                distinct: Any = pc.unique(pc.cast(column, form.arrow)).drop_null()
                yield form.texts(distinct.to_pylist())

    def rows(self, keys: Collection[str], failures: list[ConnectorError] | None = None) -> Iterator[Row]:
        found: list[ConnectorError] = []
        for unit, table in sorted(self._place().units.items()):
            with collecting(found):
                for batch in table.filter(self._matches(unit, keys, WHOLE)).to_batches():
                    yield from (Row(unit, values) for values in arrow_values.rows(batch))
        report(found, failures)

    def sweep(self) -> list[str]:
        place = self._place()
        swept = sorted(place.staged)
        place.staged.clear()
        return swept

    def find(self, keys: Collection[str], spans: Spans = WHOLE) -> Iterator[UnitFinding]:
        place = self._place()
        failures = []
        for unit in sorted(place.units):
            fingerprint = str(place.writes[unit])
            try:
                rows_per_key = self._count(unit, keys, spans)
            except ConnectorError as failure:
                failures.append(failure)
                continue
            if rows_per_key:
                rows = place.units[unit].num_rows
                yield UnitFinding(unit, fingerprint, rows, sum(rows_per_key.values()), rows_per_key)
        if failures:
            raise failures[0]

    def stage(self, finding: UnitFinding, keys: Collection[str], spans: Spans = WHOLE, *, token: str) -> StagedUnit:
        place = self._place()
        if str(place.writes[finding.unit]) != finding.fingerprint or finding.unit not in place.units:
            raise _changed(finding.unit)
        reach("stage.before_write")
        old = place.units[finding.unit]
        new = old.filter(pc.invert(self._matches(finding.unit, keys, spans)))
        temporary = f".heed-{token}-{secrets.token_hex(8)}.tmp"
        place.staged[temporary] = new
        reach("stage.after_write")
        reach("stage.after_fsync")
        return StagedUnit(
            unit=finding.unit,
            temporary=temporary,
            fingerprint=finding.fingerprint,
            before=_sha256(old),
            after=_sha256(new),
            size_before=old.nbytes,
            size_after=new.nbytes,
            rows_before=old.num_rows,
            rows_after=new.num_rows,
            rows_removed=old.num_rows - new.num_rows,
            digest=_digest(new),
            links=1,
        )

    def stage_each(
        self, findings: Iterable[UnitFinding], keys: Collection[str], spans: Spans = WHOLE, *, token: str
    ) -> Iterator[tuple[UnitFinding, StagedUnit]]:
        return stage_one_by_one(self, findings, keys, spans, token=token)

    def commit(self, staged: StagedUnit, *, fence: Callable[[], object]) -> None:
        place = self._place()
        try:
            if str(place.writes[staged.unit]) != staged.fingerprint and self.unit_state(staged) == "new":
                return
            fence()
            if staged.unit not in place.units or str(place.writes[staged.unit]) != staged.fingerprint:
                raise _changed(staged.unit)
            if staged.temporary not in place.staged:
                raise ConnectorError(
                    "fence_lost", f"Another worker swept the new version of {staged.unit}.", permanent=False
                )
            reach("commit.before_rename")
            place.put(staged.unit, place.staged[staged.temporary])
            reach("commit.after_rename")
            reach("commit.after_dirsync")
        finally:
            place.staged.pop(staged.temporary, None)

    def unit_state(self, staged: StagedUnit) -> UnitState:
        table = self._place().units.get(staged.unit)
        if table is None:
            return "missing"
        digest = _sha256(table)
        if digest == staged.after:
            return "new"
        return "old" if digest == staged.before else "changed"

    def verify(self, keys: Collection[str], spans: Spans = WHOLE) -> Verification:
        manifest = self.manifest()
        found = sum(sum(self._count(unit, keys, spans).values()) for unit in self._place().units)
        return Verification(found, manifest.rows, manifest.files, manifest.digest, manifest)

    def statements(self, keys: Collection[str]) -> Iterator[RowsSaying]:
        for unit in sorted(self._place().units) if self.statement_columns.names else ():
            of_keys = self._matches(unit, keys, WHOLE).to_pylist()
            for said, is_of_keys in zip(self._said(unit), of_keys, strict=True):
                yield self.statement_columns.saying(Tally(said, 1, int(is_of_keys)))

    def purge(self, *, retention: timedelta | None, at: datetime) -> None:
        """Nothing old is kept."""

    def residue(
        self, keys: Collection[str], *, retention: timedelta | None, at: datetime, removed_at: datetime | None = None
    ) -> Residue:
        units = self._place().units
        found = [unit for unit in sorted(units) if self._count(unit, keys, WHOLE)]
        return Residue(looked_at=len(units), found=tuple(Trace(unit, "old_version") for unit in found))

    def _said(self, unit: str) -> list[tuple[str | None, ...]]:
        """Each row's values in the columns of statements, as text."""
        table, names = self._place().units[unit], self.statement_columns.names
        for name in names:
            kind_of(unit, table.schema, name)
        columns = [table.column(name).to_pylist() for name in names]
        return [tuple(_as_text(value) for value in row) for row in zip(*columns, strict=True)]

    def _place(self) -> Place:
        place = PLACES.get(self.location)
        if place is None:
            raise ConnectorError("dataset_missing", f"There is nothing at {self.location}.", permanent=True)
        if not place.units:
            raise ConnectorError("dataset_empty", f"{self.location} holds nothing.", permanent=True)
        return place

    def _column(self, unit: str, column: str, missing: str) -> "pa.ChunkedArray[Any]":
        table = self._place().units[unit]
        if column not in table.column_names:
            raise ConnectorError(missing, f"{unit} has no column {column or 'that tells times'}.", permanent=True)
        return table.column(column)

    def _times(self, unit: str) -> tuple[TimeForm, "pa.ChunkedArray[Any]"]:
        column = self._column(unit, self.created_column, "created_column_missing")
        return time_form(unit, self.created_column, column.type), column

    def _matches(self, unit: str, keys: Collection[str], spans: Spans) -> Any:
        column = self._column(unit, self.key_column, "key_column_missing")
        form = form_of(unit, self.key_column, column.type)
        leaving: Any = form.matches(column, form.values(keys))
        for part in spans.parts:
            times, created = self._times(unit)
            inside = pa.array(times.inside(created, part.spans))
            leaving = pc.or_(leaving, pc.and_(form.matches(column, form.values(part.keys)), inside))
        return leaving

    def _count(self, unit: str, keys: Collection[str], spans: Spans) -> dict[str, int]:
        column = self._column(unit, self.key_column, "key_column_missing")
        form = form_of(unit, self.key_column, column.type)
        leaving: Any = pc.cast(column, form.arrow).filter(self._matches(unit, keys, spans))
        counts = Counter(leaving.to_pylist())
        natives = {key: form.values([key]).to_pylist() for key in {*keys, *spans.keys}}
        return {key: counts[one[0]] for key, one in natives.items() if one and counts[one[0]]}


def _as_text(value: Any) -> str | None:
    return None if value is None else str(int(value) if isinstance(value, bool) else value)


def _sha256(table: pa.Table) -> str:
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table.combine_chunks())
    return hashlib.sha256(sink.getvalue()).hexdigest()


def _digest(table: pa.Table) -> str:
    rows = (hashlib.md5(repr(row).encode(), usedforsecurity=False).digest() for row in table.to_pylist())
    return f"{table.num_rows}:{sum(int.from_bytes(row) for row in rows) % 2**128:032x}"


def _changed(unit: str) -> ConnectorError:
    return ConnectorError("source_changed", f"{unit} was changed by somebody else meanwhile.", permanent=False)
