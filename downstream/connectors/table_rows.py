"""The rows of tables that are made of Parquet files: finding them and rewriting files, whatever the table's format.

A table format knows which files a version has and how another version is committed; what is in the files is looked
at and rewritten here, file by file, by the same engine as a plain folder's. So nothing is sorted, merged or cast.
"""

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from downstream.connectors import statement_columns
from downstream.connectors.base import ConnectorError, Row, RowsSaying, Spans, Verification, collecting, report
from downstream.connectors.statement_columns import StatementColumns
from downstream.connectors.table_files import TableFile, TableFinding, manifest_of, prints, rows_of, size_of
from downstream.engines import open_engine, parquet_rows
from downstream.engines.base import Comparison, DataFile, Engine
from downstream.engines.errors import changed
from downstream.engines.spans import WHOLE

OPTIONS = {"engine", "memory_mb", "threads", "created_column", "files_per_commit"} | statement_columns.OPTIONS
"""Of every kind of table."""
_FILES_PER_COMMIT = 32
_BYTES_PER_COMMIT = 1 << 30


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
        addresses: Mapping[str, str],
    ) -> Iterator[TableFinding]:
        """Units of files that go in one commit each; raises at the end for files that could not be looked at.

        `addresses` are what the table itself calls the files, by the names that people see.
        """
        spans = spans.by(self.created_column)
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
            yield self._finding(group, located, keys, spans, prints(addresses[file.name] for file in group))
        report(failures, None)

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
        if file.key is not None:
            return parquet_rows.every(file.data)
        return self.engine.rows(file.data, key_column=file.key_column or self.key_column, keys=keys)

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

    def verify(
        self, files: Sequence[TableFile], keys: Collection[str], spans: Spans, *, is_unchanged: Callable[[], bool]
    ) -> Verification:
        """Look again at every file. Raises `source_changed` where the table has gone on meanwhile."""
        failures: list[ConnectorError] = []
        located = self.locate(files, keys, spans.by(self.created_column), failures)
        if failures:
            raise failures[0]
        manifest = manifest_of(files)
        if not is_unchanged():
            raise changed("The table")
        return Verification(
            rows_found=sum(located.values()), rows=manifest.rows, files=manifest.files, digest=manifest.digest
        )

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
