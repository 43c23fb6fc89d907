"""Erasing what a Delta table still keeps of removed rows, and searching for it.

Three things hold them: data files that no version reads any more (also change data), entries of the log with their
statistics, predicates and partition values, and checkpoints with those of removed files. All go by time: files by
when they were removed, the log up to the version that was the newest at the limit, of which a checkpoint is made.
"""

import json
import os
import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from downstream.connectors import delta_log, folders
from downstream.connectors.base import WHOLE, ConnectorError, Residue, Trace
from downstream.connectors.delta_log import LOG, Action, DeltaLog
from downstream.connectors.residue_search import Search
from downstream.connectors.table_rows import TableFile, TableRows
from downstream.engines.errors import reading, writing
from downstream.engines.parquet_files import looks_like_parquet

_VERSION = re.compile(r"\.?(\d{20})\.")
_LAST = "_last_checkpoint"
_CHANGES = "_change_data"
OPERATION = "HEED PURGE"
# what the log does not know may be a file that another writer is about to commit
_GRACE = timedelta(days=1)
_TRIES = 5


def purge(log: DeltaLog, *, retention: timedelta | None, at: datetime) -> None:
    """Erase what is older than the retention. Raises ConnectorError."""
    files_until = at - (log.kept_files() if retention is None else retention)
    log_until = at - (log.kept_log() if retention is None else retention)
    _erase_files(log, files_until, at)
    for _ in range(_TRIES):
        if _erase_log(delta_log.read(log.root), log_until, files_until):
            return
    raise ConnectorError("commit_conflict", "Other writers commit all the time; trying again.", permanent=False)


def residue(
    log: DeltaLog, rows: TableRows, keys: Collection[str], *, retention: timedelta | None, at: datetime
) -> Residue:
    """Search every file in the table's folder."""
    search = _Search(log, rows, Search.of(keys), retention, _times(log))
    looked, found, until = 0, [], []
    with reading(LOG):
        paths = sorted(path for path in log.root.rglob("*") if path.is_file())
    for path in paths:
        looked += 1
        if kind := search.kind_of(path):
            found.append(Trace(search.name(path), kind))
            until.append(search.kept_until(path))
    latest = max(until, default=at)
    return Residue(looked_at=looked, found=tuple(found), kept_until=latest if latest > at else None)


def _erase_files(log: DeltaLog, until: datetime, at: datetime) -> None:
    known = _times(log)
    read = {log.path_of(path) for path in log.adds}
    for path in list(_data_files(log.root)):
        if path in read:
            continue
        with reading(path.name):
            unknown = path not in known
            since = _modified(path) if unknown else known[path]
            if since > (min(until, at - _GRACE) if unknown else until) or (unknown and not looks_like_parquet(path)):
                continue
        with writing("the table's folder"):
            path.unlink(missing_ok=True)
            # Hadoop's checksum of it
            path.with_name(f".{path.name}.crc").unlink(missing_ok=True)
            _remove_empty(path.parent, log.root)


def _data_files(root: Path) -> Iterator[Path]:
    for parent, inside, names in os.walk(root):
        inside[:] = [name for name in inside if name[0] not in "._" or "=" in name or name == _CHANGES]
        yield from (Path(parent, name) for name in names if name[0] not in "._")


def _times(log: DeltaLog) -> dict[Path, datetime]:
    """Since when each file that the log tells about is not read any more."""
    times = {log.path_of(path): _moment(one.get("deletionTimestamp") or 0) for path, one in log.removes.items()}
    for _, entry in delta_log.entries(log.root):
        for action in delta_log.actions(entry):
            if cdc := action.get("cdc"):
                times[log.path_of(cdc["path"])] = _modified(entry)
    return times


def _remove_empty(folder: Path, root: Path) -> None:
    """A partition's folder is named after its value: it goes with its last file."""
    while folder != root and not any(folder.iterdir()):
        folder.rmdir()
        folder = folder.parent


def _erase_log(log: DeltaLog, until: datetime, files_until: datetime) -> bool:
    """Erase entries that no version within the retention needs; False where another writer came between."""
    old = [(version, path) for version, path in delta_log.entries(log.root) if _modified(path) <= until]
    if not old:
        return True
    newest = old[-1][0]
    if newest == log.version:
        if len(old) == 1 and _says_nothing(old[0][1]) and not _superseded(log.root, newest):
            return True
        # readers want the entry of the newest version to be there: so the newest is to be one that tells nothing
        if not _commit_nothing(log):
            return False
        newest += 1
        _checkpoint(log.root, newest, files_until)
        _unlink(log.root, below=newest)
    else:
        _checkpoint(log.root, newest, files_until)
        _unlink(log.root, below=newest, entries_below=newest + 1)
    return True


def _says_nothing(entry: Path) -> bool:
    return all(set(one) == {"commitInfo"} and one["commitInfo"].get("operation") == OPERATION
               for one in delta_log.actions(entry))  # fmt: skip


def _superseded(root: Path, version: int) -> bool:
    return any(int(match[1]) < version for match in map(_VERSION.match, _names(root)) if match)


def _commit_nothing(log: DeltaLog) -> bool:
    entry = folders.make_temporary(log.root / LOG / "entry", token="purge")  # noqa: S106  (names a file)
    try:
        info: Action = {"operation": OPERATION, "operationParameters": {}, "engineInfo": "Heed"}
        with writing(LOG):
            info |= {"timestamp": int(entry.stat().st_mtime * 1_000), "readVersion": log.version}
            entry.write_text(json.dumps({"commitInfo": info}, separators=(",", ":")) + "\n")
            entry.chmod(0o644)
            folders.sync(entry)
            try:
                os.link(entry, log.root / LOG / f"{log.version + 1:020}.json")
            except FileExistsError:
                return False
            folders.sync(log.root / LOG)
    finally:
        entry.unlink(missing_ok=True)
    return True


def _checkpoint(root: Path, version: int, files_until: datetime) -> None:
    """A checkpoint of this version that does not tell of removed files whose bytes are gone."""
    import deltalake

    last = root / LOG / _LAST
    with writing(LOG):
        before = last.read_text() if last.exists() else "{}"
        try:
            deltalake.DeltaTable(str(root), version=version).create_checkpoint()
        except (deltalake.exceptions.DeltaError, ValueError):
            raise ConnectorError(
                "checkpoint_failed", "No checkpoint of the table could be made; have its owner repair it.",
                permanent=True,
            ) from None  # fmt: skip
        path = root / LOG / f"{version:020}.checkpoint.parquet"
        table = pq.read_table(path)
        removed: Any = pc.struct_field(table.column("remove"), "deletionTimestamp")
        gone = pc.fill_null(pc.less_equal(removed, pa.scalar(_milliseconds(files_until), pa.int64())), False)
        kept = table.filter(pc.invert(gone))
        _replace(path, lambda temporary: pq.write_table(kept, temporary))
        pointer = json.dumps({"version": version, "size": kept.num_rows})
        newer = json.loads(before).get("version", -1) > version
        _replace(last, lambda temporary: temporary.write_text(before if newer else pointer))


def _replace(path: Path, write: Any) -> None:
    temporary = folders.make_temporary(path, token="purge")  # noqa: S106  (names a file)
    try:
        write(temporary)
        temporary.chmod(0o644)
        folders.sync(temporary)
        os.replace(temporary, path)
        folders.sync(path.parent)
    finally:
        temporary.unlink(missing_ok=True)


def _unlink(root: Path, *, below: int, entries_below: int | None = None) -> None:
    with writing(LOG):
        for name in sorted(_names(root)):
            match = _VERSION.match(name)
            is_entry = delta_log.ENTRY.fullmatch(name.removeprefix(".").removesuffix(".crc"))
            limit = entries_below if is_entry and entries_below is not None else below
            if match and int(match[1]) < limit:
                (root / LOG / name).unlink(missing_ok=True)
        folders.sync(root / LOG)


def _names(root: Path) -> list[str]:
    with reading(LOG):
        return [path.name for path in (root / LOG).iterdir()]


@dataclass(frozen=True)
class _Search:
    """Looking into one file after the other."""

    log: DeltaLog
    rows: TableRows
    keys: Search
    retention: timedelta | None
    times: dict[Path, datetime]

    def name(self, path: Path) -> str:
        """What a trace calls the file: not by its folder, where that is named after a person."""
        relative = path.relative_to(self.log.root)
        if self.keys.in_text(str(relative)) or self.rows.key_column in self.log.partition_columns:
            return f"{relative.name} in a partition's folder"
        return str(relative)

    def kind_of(self, path: Path) -> str:
        """What of them is in the file; empty where nothing is."""
        relative = path.relative_to(self.log.root)
        if relative.parts[0] != LOG:
            return "old_version" if self._in_data(path) else ""
        if delta_log.CHECKPOINT.fullmatch(path.name):
            return self._in_actions(delta_log.checkpoint_actions(path))
        if delta_log.ENTRY.fullmatch(path.name):
            return self._in_actions(delta_log.actions(path))
        return "log" if self.keys.in_file(path) else ""

    def kept_until(self, path: Path) -> datetime:
        """Until when the retention keeps it."""
        log = self.log
        if path.relative_to(log.root).parts[0] != LOG:
            keep = log.kept_files() if self.retention is None else self.retention
            return self.times[path] + keep if path in self.times else _modified(path) + max(keep, _GRACE)
        keep = log.kept_log() if self.retention is None else self.retention
        match = _VERSION.match(path.name)
        later = path.with_name(f"{int(match[1]) + 1:020}.json") if match else path
        return (_modified(later) if later.exists() else _modified(path)) + keep

    def _in_data(self, path: Path) -> bool:
        if self.keys.in_text(str(path.relative_to(self.log.root))):
            return True
        with reading(path.name):
            is_parquet = looks_like_parquet(path) if path.stat().st_size else False
        if not is_parquet or self.rows.key_column in self.log.partition_columns:
            return not is_parquet and self.keys.in_file(path)
        failures: list[ConnectorError] = []
        file = TableFile(path.name, str(path), self.rows.key_column)
        found = self.rows.locate([file], self.keys.keys, WHOLE, failures)
        return bool(found) or (bool(failures) and self.keys.in_file(path))

    def _in_actions(self, actions: Iterator[Action]) -> str:
        kinds = {kind for action in actions for name, one in action.items() if (kind := self._in_action(name, one))}
        return min(kinds, default="")

    def _in_action(self, name: str, action: Any) -> str:
        if not isinstance(action, dict):
            return ""
        stats = _stats(action)
        if name == "add" and action["path"] in self.log.adds:
            # of rows that are read: somebody else's text may well mention a person
            column = self.rows.key_column
            bounds = [stats.get(part, {}).get(column) for part in ("minValues", "maxValues")]
            return "statistics" if self.keys.in_values([bounds, action.get("partitionValues")]) else ""
        text = json.dumps(action, default=str, ensure_ascii=False)
        if self.keys.in_statistics([action, stats]) or (
            stats and self.keys.in_text(json.dumps(stats, ensure_ascii=False))
        ):
            return "statistics"
        told = json.dumps(action.get("operationParameters") or "") if name == "commitInfo" else ""
        return "log" if self.keys.in_text(text) or self.keys.in_condition(told) else ""


def _stats(action: Action) -> Action:
    try:
        found: Action = json.loads(action.get("stats") or "{}")
    except ValueError:
        return {}
    return found


def _modified(path: Path) -> datetime:
    with reading(path.name):
        return datetime.fromtimestamp(path.stat().st_mtime, UTC)


def _moment(milliseconds: int) -> datetime:
    return datetime.fromtimestamp(milliseconds / 1_000, UTC)


def _milliseconds(moment: datetime) -> int:
    return int(moment.timestamp() * 1_000)
