"""Erasing what a Delta table still keeps of removed rows.

Three things hold them: data files that no version reads any more (also change data), entries of the log with their
statistics, predicates and partition values, and checkpoints with those of removed files. All go by time: files by
when they were removed, the log up to the version that was the newest at the limit, of which a checkpoint is made.
"""

import json
import os
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from downstream.connectors import delta_log
from downstream.connectors.base import ConnectorError
from downstream.connectors.delta_log import LOG, Action, DeltaLog
from downstream.engines.errors import reading, writing
from downstream.engines.parquet_files import is_parquet
from downstream.stores import folders

VERSION = re.compile(r"\.?(\d{20})\.")
_LAST = "_last_checkpoint"
_CHANGES = "_change_data"
OPERATION = "HEED PURGE"
# what the log does not know may be a file that another writer is about to commit
GRACE = timedelta(days=1)
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


def _erase_files(log: DeltaLog, until: datetime, at: datetime) -> None:
    known = times(log)
    read = {log.path_of(path) for path in log.adds}
    for path in list(_data_files(log.root)):
        if path in read:
            continue
        with reading(path.name):
            unknown = path not in known
            since = modified(path) if unknown else known[path]
            if since > (min(until, at - GRACE) if unknown else until) or (unknown and not is_parquet(path)):
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


def times(log: DeltaLog) -> dict[Path, datetime]:
    """Since when each file that the log tells about is not read any more."""
    found = {log.path_of(path): _moment(one.get("deletionTimestamp") or 0) for path, one in log.removes.items()}
    for _, entry in delta_log.entries(log.root):
        for action in delta_log.actions(entry):
            if cdc := action.get("cdc"):
                found[log.path_of(cdc["path"])] = modified(entry)
    return found


def _remove_empty(folder: Path, root: Path) -> None:
    """A partition's folder is named after its value: it goes with its last file."""
    while folder != root and not any(folder.iterdir()):
        folder.rmdir()
        folder = folder.parent


def _erase_log(log: DeltaLog, until: datetime, files_until: datetime) -> bool:
    """Erase entries that no version within the retention needs; False where another writer came between."""
    old = [(version, path) for version, path in delta_log.entries(log.root) if modified(path) <= until]
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
    return any(int(match[1]) < version for match in map(VERSION.match, _names(root)) if match)


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
            match = VERSION.match(name)
            is_entry = delta_log.ENTRY.fullmatch(name.removeprefix(".").removesuffix(".crc"))
            limit = entries_below if is_entry and entries_below is not None else below
            if match and int(match[1]) < limit:
                (root / LOG / name).unlink(missing_ok=True)
        folders.sync(root / LOG)


def _names(root: Path) -> list[str]:
    with reading(LOG):
        return [path.name for path in (root / LOG).iterdir()]


def modified(path: Path) -> datetime:
    """When the file was last written."""
    with reading(path.name):
        return datetime.fromtimestamp(path.stat().st_mtime, UTC)


def _moment(milliseconds: int) -> datetime:
    return datetime.fromtimestamp(milliseconds / 1_000, UTC)


def _milliseconds(moment: datetime) -> int:
    return int(moment.timestamp() * 1_000)
