"""Datasets that are a Delta Lake table in a folder.

Rows are taken out file by file, and the files of one unit go in one entry of the log, which Heed writes itself:
`deltalake`'s own DELETE writes its predicate, and so the people, in clear into the log, and writes files of another
make. Until the entry has its number, it lies in the log's folder under a name that no reader knows; giving it the
number is a link, which fails where another writer took the number first. docs/decisions/0018-tables.md has the why.
"""

import json
import os
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from downstream.connectors import delta_log, delta_purging, delta_residue, delta_statistics, table_files, table_rows
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
from downstream.connectors.delta_log import LOG, Action, DeltaLog
from downstream.connectors.table_files import TableFile
from downstream.connectors.table_rows import TableRows
from downstream.engines.base import Comparison
from downstream.engines.errors import changed, reading, swept, writing
from downstream.engines.options import check_known
from downstream.stores import folders
from portal.fault_points import reach

_TRIES = 50
OPERATION = "HEED REMOVE"


def connect(location: str, key_column: str, options: Mapping[str, Any]) -> "DeltaTable":
    """The connector to one table. Options: `created_column`, `engine` and its own, `files_per_commit`.

    Raises ConnectorError.
    """
    check_known(options, table_rows.OPTIONS, what="A Delta table")
    return DeltaTable(location, table_rows.from_options(key_column, options))


class DeltaTable:
    """Implements `downstream.connectors.base.Connector`."""

    def __init__(self, location: str, rows: TableRows) -> None:
        self._location = location
        self._rows = rows

    def describe(self) -> Description:
        log = self._log()
        delta_log.agree(log)
        if self._rows.key_column not in log.columns:
            raise ConnectorError(
                "key_column_missing",
                f"The table has no column {self._rows.key_column}; its columns are: {', '.join(log.columns)}.",
                permanent=True,
            )
        files = self._files(log)
        if not files:
            raise ConnectorError("dataset_empty", f"The table in {self._location} has no rows.", permanent=True)
        rows, size = self._rows.check(files)
        return Description(format="delta", files=len(files), rows=rows, size=size, schema="\n".join(log.columns))

    def manifest(self) -> Manifest:
        return table_files.manifest_of(self._files(self._log()))

    def sweep(self) -> list[str]:
        root = self._root()
        with reading(LOG):
            left = folders.temporaries(root)
        for entry in left:
            _discard(entry, root)
        return [folders.name_of(entry, root) for entry in left]

    def find(self, keys: Collection[str], spans: Spans = WHOLE) -> Iterator[UnitFinding]:
        log = self._log()
        delta_log.agree(log)
        yield from self._rows.find(self._files(log), keys, spans, self._paths(log))

    def rows(self, keys: Collection[str], failures: list[ConnectorError] | None = None) -> Iterator[Row]:
        log = self._log()
        delta_log.agree(log)
        yield from self._rows.rows(self._files(log), keys, failures)

    def stage(self, finding: UnitFinding, keys: Collection[str], spans: Spans = WHOLE, *, token: str) -> StagedUnit:
        spans = spans.by(self._rows.created_column)
        log = self._log()
        files = table_files.files_of(finding, self._files(log))
        reach("stage.before_write")
        entry = folders.make_temporary(log.root / LOG / "entry", token=token)
        try:
            written, compared = self._write(log, files, entry, keys, spans)
            reach("stage.after_write")
            folders_touched = {path.parent for path in written}
            with writing(LOG):
                for path in {entry, *written, *folders_touched, entry.parent}:
                    folders.sync(path)
            reach("stage.after_fsync")
            return table_files.staged(
                finding,
                files,
                written,
                compared,
                temporary=folders.name_of(entry, log.root),
                before=f"version {log.version}",
                after=table_files.mark_of(entry),
            )
        except BaseException:
            _discard(entry, log.root)
            raise

    def stage_each(
        self, findings: Iterable[UnitFinding], keys: Collection[str], spans: Spans = WHOLE, *, token: str
    ) -> Iterator[tuple[UnitFinding, StagedUnit]]:
        return stage_one_by_one(self, findings, keys, spans, token=token)

    def commit(self, staged: StagedUnit, *, fence: Callable[[], object]) -> None:
        root = self._root()
        entry = root / staged.temporary
        try:
            if self.unit_state(staged) == "new":
                return
            fence()
            for _ in range(_TRIES):
                log = self._log()
                if not table_files.all_active(staged, log.adds):
                    raise changed(staged.unit)
                reach("commit.before_rename")
                if self._link(entry, root / LOG / f"{log.version + 1:020}.json", staged.unit):
                    break
            else:
                raise ConnectorError(
                    "commit_conflict", "Other writers commit to the table all the time; trying again.", permanent=False
                )
            reach("commit.after_rename")
            with writing(LOG):
                folders.sync(root / LOG)
            reach("commit.after_dirsync")
        finally:
            _discard(entry, root)

    def unit_state(self, staged: StagedUnit) -> UnitState:
        log = self._log()
        since = int(staged.before.removeprefix("version "))
        later = [(version, path) for version, path in delta_log.entries(log.root) if version > since]
        mine = f".heed-{staged.after}-"
        removed_only = False
        if any(mine in path for path in log.adds):
            return _settled(log)
        wanted = set(staged.fingerprint.split(","))
        for _, path in later:
            actions = list(delta_log.actions(path))
            if any((one.get("commitInfo") or {}).get("heedCommit") == staged.after for one in actions):
                return _settled(log)
            if any(table_files.short(one["remove"]["path"]) in wanted for one in actions if one.get("remove")):
                removed_only = not any(one.get("add") for one in actions)
        if table_files.all_active(staged, log.adds):
            return "old"
        return "missing" if removed_only else "changed"

    def verify(self, keys: Collection[str], spans: Spans = WHOLE) -> Verification:
        log = self._log()
        delta_log.agree(log)
        return self._rows.verify(self._files(log), keys, spans, is_unchanged=lambda: self._log().version == log.version)

    def statements(self, keys: Collection[str]) -> Iterator[RowsSaying]:
        return self._rows.saying(self._files(self._log()), keys)

    def purge(self, *, retention: timedelta | None, at: datetime) -> None:
        delta_purging.purge(self._log(), retention=retention, at=at)

    def residue(
        self, keys: Collection[str], *, retention: timedelta | None, at: datetime, removed_at: datetime | None = None
    ) -> Residue:
        return delta_residue.residue(self._log(), self._rows, keys, retention=retention, at=at)

    def _root(self) -> Path:
        if "://" in self._location:
            raise ConnectorError(
                "unsupported_location", "A Delta table is named by the path of its folder.", permanent=True
            )
        return folders.root(self._location)

    def _log(self) -> DeltaLog:
        root = self._root()
        if not (root / LOG).is_dir():
            raise ConnectorError(
                "dataset_empty", f"{self._location} holds no Delta table: it has no {LOG}.", permanent=True
            )
        return delta_log.read(root)

    def _paths(self, log: DeltaLog) -> dict[str, str]:
        """The log's own path of each file, by the name that people see."""
        return {_name(log, path, self._rows.key_column): path for path in log.adds}

    def _files(self, log: DeltaLog) -> list[TableFile]:
        files, types, key_column = [], log.types if log.partition_columns else {}, self._rows.key_column
        for name, path in sorted(self._paths(log).items()):
            values = log.adds[path].get("partitionValues") or {}
            where = str(log.path_of(path))
            folder = {one: delta_log.typed(values.get(one), types.get(one, "")) for one in log.partition_columns}
            if key_column in log.partition_columns:
                files.append(TableFile(name, where, None, key=values.get(key_column) or None, folder=folder))
            else:
                files.append(TableFile(name, where, key_column, folder=folder))
        return files

    def _write(
        self, log: DeltaLog, files: list[TableFile], entry: Path, keys: Collection[str], spans: Spans
    ) -> tuple[list[Path], list[Comparison]]:
        """The new files and the entry that puts them in the old ones' place."""
        paths, written, compared = self._paths(log), [], []
        at = int(entry.stat().st_mtime * 1_000)
        lines: list[Action] = []
        for number, file in enumerate(files):
            add = log.adds[paths[file.name]]
            new = folders.renewed(add["path"], f"{table_files.mark_of(entry)}-{number}")
            target = log.path_of(new)
            compared.append(self._rows.rewrite(file, str(target), keys, spans))
            lines.append({"remove": _remove(add, at)})
            if compared[-1].rows_after:
                with writing(file.name):
                    folders.settle_temporary(target, like=Path(file.path))
                written.append(target)
                lines.append({"add": _add(add, new, target, at)})
            else:
                # a file of no rows is no use to a table: its schema is in the log
                target.unlink(missing_ok=True)
        with writing(LOG):
            _fill(entry, [_commit_info(log, entry, at), *lines])
        return written, compared

    def _link(self, entry: Path, numbered: Path, unit: str) -> bool:
        """Give the entry its number; False where another writer has taken it."""
        with writing(LOG):
            try:
                os.utime(entry)
                os.link(entry, numbered)
            except FileExistsError:
                return False
            except FileNotFoundError:
                raise swept(unit) from None
        return True


def _name(log: DeltaLog, path: str, key_column: str) -> str:
    """What people see of a file: not its folder where that is named after a person."""
    if key_column in log.partition_columns:
        return f"file {table_files.short(path)}"
    return str(log.path_of(path).relative_to(log.root))


def _commit_info(log: DeltaLog, entry: Path, at: int) -> Action:
    return {
        "commitInfo": {
            "timestamp": at,
            "operation": OPERATION,
            "operationParameters": {},
            "readVersion": log.version,
            "engineInfo": "Heed",
            "heedCommit": table_files.mark_of(entry),
        }
    }


def _remove(add: Action, at: int) -> Action:
    removed = {"path": add["path"], "deletionTimestamp": at, "dataChange": True, "extendedFileMetadata": True}
    return removed | {"partitionValues": add.get("partitionValues") or {}, "size": add["size"]}


def _add(old: Action, path: str, target: Path, at: int) -> Action:
    with reading(target.name):
        size = target.stat().st_size
    stats = delta_statistics.of(target, like=old.get("stats"))
    kept = {name: value for name, value in old.items() if name not in {"stats_parsed", "partitionValues_parsed"}}
    return kept | {"path": path, "size": size, "modificationTime": at, "dataChange": True, "stats": stats}


def _settled(log: DeltaLog) -> UnitState:
    # who linked it may have died before the name was on disk
    with writing(LOG):
        folders.sync(log.root / LOG)
    return "new"


def _fill(entry: Path, lines: list[Action]) -> None:
    """Write the entry; it is there already, unless another worker swept it."""
    text = "".join(json.dumps(line, separators=(",", ":")) + "\n" for line in lines)
    try:
        with entry.open("r+") as stream:
            stream.write(text)
            stream.flush()
            os.fsync(stream.fileno())
        entry.chmod(0o644)
    except FileNotFoundError:
        raise swept("the table") from None


def _discard(entry: Path, root: Path) -> None:
    """Take an entry away, and the new files that it named, unless it has become part of the log."""
    with writing(LOG):
        try:
            handle = os.open(entry, os.O_RDONLY)
        except FileNotFoundError:
            return
        try:
            entry.unlink(missing_ok=True)
            linked = os.fstat(handle).st_nlink > 0
        finally:
            os.close(handle)
    mine = f".heed-{table_files.mark_of(entry)}-"
    # from here on nobody can commit it any more; one whose entry was cleaned up since is known by its files
    if not linked and not any(mine in path for path in delta_log.read(root).adds):
        with writing(LOG):
            for path in [*root.rglob(f"*{mine}*")]:
                path.unlink(missing_ok=True)
