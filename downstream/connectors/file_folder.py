"""Datasets that are files under one place: one file is one unit, swapped for its new version atomically.

What is particular to a format is in its kind's module and in its engine; where the files are is the store's.
A file whose rows all go stays as a valid file without rows: readers that list files or take the schema from one
keep working, and the dataset does not turn into a missing one.
"""

import hashlib
import json
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from downstream.connectors import data_files, statement_columns
from downstream.connectors.base import (
    WHOLE,
    Column,
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
)
from downstream.connectors.data_files import FileKind
from downstream.connectors.file_looks import Located, Looks
from downstream.connectors.file_swaps import Swaps
from downstream.connectors.side_by_side import staged_side_by_side
from downstream.connectors.statement_columns import StatementColumns
from downstream.engines import ENGINE_OPTIONS, byte_search, open_engine
from downstream.engines.base import DataFile, Engine, Grouped
from downstream.engines.errors import changed
from downstream.engines.options import check_known
from downstream.stores import OPTIONS as STORE_OPTIONS
from downstream.stores import open_store
from downstream.stores.base import Store, Stored
from downstream.subject_index import Holdings, Index, Place
from downstream.subject_index.headers import Headers

# said of a damaged file too, which must not keep the others from being cleaned
_UNREADABLE = "dataset_unreadable"
# of Parquet's writers: a schema alone
_WITHOUT_ROWS = {"_common_metadata"}
_OPTIONS = ENGINE_OPTIONS | STORE_OPTIONS | statement_columns.OPTIONS | {"created_column"}


def connect(
    kind: FileKind,
    location: str,
    key_column: str,
    options: Mapping[str, Any],
    *,
    make: "Callable[..., FileFolder] | None" = None,
) -> "FileFolder":
    """The connector to one place, of a kind's own class where it has one. Raises ConnectorError for unknown options."""
    check_known(options, _OPTIONS | kind.options, what=f"A folder of {kind.words} files")
    folder = (make or FileFolder)(
        kind,
        open_store(location, options),
        open_engine(options.get("engine", "embedded"), options, of=kind.format),
        key_column,
        created_column=options.get("created_column", ""),
        statements=statement_columns.from_options(options),
    )
    folder.read_as = json.dumps([kind.format, key_column, dict(options)], sort_keys=True, default=str)
    return folder


class FileFolder:
    """Implements `downstream.connectors.base.Connector`."""

    def __init__(
        self,
        kind: FileKind,
        store: Store,
        engine: Engine,
        key_column: str,
        *,
        created_column: str,
        statements: StatementColumns,
    ) -> None:
        self._kind = kind
        self._store = store
        self._engine = engine
        self._key_column = key_column
        self._created_column = created_column
        self._statements = statements
        self.read_as = f"{kind.format}\0{key_column}"
        """What stands for how files are read: the same file says the same where it is the same."""
        self._looks = Looks(store, engine, key_column)
        self._swaps = Swaps(store, engine, key_column)

    def use_index(self, place: Place) -> None:
        """See `base.Indexed`."""
        if isinstance(self._engine, Grouped):
            self._looks.index = Index(place, self._store, self._engine, self._key_column)
        else:
            # to tell how many rows such a file has takes reading it
            self._looks.remembered = Headers(place, self.read_as)

    def index_holdings(self, *, rebuild: bool) -> Holdings | None:
        """See `base.Indexed`."""
        files, index = self._files(), self._looks.index
        return index.holdings(files, rebuild=rebuild) if index is not None and index.is_worth_it(files) else None

    def describe(self) -> Description:
        files, shapes = self._files(), []
        self._store.check()
        for file in self._each(files):
            shapes.append(self._engine.inspect(file, key_column=self._key_column, created_column=self._created_column))
            self._engine.check_rewritable(file)
            self._engine.check_statements(file, columns=self._statements.names)
        families = {shape.key_family: file.name for file, shape in zip(files, shapes, strict=True)}
        if len(families) > 1:
            forms = ", ".join(f"{family} in {name}" for family, name in sorted(families.items()))
            raise ConnectorError(
                "schemas_disagree",
                f"The key column {self._key_column} is not the same everywhere: {forms}.",
                permanent=True,
            )
        return Description(
            format=self._kind.format,
            files=len(files),
            rows=sum(shape.rows for shape in shapes),
            size=sum(shape.size for shape in shapes),
            schema=shapes[0].schema,
            columns=shapes[0].columns,
        )

    def manifest(self) -> Manifest:
        return self._manifest_of(self._files(), for_certain=False)

    def _manifest_of(self, files: Sequence[Stored], *, for_certain: bool) -> Manifest:
        """What these files are; one that cannot be read is named by why, unless it passes or everything has to be."""
        units: list[UnitVersion] = []
        columns: tuple[Column, ...] = ()
        digest = hashlib.sha256()
        for name, header in self._looks.headers(files).items():
            if isinstance(header, ConnectorError):
                if for_certain or (not header.permanent and header.code != _UNREADABLE):
                    raise header
                digest.update(f"{name}\0{header.code}\n".encode())
                units.append(UnitVersion(name, header.code, 0, 0))
            else:
                digest.update(f"{name}\0{header.size}\0{header.token}\n".encode())
                units.append(UnitVersion(name, header.token, header.rows, header.size))
                columns = columns or header.columns
        return Manifest(len(files), sum(unit.rows for unit in units), digest.hexdigest(), tuple(units), columns)

    def keys(
        self, units: Collection[str] | None = None, failures: list[ConnectorError] | None = None
    ) -> Iterator[list[str]]:
        for stored in self._files():
            if units is None or stored.name in units:
                with collecting(failures), self._store.at_hand([stored.name]) as (file,):
                    yield from self._engine.keys(file, key_column=self._key_column)

    def rows(self, keys: Collection[str], failures: list[ConnectorError] | None = None) -> Iterator[Row]:
        files, found = self._files(), list[ConnectorError]()
        located = self._looks.find(files, keys, WHOLE, found) if keys else {}
        for stored in files:
            if stored.name in located:
                with collecting(found):
                    yield from self._rows_of(stored, located[stored.name], keys)
        report(found, failures)

    def _rows_of(self, stored: Stored, located: Located, keys: Collection[str]) -> Iterator[Row]:
        folders_say = self._kind.partitions(stored.name)
        with self._store.at_hand([stored.name]) as (file,):
            for values in self._engine.rows(file, key_column=self._key_column, keys=keys, groups=located.groups):
                yield Row(
                    stored.name, values | {name: said for name, said in folders_say.items() if name not in values}
                )
        if self._store.fingerprint(stored.name) != stored.fingerprint:
            raise changed(stored.name)

    def sweep(self) -> list[str]:
        return self._store.sweep()

    def find(self, keys: Collection[str], spans: Spans = WHOLE) -> Iterator[UnitFinding]:
        spans = spans.by(self._created_column)
        files = self._files()
        failures: list[ConnectorError] = []
        located = self._looks.find(files, keys, spans, failures)
        for stored in files:
            if stored.name in located:
                try:
                    finding = self._look_into(stored, located[stored.name], keys, spans)
                except ConnectorError as failure:
                    failures.append(failure)
                else:
                    yield finding
        report(failures, None)

    def stage(self, finding: UnitFinding, keys: Collection[str], spans: Spans = WHOLE, *, token: str) -> StagedUnit:
        return self._swaps.stage(finding, keys, spans.by(self._created_column), token=token)

    def stage_each(
        self, findings: Iterable[UnitFinding], keys: Collection[str], spans: Spans = WHOLE, *, token: str
    ) -> Iterator[tuple[UnitFinding, StagedUnit]]:
        return staged_side_by_side(
            lambda finding: self.stage(finding, keys, spans, token=token),
            findings,
            discard=self._swaps.give_up,
        )

    def commit(self, staged: StagedUnit, *, fence: Callable[[], object]) -> None:
        self._swaps.commit(staged, fence=fence)

    def unit_state(self, staged: StagedUnit) -> UnitState:
        return self._swaps.state(staged)

    def verify(self, keys: Collection[str], spans: Spans = WHOLE) -> Verification:
        spans = spans.by(self._created_column)
        before = self._files()
        failures: list[ConnectorError] = []
        located, by_index = self._looks.again(before, keys, spans, failures)
        if failures:
            raise failures[0]
        manifest = self._manifest_of(before, for_certain=True)
        now = {stored.name: stored for stored in self._files()}
        for stored in before:
            # what came in meanwhile is not in the manifest: the next look around notices it
            if now.get(stored.name) != stored:
                raise changed(stored.name)
        return Verification(
            rows_found=sum(one.rows for one in located.values()),
            rows=manifest.rows,
            files=manifest.files,
            digest=manifest.digest,
            manifest=manifest,
            by_index=by_index,
        )

    def statements(self, keys: Collection[str]) -> Iterator[RowsSaying]:
        columns = self._statements.names
        for portion in self._store.portions(self._files()) if columns else ():
            with self._store.at_hand([one.name for one in portion]) as files:
                found = self._engine.tally(files, columns=columns, key_column=self._key_column, keys=keys)
                yield from map(self._statements.saying, found)

    def purge(self, *, retention: timedelta | None, at: datetime) -> None:
        self._store.purge(retention=retention, at=at)

    def residue(
        self, keys: Collection[str], *, retention: timedelta | None, at: datetime, removed_at: datetime | None = None
    ) -> Residue:
        """What readers see was found free of them; what lies beside it is searched byte for byte."""
        data = {one.name for one in self._files()}
        beside = [one.name for one in self._store.walk(unfinished=True) if one.name not in data]
        found = [trace for name in beside if keys and (trace := self._trace(name, keys))]
        kept = self._store.kept(retention=retention, at=at, removed_at=removed_at)
        found += [Trace(name, "object_version") for name in kept.names]
        return Residue(
            looked_at=len(data) + len(beside) + len(kept.names),
            found=tuple(found),
            unreachable=self._kind.unreachable,
            kept_until=kept.until,
            not_searched=len(keys) - len(byte_search.searchable(keys)) if beside else 0,
        )

    def _trace(self, name: str, keys: Collection[str]) -> Trace | None:
        with self._store.stream(name) as stream:
            if name.rpartition("/")[2] not in _WITHOUT_ROWS and byte_search.is_closed(stream):
                return Trace(name, "unreadable")
            return Trace(name, "beside") if byte_search.holds_any(name, stream, keys) else None

    def _files(self) -> list[Stored]:
        return data_files.listed(self._kind, self._store, self._key_column)

    def _each(self, files: Iterable[Stored]) -> Iterator[DataFile]:
        for stored in files:
            with self._store.at_hand([stored.name]) as (file,):
                yield file

    def _look_into(self, stored: Stored, located: Located, keys: Collection[str], spans: Spans) -> UnitFinding:
        with self._store.at_hand([stored.name]) as (file,):
            self._engine.check_rewritable(file)
            rows_per_key = located.rows_per_key
            if rows_per_key is None:
                rows_per_key = self._engine.count(file, key_column=self._key_column, keys=keys, spans=spans)
            return UnitFinding(
                unit=stored.name,
                fingerprint=stored.fingerprint,
                rows=self._engine.inspect(file, key_column=self._key_column).rows,
                matching=located.rows,
                rows_per_key=rows_per_key,
                groups=located.groups,
            )
