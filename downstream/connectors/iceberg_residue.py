"""Searching everything in an Iceberg table's location: data files, manifests with their bounds, metadata."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from downstream.connectors import iceberg_files, iceberg_purging
from downstream.connectors.base import WHOLE, ConnectorError, Residue, Trace
from downstream.connectors.iceberg_catalogs import path_of, root
from downstream.connectors.residue_search import Search
from downstream.connectors.table_rows import TableFile, TableRows
from downstream.engines.errors import reading
from downstream.engines.parquet_files import looks_like_parquet

# bounds of texts are cut to so many letters unless the table says otherwise
_SHORTENED = 16
_NUMBERS = {4, 8}


def residue(
    table: Any, rows: TableRows, keys: Collection[str], *, retention: timedelta | None, at: datetime
) -> Residue:
    """Search every file in the table's location."""
    search = _Search(table, rows, Search.of(keys), _current_manifests(table))
    keep, known = iceberg_purging.kept(table, retention), iceberg_purging.known(table)
    looked, found, until = 0, [], []
    with reading("the table's folder"):
        paths = sorted(path for path in root(table).rglob("*") if path.is_file())
    for path in paths:
        looked += 1
        if kind := search.kind_of(path):
            found.append(Trace(search.name(path), kind))
            grace = iceberg_purging.modified(path) + max(keep, iceberg_purging.GRACE)
            until.append(known[path] + keep if path in known else grace)
    latest = max(until, default=at)
    others = [name for name in table.metadata.refs if name != "main"]
    told = f"{len(others)} branches or tags of the table, which keep old snapshots until their owner drops them"
    return Residue(
        looked_at=looked,
        found=tuple(found),
        unreachable=(told,) if others and found else (),
        kept_until=latest if latest > at else None,
    )


def _current_manifests(table: Any) -> set[Path]:
    snapshot = table.current_snapshot()
    if snapshot is None:
        return set()
    return {path_of(snapshot.manifest_list), *(path_of(one.manifest_path) for one in snapshot.manifests(table.io))}


@dataclass(frozen=True)
class _Search:
    """Looking into one file after the other."""

    table: Any
    rows: TableRows
    keys: Search
    current: set[Path]

    def name(self, path: Path) -> str:
        """What a trace calls the file: not by its folder, where that is named after a person."""
        relative = path.relative_to(root(self.table))
        hidden = iceberg_files.partitioned_by(self.table, self.rows.key_column)
        return f"{relative.name} in a partition's folder" if hidden and len(relative.parts) > 2 else str(relative)

    def kind_of(self, path: Path) -> str:
        """What of them is in the file; empty where nothing is."""
        if self.keys.in_text(str(path.relative_to(root(self.table)))):
            return "old_version"
        if path.suffix == ".avro":
            return "statistics" if self._in_manifest(path) else ""
        with reading(path.name):
            is_parquet = path.stat().st_size > 0 and looks_like_parquet(path)
        if not is_parquet:
            return "log" if self.keys.in_file(path) else ""
        column = iceberg_files.column_in(self.table, path, self.rows.key_column)
        failures: list[ConnectorError] = []
        file = TableFile(path.name, str(path), column)
        found = self.rows.locate([file], self.keys.keys, WHOLE, failures)
        return "old_version" if found or (failures and self.keys.in_file(path)) else ""

    def _in_manifest(self, path: Path) -> bool:
        """Whether a manifest or a list of manifests tells of a key: bounds, partitions, names of files."""
        key = iceberg_files.field_id(self.table, self.rows.key_column)
        with reading(path.name):
            for removed, values in _records(self.table.io, path):
                # of files that are read: the key alone, because somebody else's text may well mention a person
                living = path in self.current and not removed
                if any(self._is_key(value, living) for number, value in values if not living or number in {key, None}):
                    return True
        return False

    def _is_key(self, value: Any, living: bool) -> bool:
        if isinstance(value, bytes) and len(value) in _NUMBERS:
            number = str(int.from_bytes(value, "little", signed=True))
            if number in self.keys.keys:
                return True
        text = value.decode(errors="replace") if isinstance(value, bytes) else str(value)
        if text in self.keys.keys or self.keys.in_text(text):
            return True
        # a bound that was cut, of which an upper one's last letter is the next
        start = text[: _SHORTENED - 1]
        return not living and len(text) == _SHORTENED and any(key.startswith(start) for key in self.keys.words)


def _records(io: Any, path: Path) -> Iterator[tuple[bool, list[tuple[int | None, Any]]]]:
    """Each record: whether it tells of a removed file, and its values by the column's number where it has one."""
    from pyiceberg.avro.file import AvroFile
    from pyiceberg.manifest import (
        DEFAULT_READ_VERSION,
        MANIFEST_ENTRY_SCHEMAS,
        DataFile,
        ManifestEntry,
        read_manifest_list,
    )

    source = io.new_input(str(path))
    header: AvroFile[Any]
    with AvroFile(source) as header:
        is_list = any(field.name == "manifest_path" for field in header.schema.fields)
    if is_list:
        for manifest in read_manifest_list(source):
            parts = manifest.partitions or []
            yield False, [(None, bound) for one in parts for bound in (one.lower_bound, one.upper_bound) if bound]
        return
    types: dict[int, Any] = {-1: ManifestEntry, 2: DataFile}
    entries: AvroFile[Any]
    with AvroFile(source, MANIFEST_ENTRY_SCHEMAS[DEFAULT_READ_VERSION], read_types=types) as entries:
        entry: Any
        for entry in entries:
            file = entry.data_file
            bounds = [*(file.lower_bounds or {}).items(), *(file.upper_bounds or {}).items()]
            parts = [file.partition[index] for index in range(len(file.partition))]
            names: list[tuple[int | None, Any]] = [(None, value) for value in [*parts, file.file_path] if value]
            yield int(entry.status) == iceberg_purging.DELETED, [*bounds, *names]
