"""Searching everything in an Iceberg table's location: data files, manifests with their bounds, metadata."""

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from downstream.connectors import iceberg_files, iceberg_purging
from downstream.connectors.base import WHOLE, ConnectorError, Residue, Trace
from downstream.connectors.iceberg_catalogs import path_of, root
from downstream.connectors.residue_search import SHORTENED, Search
from downstream.connectors.table_files import TableFile
from downstream.connectors.table_rows import TableRows
from downstream.engines.errors import reading
from downstream.engines.parquet_files import is_parquet

_NUMBERS = {4, 8}
_PARTITION = -1


def residue(
    table: Any, rows: TableRows, keys: Collection[str], *, retention: timedelta | None, at: datetime
) -> Residue:
    """Search every file in the table's location."""
    search = _Search(table, rows, Search.of(keys), _current_manifests(table))
    keep, known = iceberg_purging.kept(table, retention), iceberg_purging.known(table)
    with reading("the table's folder"):
        paths = sorted(path for path in root(table).rglob("*") if path.is_file())
    kinds = {path: kind for path in paths if (kind := search.kind_of(path))}
    kinds |= dict.fromkeys(search.with_rows(path for path in paths if path not in kinds), "old_version")
    grace = max(keep, iceberg_purging.GRACE)
    until = [known[path] + keep if path in known else iceberg_purging.modified(path) + grace for path in kinds]
    latest = max(until, default=at)
    others = [name for name in table.metadata.refs if name != "main"]
    told = f"{len(others)} branches or tags of the table, which keep old snapshots until their owner drops them"
    return Residue(
        looked_at=len(paths),
        found=tuple(Trace(search.name(path), kind) for path, kind in sorted(kinds.items())),
        unreachable=(told,) if others and kinds else (),
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
        """What of them is in the file but rows; empty where nothing is."""
        if self.keys.in_path(path.relative_to(root(self.table)), self.rows.key_column):
            return "old_version"
        if path.suffix == ".avro":
            return "statistics" if self._in_manifest(path) else ""
        return "log" if not _is_parquet(path) and self.keys.in_file(path) else ""

    def with_rows(self, paths: Iterable[Path]) -> list[Path]:
        """Data files that hold rows of theirs, or that cannot be read and hold their names."""
        data = [path for path in paths if _is_parquet(path)]
        column = self.rows.key_column
        files = [TableFile(str(path), str(path), iceberg_files.column_in(self.table, path, column)) for path in data]
        failures: list[ConnectorError] = []
        located = self.rows.locate(files, self.keys.keys, WHOLE, failures)
        return [path for path in data if str(path) in located or (failures and self.keys.in_file(path))]

    def _in_manifest(self, path: Path) -> bool:
        """Whether a manifest or a list of manifests tells of a key: bounds, partitions, names of files."""
        key = iceberg_files.field_id(self.table, self.rows.key_column)
        by_key = iceberg_files.partitioned_by(self.table, self.rows.key_column)
        of_living = {key, None, _PARTITION} if by_key else {key, None}
        with reading(path.name):
            records = list(_records(self.table.io, path))
        few = self.keys.narrowed("\n".join(_text(value) for _, values in records for _, value in values))
        for removed, values in records:
            # of files that are read: the key alone, because somebody else's text may well mention a person
            living = path in self.current and not removed
            if any(self._is_key(few, value, living) for name, value in values if not living or name in of_living):
                return True
        return False

    def _is_key(self, few: Search, value: Any, living: bool) -> bool:
        text = _text(value)
        if text in few.keys or few.in_text(text):
            return True
        if isinstance(value, bytes) and len(value) in _NUMBERS:
            return str(int.from_bytes(value, "little", signed=True)) in few.keys
        # a bound that was cut, of which an upper one's last letter is the next
        return not living and len(text) == SHORTENED and text[:-1] in self.keys.starts


def _text(value: Any) -> str:
    return value.decode(errors="replace") if isinstance(value, bytes) else str(value)


def _is_parquet(path: Path) -> bool:
    with reading(path.name):
        return path.stat().st_size > 0 and is_parquet(path)


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
            summaries = manifest.partitions or []
            yield (
                False,
                [(_PARTITION, bound) for one in summaries for bound in (one.lower_bound, one.upper_bound) if bound],
            )
        return
    types: dict[int, Any] = {-1: ManifestEntry, 2: DataFile}
    entries: AvroFile[Any]
    with AvroFile(source, MANIFEST_ENTRY_SCHEMAS[DEFAULT_READ_VERSION], read_types=types) as entries:
        entry: Any
        for entry in entries:
            file = entry.data_file
            bounds = [*(file.lower_bounds or {}).items(), *(file.upper_bounds or {}).items()]
            parts = [(_PARTITION, file.partition[index]) for index in range(len(file.partition))]
            yield int(entry.status) == iceberg_purging.DELETED, [*bounds, *parts, (None, file.file_path)]
