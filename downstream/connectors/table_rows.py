"""The rows of tables that are made of Parquet files: finding them and rewriting files, whatever the table's format.

A table format knows which files a version has and how another version is committed; what is in the files is looked
at and rewritten here, file by file, by the same engine as a plain folder's. So nothing is sorted, merged or cast.
"""

import hashlib
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from downstream.connectors import statement_columns
from downstream.connectors.base import (
    ConnectorError,
    Manifest,
    Row,
    RowsSaying,
    Spans,
    StagedUnit,
    UnitFinding,
    collecting,
    report,
)
from downstream.connectors.statement_columns import StatementColumns
from downstream.engines import arrow_values, open_engine
from downstream.engines.base import Comparison, DataFile, Engine
from downstream.engines.errors import reading
from downstream.engines.parquet_files import opened
from downstream.engines.spans import WHOLE

OPTIONS = {"engine", "memory_mb", "threads", "created_column", "files_per_commit"} | statement_columns.OPTIONS
"""Of every kind of table."""
_FILES_PER_COMMIT = 32
_BYTES_PER_COMMIT = 1 << 30
_ROWS_AT_ONCE = 1_000


@dataclass(frozen=True)
class TableFile:
    """A data file of one version: `name` is shown to people and tells nobody's key."""

    name: str
    path: str
    key_column: str | None
    """What the key column is called in this file; None where it has none, so that all its keys are null."""
    key: str | None = None
    """The one key of all its rows, where the table is partitioned by it and the file does not repeat it."""

    folder: Mapping[str, Any] = field(default_factory=dict, repr=False)
    """What the table says of all its rows: the values of its partition, by column."""
    names: Mapping[str, str] = field(default_factory=dict)
    """What columns are called in the table now, where that is not as in the file."""

    @property
    def data(self) -> DataFile:
        return DataFile(self.name, self.path)


@dataclass(frozen=True)
class TableFinding(UnitFinding):
    """A unit of several files that go in one commit."""

    files: tuple[str, ...] = ()


@dataclass(frozen=True)
class TableRows:
    """How rows of one table are looked at."""

    engine: Engine
    key_column: str
    created_column: str
    statements: StatementColumns
    files_per_commit: int = _FILES_PER_COMMIT

    def check(self, files: Sequence[TableFile]) -> tuple[int, int]:
        """Look at every file's header; answers rows and bytes. Raises ConnectorError for what cannot be worked on."""
        rows = size = 0
        for file in files:
            if file.key is not None and (self.created_column or self.statements.names):
                raise ConnectorError(
                    "partitioned_by_key",
                    f"The table is partitioned by {self.key_column}: rows are taken out by whole files, "
                    "and neither by a column of times nor counted by their statements; leave those columns out.",
                    permanent=True,
                )
            if file.key is None and file.key_column is not None:
                self.engine.inspect(file.data, key_column=file.key_column, created_column=self.created_column)
                self.engine.check_rewritable(file.data)
            self.engine.check_statements(file.data, columns=self.statements.names)
            rows += rows_of(file)
            size += size_of(file)
        return rows, size

    def locate(
        self, files: Sequence[TableFile], keys: Collection[str], spans: Spans, failures: list[ConnectorError]
    ) -> dict[str, int]:
        """Rows that have to go by file name; what cannot be looked at is put to the failures."""
        located: dict[str, int] = {}
        by_column: dict[str | None, list[TableFile]] = {}
        for file in files:
            by_column.setdefault(file.key_column if file.key is None else "", []).append(file)
        by_column.pop(None, None)
        for alike in by_column.values():
            try:
                located |= self._locate(alike, keys, spans)
            except ConnectorError:
                # one look at all fails as a whole: go on with the good ones
                for file in alike:
                    try:
                        located |= self._locate([file], keys, spans)
                    except ConnectorError as failure:
                        failures.append(failure)
        return located

    def find(
        self,
        files: Sequence[TableFile],
        keys: Collection[str],
        spans: Spans,
        fingerprint: Callable[[Sequence[TableFile]], str],
    ) -> Iterator[TableFinding]:
        """Units of files that go in one commit each; raises at the end for files that could not be looked at."""
        spans = self.by_column(spans)
        failures: list[ConnectorError] = []
        located = self.locate(files, keys, spans, failures)
        good = []
        for file in files:
            if file.name in located:
                try:
                    self._check_rewritable(file)
                except ConnectorError as failure:
                    failures.append(failure)
                else:
                    good.append(file)
        for group in _grouped(good, self.files_per_commit):
            yield self._finding(group, located, keys, spans, fingerprint(group))
        if failures:
            # one that a person has to act on comes first
            raise min(failures, key=lambda failure: not failure.permanent)

    def rows(
        self, files: Sequence[TableFile], keys: Collection[str], failures: list[ConnectorError] | None
    ) -> Iterator[Row]:
        """Every row of the keys, with the table's names of its columns."""
        found: list[ConnectorError] = []
        located = self.locate(files, keys, WHOLE, found) if keys else {}
        for file in files:
            if file.name in located:
                with collecting(found):
                    for values in self._rows_of(file, keys):
                        named = {file.names.get(name, name): value for name, value in values.items()}
                        yield Row(file.name, {**named, **file.folder})
        report(found, failures)

    def _rows_of(self, file: TableFile, keys: Collection[str]) -> Iterator[dict[str, Any]]:
        if file.key is None:
            yield from self.engine.rows(file.data, key_column=file.key_column or self.key_column, keys=keys)
            return
        with opened(file.data) as parquet:
            for batch in parquet.iter_batches(_ROWS_AT_ONCE, use_threads=False):
                yield from arrow_values.rows(batch)

    def rewrite(self, file: TableFile, target: str, keys: Collection[str], spans: Spans) -> Comparison:
        """Write the file's new version, and look at both again; where all rows go nothing need be written."""
        if file.key is not None:
            return Comparison(rows_before=rows_of(file), rows_after=0, digest=f"0:{0:032x}")
        column = file.key_column or self.key_column
        self.engine.rewrite(file.data, target, key_column=column, keys=keys, spans=spans)
        return self.engine.compare(file.data, target, key_column=column, keys=keys, spans=spans)

    def saying(self, files: Sequence[TableFile], keys: Collection[str]) -> Iterator[RowsSaying]:
        """What rows say of their own use."""
        columns = self.statements.names
        by_column: dict[str, list[DataFile]] = {}
        for file in files:
            by_column.setdefault(file.key_column or self.key_column, []).append(file.data)
        for column, alike in by_column.items() if columns else ():
            found = self.engine.tally(alike, columns=columns, key_column=column, keys=keys)
            yield from map(self.statements.saying, found)

    def by_column(self, spans: Spans) -> Spans:
        """The spans, told which column they are about."""
        if spans and not self.created_column:
            raise ConnectorError(
                "created_column_missing",
                "Nobody has said which column tells when a row was made; name it, and try again.",
                permanent=True,
            )
        return replace(spans, column=self.created_column) if spans else WHOLE

    def _locate(self, files: Sequence[TableFile], keys: Collection[str], spans: Spans) -> Mapping[str, int]:
        """Of files that hold the key alike."""
        column = files[0].key_column
        if files[0].key is not None or column is None:
            return {name: rows for file in files for name, rows in _whole(file, keys, spans).items()}
        return self.engine.locate([file.data for file in files], key_column=column, keys=keys, spans=spans)

    def _check_rewritable(self, file: TableFile) -> None:
        if file.key is None:
            self.engine.check_rewritable(file.data)

    def _finding(
        self,
        group: Sequence[TableFile],
        located: Mapping[str, int],
        keys: Collection[str],
        spans: Spans,
        fingerprint: str,
    ) -> TableFinding:
        rows_per_key: Counter[str] = Counter()
        for file in group:
            if file.key is not None:
                rows_per_key[file.key] += located[file.name]
            elif file.key_column is not None:
                rows_per_key.update(self.engine.count(file.data, key_column=file.key_column, keys=keys, spans=spans))
        more = f" and {len(group) - 1} more" if len(group) > 1 else ""
        return TableFinding(
            unit=group[0].name + more,
            fingerprint=fingerprint,
            rows=sum(rows_of(file) for file in group),
            matching=sum(located[file.name] for file in group),
            rows_per_key=dict(rows_per_key),
            files=tuple(file.name for file in group),
        )


def from_options(key_column: str, options: Mapping[str, Any]) -> TableRows:
    """Set up by a dataset's options. Raises ConnectorError."""
    files = options.get("files_per_commit", _FILES_PER_COMMIT)
    if not isinstance(files, int) or files < 1:
        raise ConnectorError("invalid_options", "The option files_per_commit is at least 1.", permanent=True)
    return TableRows(
        engine=open_engine(options.get("engine", "embedded"), options),
        key_column=key_column,
        created_column=options.get("created_column", ""),
        statements=statement_columns.from_options(options),
        files_per_commit=files,
    )


def rows_of(file: TableFile) -> int:
    """By the file's own footer."""
    with opened(file.data) as parquet:
        return int(parquet.metadata.num_rows)


def size_of(file: TableFile) -> int:
    """Bytes."""
    with reading(file.name):
        return Path(file.path).stat().st_size


def manifest_of(files: Sequence[TableFile]) -> Manifest:
    """Names the version by its files, their rows and sizes; a file that cannot be read is named with its trouble."""
    rows, digest = 0, hashlib.sha256()
    for file in files:
        try:
            counted = rows_of(file)
            digest.update(f"{file.name}\0{counted}\0{size_of(file)}\n".encode())
        except ConnectorError as error:
            digest.update(f"{file.name}\0{error.code}\n".encode())
            continue
        rows += counted
    return Manifest(files=len(files), rows=rows, digest=digest.hexdigest())


def files_of(finding: UnitFinding, files: Iterable[TableFile]) -> list[TableFile]:
    """The files that a finding is about. Raises `source_changed` where one is no longer in the table."""
    names = finding.files if isinstance(finding, TableFinding) else (finding.unit,)
    known = {file.name: file for file in files}
    if not set(names) <= known.keys():
        raise changed(finding.unit)
    return [known[name] for name in names]


def staged(
    finding: UnitFinding,
    files: Sequence[TableFile],
    written: Sequence[Path],
    compared: Sequence[Comparison],
    *,
    temporary: str,
    before: str,
    after: str,
) -> StagedUnit:
    """The record of a unit. Raises `source_changed` where other rows went than were found."""
    rows_before = sum(one.rows_before for one in compared)
    rows_after = sum(one.rows_after for one in compared)
    if rows_before - rows_after != finding.matching:
        raise changed(finding.unit)
    with reading(finding.unit):
        return StagedUnit(
            unit=finding.unit,
            temporary=temporary,
            fingerprint=finding.fingerprint,
            before=before,
            after=after,
            size_before=sum(size_of(file) for file in files),
            size_after=sum(path.stat().st_size for path in written),
            rows_before=rows_before,
            rows_after=rows_after,
            rows_removed=rows_before - rows_after,
            digest=_digest_of(compared),
            links=max(Path(file.path).stat().st_nlink for file in files),
        )


def prints(paths: Iterable[str]) -> str:
    """The fingerprint of a unit: what stands for the paths of its files."""
    return ",".join(sorted(map(short, paths)))


def all_active(unit: StagedUnit, paths: Iterable[str]) -> bool:
    """Whether the unit's old files are all among the table's."""
    return set(unit.fingerprint.split(",")) <= set(map(short, paths))


def mark_of(entry: Path) -> str:
    """What the names of a staged entry's new files have in them."""
    return entry.name.split(".tmp")[0].rsplit("-", 1)[-1]


def changed(unit: str) -> ConnectorError:
    """For everything that somebody else did meanwhile."""
    return ConnectorError(
        "source_changed", f"{unit} was changed by somebody else meanwhile; it will be tried again.", permanent=False
    )


def swept(unit: str) -> ConnectorError:
    """For a holder that lost its lease and comes back."""
    return ConnectorError(
        "fence_lost", f"Another worker took over and swept the new version of {unit}.", permanent=False
    )


def _digest_of(compared: Sequence[Comparison]) -> str:
    """Of the rows that stay in several files; of one it is its own."""
    digests = sorted(one.digest for one in compared)
    return digests[0] if len(digests) == 1 else hashlib.sha256("\n".join(digests).encode()).hexdigest()


def short(path: str) -> str:
    """What stands for a path in records: it may hold a key."""
    return hashlib.sha256(path.encode()).hexdigest()[:16]


def _whole(file: TableFile, keys: Collection[str], spans: Spans) -> dict[str, int]:
    if file.key in spans.keys:
        raise ConnectorError(
            "partitioned_by_key",
            "The table is partitioned by the key, so that only whole files can be taken out; "
            "have its owner remove the rows of the span.",
            permanent=True,
        )
    return {file.name: rows_of(file)} if file.key in keys else {}


def _grouped(files: Iterable[TableFile], most: int) -> Iterator[list[TableFile]]:
    group: list[TableFile] = []
    size = 0
    for file in files:
        if group and (len(group) == most or size + size_of(file) > _BYTES_PER_COMMIT):
            yield group
            group, size = [], 0
        group.append(file)
        size += size_of(file)
    if group:
        yield group
