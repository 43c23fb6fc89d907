"""Erasing what an Iceberg table still keeps of removed rows, and searching for it.

pyiceberg expires snapshots in the metadata only, and a snapshot that removes files still holds their statistics in
its own manifests. So: first a snapshot whose manifests tell of living files alone, then the old ones expire, then
every file goes that no snapshot left refers to. How old one is counts from when it stopped being the current one.
"""

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

from downstream.connectors.base import ConnectorError
from downstream.connectors.iceberg_catalogs import catalog_errors, path_of, root
from downstream.connectors.iceberg_files import lineage
from downstream.engines.errors import reading, writing
from downstream.stores import folders

_AGE, _AGE_DEFAULT = "history.expire.max-snapshot-age-ms", 5 * 24 * 60 * 60 * 1_000
# what the table knew before its snapshots expired: whoever dies in between leaves it to the next
_LIST = "metadata/.heed-purge.list"
_TIDIED = "heed.tidied"
_LEAST = "history.expire.min-snapshots-to-keep"
# what no snapshot knows may be a file that another writer is about to commit
GRACE = timedelta(days=1)
_WRITTEN_BY_TABLES = (".parquet", ".avro", ".json", ".gz", ".puffin", ".stats")
DELETED = 2
"""The status of a manifest's entry."""


def purge(load: Callable[[], Any], *, retention: timedelta | None, at: datetime) -> None:
    """Erase what is older than the retention. Raises ConnectorError."""
    table = load()
    until = at - kept(table, retention)
    before, began = _noted(table) | known(table), table.metadata_location
    if _tells_of_removed(table, until):
        _tidy(table)
        table = load()
        before |= known(table)
    if old := _expired(table, until, keep=_least(table, retention)):
        _write_down(table, before)
        with catalog_errors("the table"):
            table.maintenance.expire_snapshots().by_ids(old).commit()
        table = load()
    if table.metadata_location != began:
        # earlier metadata tells of snapshots that are gone now
        before |= {path_of(entry.metadata_file): until for entry in table.metadata.metadata_log}
    _erase(table, before, until, at)
    with writing("the table's folder"):
        (root(table) / _LIST).unlink(missing_ok=True)


def _write_down(table: Any, before: dict[Path, datetime]) -> None:
    """Bring to disk since when each file is not needed: no snapshot will know it."""
    path = root(table) / _LIST
    with writing("the table's folder"):
        temporary = folders.make_temporary(path, token="purge")  # noqa: S106  (names a file)
        temporary.write_text(json.dumps([(str(one), since.isoformat()) for one, since in before.items()]))
        folders.sync(temporary)
        temporary.replace(path)
        folders.sync(path.parent)


def _noted(table: Any) -> dict[Path, datetime]:
    """What a purge that died had written down."""
    path = root(table) / _LIST
    with reading(path.name):
        lines = json.loads(path.read_text()) if path.exists() else []
    return {Path(name): datetime.fromisoformat(since) for name, since in lines}


def kept(table: Any, retention: timedelta | None) -> timedelta:
    """How long old snapshots are kept."""
    own = int(table.metadata.properties.get(_AGE, _AGE_DEFAULT))
    return timedelta(milliseconds=own) if retention is None else retention


def _least(table: Any, retention: timedelta | None) -> int:
    return int(table.metadata.properties.get(_LEAST, 1)) if retention is None else 1


def _superseded(table: Any) -> dict[int, datetime]:
    """When each snapshot but the current one stopped being current.

    One that was only tidied counts from its own time: the next one has the same rows.
    """
    line = lineage(table)
    times = {one.snapshot_id: _moment(one.timestamp_ms) for one in table.metadata.snapshots}
    for new, old in pairwise(line):
        if not (new.summary and new.summary[_TIDIED]):
            times[old.snapshot_id] = _moment(new.timestamp_ms)
    times.pop(line[0].snapshot_id if line else None, None)
    return times


def _tells_of_removed(table: Any, until: datetime) -> bool:
    """Whether the current snapshot's manifests tell of files that were removed before the limit."""
    times = {one.snapshot_id: _moment(one.timestamp_ms) for one in table.metadata.snapshots}
    snapshot = table.current_snapshot()
    for manifest in snapshot.manifests(table.io) if snapshot else []:
        if manifest.deleted_files_count != 0:
            for entry in manifest.fetch_manifest_entry(table.io, discard_deleted=False):
                if int(entry.status) == DELETED and times.get(entry.snapshot_id, until) <= until:
                    return True
    return False


def _tidy(table: Any) -> None:
    """A snapshot of the same files, whose manifests tell of no others."""
    from pyiceberg.manifest import ManifestEntry, ManifestEntryStatus, ManifestFile
    from pyiceberg.table.snapshots import Operation
    from pyiceberg.table.update.snapshot import _FastAppendFiles

    class _Tidy(_FastAppendFiles):
        def _existing_manifests(self) -> list[ManifestFile]:
            return [self._without_removed(one) for one in super()._existing_manifests()]

        def _without_removed(self, manifest: ManifestFile) -> ManifestFile:
            if manifest.deleted_files_count == 0:
                return manifest
            with self.new_manifest_writer(self.spec(manifest.partition_spec_id)) as writer:
                for entry in manifest.fetch_manifest_entry(self._io):
                    writer.add_entry(
                        ManifestEntry.from_args(
                            status=ManifestEntryStatus.EXISTING,
                            snapshot_id=entry.snapshot_id,
                            sequence_number=entry.sequence_number,
                            file_sequence_number=entry.file_sequence_number,
                            data_file=entry.data_file,
                        )
                    )
            return writer.to_manifest_file()

    with catalog_errors("the table"), table.transaction() as transaction:
        _Tidy(Operation.APPEND, transaction, table.io, snapshot_properties={_TIDIED: "true"}).commit()


def _expired(table: Any, until: datetime, *, keep: int) -> list[int]:
    """Snapshots that were not current any more at the limit, but those that a branch or tag names."""
    kept = {ref.snapshot_id for ref in table.metadata.refs.values()}
    kept |= {one.snapshot_id for one in lineage(table)[:keep]}
    return [one for one, since in _superseded(table).items() if since <= until and one not in kept]


def _erase(table: Any, before: dict[Path, datetime], until: datetime, at: datetime) -> None:
    """Delete what nothing refers to: files that an expired snapshot had, and old ones that nobody knows."""
    folder = root(table)
    # by whatever name: a file that is reached through a link is not to be taken for another
    living = {path.resolve() for path in _living(table)}
    if not all(path.is_relative_to(folder.resolve()) for path in living):
        raise ConnectorError(
            "link_leaves_folder",
            "The table has files outside of its location, so that what is unused cannot be told; have its owner purge.",
            permanent=True,
        )
    own = (folder / "data", folder / "metadata")
    with reading("the table's folder"):
        paths = [path for path in folder.rglob("*") if path.is_file() and path.resolve() not in living]
    for path in paths:
        unknown = path not in before
        ours = path.suffix in _WRITTEN_BY_TABLES and any(path.is_relative_to(one) for one in own)
        if path.name.startswith(".heed-") or (unknown and not ours):
            continue
        if (modified(path) > min(until, at - GRACE)) if unknown else (before[path] > until):
            continue
        with writing("the table's folder"):
            path.unlink(missing_ok=True)
            path.with_name(f".{path.name}.crc").unlink(missing_ok=True)
            _remove_empty(path.parent, folder)
    with writing("the table's folder"):
        for one in own:
            if one.is_dir():
                folders.sync(one)


def _remove_empty(folder: Path, top: Path) -> None:
    """A partition's folder is named after its value: it goes with its last file."""
    while folder.parent != top and folder != top and not any(folder.iterdir()):
        folder.rmdir()
        folder = folder.parent


def _old_metadata(table: Any) -> Iterator[tuple[Any, datetime]]:
    """Earlier metadata files, and when each was replaced."""
    log = list(table.metadata.metadata_log)
    replaced = [one.timestamp_ms for one in log[1:]] + [table.metadata.last_updated_ms]
    for entry, since in zip(log, replaced, strict=True):
        yield entry, _moment(since)


def _contents(table: Any) -> Iterator[tuple[Any, list[Path], list[Path]]]:
    """Each snapshot, the files that reading it needs, and those that its manifests tell were removed."""
    seen: dict[str, tuple[list[Path], list[Path]]] = {}
    for snapshot in table.metadata.snapshots:
        needed, removed = [path_of(snapshot.manifest_list)], []
        for manifest in snapshot.manifests(table.io):
            if manifest.manifest_path not in seen:
                entries = manifest.fetch_manifest_entry(table.io, discard_deleted=False)
                paths = [(path_of(one.data_file.file_path), int(one.status) == DELETED) for one in entries]
                seen[manifest.manifest_path] = (
                    [path_of(manifest.manifest_path), *(path for path, gone in paths if not gone)],
                    [path for path, gone in paths if gone],
                )
            needed += seen[manifest.manifest_path][0]
            removed += seen[manifest.manifest_path][1]
        yield snapshot, needed, removed


def _living(table: Any) -> Iterator[Path]:
    """All files that the table as it is refers to."""
    yield path_of(table.metadata_location)
    yield root(table) / "metadata" / "version-hint.text"
    for _, needed, _ in _contents(table):
        yield from needed
    for statistics in [*table.metadata.statistics, *table.metadata.partition_statistics]:
        yield path_of(statistics.statistics_path)


def known(table: Any) -> dict[Path, datetime]:
    """Since when each file that the table knows is needed by old snapshots only, or by none."""
    found: dict[Path, datetime] = {path_of(entry.metadata_file): since for entry, since in _old_metadata(table)}
    now, superseded = _moment(table.metadata.last_updated_ms), _superseded(table)
    for snapshot, needed, removed in _contents(table):
        since = superseded.get(snapshot.snapshot_id, now)
        for path in needed:
            found[path] = max(since, found.get(path, since))
        for path in removed:
            found.setdefault(path, _moment(snapshot.timestamp_ms))
    return found


def modified(path: Path) -> datetime:
    """When the file was last written."""
    with reading(path.name):
        return datetime.fromtimestamp(path.stat().st_mtime, UTC)


def _moment(milliseconds: int) -> datetime:
    return datetime.fromtimestamp(milliseconds / 1_000, UTC)
