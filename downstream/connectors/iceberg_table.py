"""Datasets that are an Apache Iceberg table in an SQL catalog, with its files on a file system.

Rows are taken out file by file, as in a plain folder; the files of one unit go in one snapshot of pyiceberg's, which
replaces each by its new version. pyiceberg's own delete() would write files of another make. Until then a note in the
metadata folder says which files were written for whom: who commits takes it away first, so that a holder who lost
its lease finds that another has swept it. docs/decisions/0018-tables.md has the why.
"""

import json
import os
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from downstream.connectors import (
    iceberg_catalogs,
    iceberg_files,
    iceberg_purging,
    iceberg_residue,
    table_files,
    table_rows,
)
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
    UnitFinding,
    UnitState,
    Verification,
    stage_one_by_one,
)
from downstream.connectors.iceberg_catalogs import catalog_errors, resolve, root
from downstream.connectors.table_files import TableFile
from downstream.connectors.table_rows import TableRows
from downstream.engines.base import Comparison
from downstream.engines.errors import changed, reading, swept, writing
from downstream.engines.options import check_known
from downstream.stores import folders
from portal.fault_points import reach

__all__ = ["IcebergTable", "connect", "resolve"]

_TRIES = 20
COMMIT = "heed.commit"


def connect(location: str, key_column: str, options: Mapping[str, Any]) -> "IcebergTable":
    """The connector to one table. Options: `catalog`, `catalog_environment`, and those of every table.

    Raises ConnectorError.
    """
    check_known(options, table_rows.OPTIONS | iceberg_catalogs.OPTIONS, what="An Iceberg table")
    return IcebergTable(location, options, table_rows.from_options(key_column, options))


class IcebergTable:
    """Implements `downstream.connectors.base.Connector`."""

    def __init__(self, location: str, options: Mapping[str, Any], rows: TableRows) -> None:
        self._location = location
        self._options = options
        self._rows = rows

    def describe(self) -> Description:
        table = self._table()
        columns = [field.name for field in table.schema().fields]
        if self._rows.key_column not in columns:
            raise ConnectorError(
                "key_column_missing",
                f"The table has no column {self._rows.key_column}; its columns are: {', '.join(columns)}.",
                permanent=True,
            )
        files = self._files(table)
        if not files:
            raise ConnectorError("dataset_empty", "The table has no rows.", permanent=True)
        rows, size = self._rows.check(list(files.values()))
        return Description(format="iceberg", files=len(files), rows=rows, size=size, schema="\n".join(columns))

    def manifest(self) -> Manifest:
        return table_files.manifest_of(list(self._files(self._table()).values()))

    def sweep(self) -> list[str]:
        table = self._table()
        folder = root(table)
        with reading("the table's folder"):
            notes = folders.temporaries(folder)
            taken = sorted(folder.rglob(".heed-*.tmp.taken"))
        for note in notes:
            _discard(note, table)
        for note in taken:
            # its holder may be committing right now: what it wrote is left to the table, or to a purge
            note.unlink(missing_ok=True)
        return [folders.name_of(note, folder) for note in notes]

    def find(self, keys: Collection[str], spans: Spans = WHOLE) -> Iterator[UnitFinding]:
        table = self._table()
        files = self._files(table)
        addresses = {file.name: uri for uri, file in files.items()}
        yield from self._rows.find(list(files.values()), keys, spans, addresses)

    def rows(self, keys: Collection[str], failures: list[ConnectorError] | None = None) -> Iterator[Row]:
        table = self._table()
        files = iceberg_files.with_names(table, self._files(table).values())
        yield from self._rows.rows(files, keys, failures)

    def stage(self, finding: UnitFinding, keys: Collection[str], spans: Spans = WHOLE, *, token: str) -> StagedUnit:
        spans = spans.by(self._rows.created_column)
        table = self._table()
        files = self._files(table)
        chosen = table_files.files_of(finding, files.values())
        reach("stage.before_write")
        folder = root(table) / "metadata"
        note = folders.make_temporary(folder / "note", token=token)
        try:
            written, compared = self._write(table, files, chosen, note, keys, spans)
            reach("stage.after_write")
            with writing("the table's folder"):
                for path in {note, folder, *written, *(one.parent for one in written)}:
                    folders.sync(path)
            reach("stage.after_fsync")
            return table_files.staged(
                finding,
                chosen,
                written,
                compared,
                temporary=folders.name_of(note, root(table)),
                before=f"snapshot {table.current_snapshot().snapshot_id}",
                after=table_files.mark_of(note),
            )
        except BaseException:
            _discard(note, table)
            raise

    def stage_each(
        self, findings: Iterable[UnitFinding], keys: Collection[str], spans: Spans = WHOLE, *, token: str
    ) -> Iterator[tuple[UnitFinding, StagedUnit]]:
        return stage_one_by_one(self, findings, keys, spans, token=token)

    def commit(self, staged: StagedUnit, *, fence: Callable[[], object]) -> None:
        table = self._table()
        note = root(table) / staged.temporary
        taken = note.with_name(f"{note.name}.taken")
        try:
            if self.unit_state(staged) == "new":
                return
            fence()
            if not table_files.all_active(staged, iceberg_files.data_files(table)):
                raise changed(staged.unit)
            reach("commit.before_rename")
            replaced = _take(note, taken, staged.unit)
            self._replace(staged, replaced)
            reach("commit.after_rename")
            _settle(self._table())
            reach("commit.after_dirsync")
        finally:
            _discard(note, self._table())
            _discard(taken, self._table())

    def unit_state(self, staged: StagedUnit) -> UnitState:
        table = self._table()
        if _is_committed(table, staged.after):
            _settle(table)
            return "new"
        if table_files.all_active(staged, iceberg_files.data_files(table)):
            return "old"
        before = int(staged.before.removeprefix("snapshot "))
        since = [one for one in iceberg_files.lineage(table) if one.snapshot_id != before]
        newest = next((one.summary for one in since if one.summary and one.summary["deleted-data-files"]), None)
        return "changed" if newest is None or newest["added-data-files"] else "missing"

    def verify(self, keys: Collection[str], spans: Spans = WHOLE) -> Verification:
        table = self._table()
        return self._rows.verify(
            list(self._files(table).values()),
            keys,
            spans,
            is_unchanged=lambda: bool(self._table().metadata_location == table.metadata_location),
        )

    def statements(self, keys: Collection[str]) -> Iterator[RowsSaying]:
        return self._rows.saying(list(self._files(self._table()).values()), keys)

    def purge(self, *, retention: timedelta | None, at: datetime) -> None:
        with catalog_errors(self._location):
            iceberg_purging.purge(self._table, retention=retention, at=at)

    def residue(
        self, keys: Collection[str], *, retention: timedelta | None, at: datetime, removed_at: datetime | None = None
    ) -> Residue:
        with catalog_errors(self._location):
            return iceberg_residue.residue(self._table(), self._rows, keys, retention=retention, at=at)

    def _table(self) -> Any:
        return iceberg_catalogs.open_table(self._location, self._options)

    def _files(self, table: Any) -> dict[str, TableFile]:
        return iceberg_files.table_files(table, iceberg_files.data_files(table), self._rows.key_column)

    def _write(
        self,
        table: Any,
        files: Mapping[str, TableFile],
        chosen: Sequence[TableFile],
        note: Path,
        keys: Collection[str],
        spans: Spans,
    ) -> tuple[list[Path], list[Comparison]]:
        """The new files, and the note of which takes which one's place."""
        held = iceberg_files.data_files(table)
        addresses = {file.name: uri for uri, file in files.items()}
        replaced: dict[str, str | None] = {}
        written, compared = [], []
        for number, file in enumerate(chosen):
            old = addresses[file.name]
            iceberg_files.check_layout(table, held[old])
            new = folders.renewed(old, f"{table_files.mark_of(note)}-{number}")
            target = iceberg_catalogs.path_of(new)
            compared.append(self._rows.rewrite(file, str(target), keys, spans))
            replaced[old] = new if compared[-1].rows_after else None
            if replaced[old]:
                with writing(file.name):
                    folders.settle_temporary(target, like=Path(file.path))
                written.append(target)
            else:
                # a file of no rows is no use to a table: its schema is in the metadata
                target.unlink(missing_ok=True)
        _fill(note, json.dumps(replaced))
        return written, compared

    def _replace(self, staged: StagedUnit, replaced: Mapping[str, str | None]) -> None:
        """One snapshot with the new files in the old ones' place, on top of whatever others committed."""
        for _ in range(_TRIES):
            table = self._table()
            held = iceberg_files.data_files(table)
            if not replaced.keys() <= held.keys():
                raise changed(staged.unit)
            try:
                with catalog_errors(self._location), table.transaction() as transaction:
                    update = transaction.update_snapshot(snapshot_properties={COMMIT: staged.after})
                    with update.overwrite() as overwriting:
                        for old, new in replaced.items():
                            overwriting.delete_data_file(held[old])
                            if new:
                                overwriting.append_data_file(iceberg_files.entry_of(table, held[old], new))
                return
            except ConnectorError as conflict:
                if conflict.code != "commit_conflict":
                    raise
        raise ConnectorError(
            "commit_conflict", "Other writers commit to the table all the time; trying again.", permanent=False
        )


def _fill(note: Path, text: str) -> None:
    """Write the note; it is there already, unless another worker swept it."""
    with writing("the table's folder"):
        try:
            with note.open("r+") as stream:
                stream.write(text)
                stream.flush()
                os.fsync(stream.fileno())
        except FileNotFoundError:
            raise swept("the table") from None


def _take(note: Path, taken: Path, unit: str) -> dict[str, str | None]:
    """Take the note, so that nobody else can sweep the files that it names."""
    with writing("the table's folder"):
        try:
            os.rename(note, taken)
        except FileNotFoundError:
            raise swept(unit) from None
        replaced: dict[str, str | None] = json.loads(taken.read_text())
    return replaced


def _discard(note: Path, table: Any) -> None:
    """Take a note away, and the new files that it named, unless they were committed."""
    try:
        note.unlink()
    except FileNotFoundError:
        return
    mark = table_files.mark_of(note)
    if not _is_committed(table, mark):
        for path in [*root(table).rglob(f"*.heed-{mark}-*")]:
            path.unlink(missing_ok=True)


def _is_committed(table: Any, mark: str) -> bool:
    if any(one.summary and one.summary[COMMIT] == mark for one in table.metadata.snapshots):
        return True
    return any(f".heed-{mark}-" in uri for uri in iceberg_files.data_files(table))


def _settle(table: Any) -> None:
    """The library writes metadata without bringing it to disk."""
    snapshot = table.current_snapshot()
    manifests = [one.manifest_path for one in snapshot.manifests(table.io)]
    with writing("the table's folder"):
        for uri in [table.metadata_location, snapshot.manifest_list, *manifests]:
            folders.sync(iceberg_catalogs.path_of(uri))
        folders.sync(iceberg_catalogs.path_of(table.metadata_location).parent)
