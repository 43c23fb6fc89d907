"""The second half of a removal from a Lance table: until no file of it holds the bytes.

Deleting marks rows. Compaction writes the files anew without them; indexes keep keys, words and vectors of their own
until they are built anew; old versions keep everything until they are cleaned up.
"""

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from lance import LanceOperation

from downstream.connectors import lance_tables
from downstream.connectors.base import ConnectorError
from downstream.engines.duckdb_sessions import Limits, session
from downstream.engines.errors import reading

_LANCE_KEEPS = timedelta(days=14)
_CONFIGURED = "lance.auto_cleanup.older_than"
_UNITS = {"w": "weeks", "d": "days", "h": "hours", "m": "minutes", "s": "seconds"}
_SCALAR = {"BTREE", "BITMAP", "LABELLIST", "NGRAM", "ZONEMAP", "BLOOMFILTER", "INVERTED", "RTREE"}
_CALLED = {"LABELLIST": "LABEL_LIST"}
# what an index tells of itself and does not take back
_TOLD_ONLY = {"document_granularity"}
_64_BITS = 2**64


def purge(path: Path, *, retention: timedelta | None, at: datetime) -> None:
    """Compact what holds deleted rows, build the indexes anew, and drop the versions that are old enough."""
    table = lance_tables.opened(path)
    since = last_removal(table)
    _compact(path, table)
    if since is not None:
        _rebuild_indexes(path, since)
    _clean_up(path, retention, at)


def kept_for(table: Any, retention: timedelta | None) -> timedelta:
    """How long old versions stay: as staff decided, or else as the table is set to, or as Lance does."""
    if retention is not None:
        return retention
    return configured(str(table.config().get(_CONFIGURED, ""))) or _LANCE_KEEPS


def configured(text: str) -> timedelta | None:
    """A span of time as Lance writes it, such as `14d` or `1w 2h`; None where it cannot be read."""
    parts = re.findall(r"(\d+)\s*([wdhms])", text)
    return sum((timedelta(**{_UNITS[unit]: int(count)}) for count, unit in parts), timedelta()) if parts else None


def last_removal(table: Any) -> int | None:
    """The newest version that came of a removal of ours, as far as the table remembers."""
    for one in reversed(table.versions()):
        made = lance_tables.transaction(table, one["version"])
        if made is not None and lance_tables.OURS in (made.transaction_properties or {}):
            return int(one["version"])
    return None


def made_at(version: dict[str, Any]) -> datetime:
    """When a version came to be; Lance tells the machine's own time, without saying so."""
    moment: datetime = version["timestamp"]
    return moment.astimezone(UTC)


def _compact(path: Path, table: Any) -> None:
    """Write fragments with deleted rows anew, and check that nothing else is different."""
    before = table.version
    with lance_tables.asking(path):
        fragments = table.get_fragments()
        clean = [one.fragment_id for one in fragments if not one.num_deletions]
        if len(clean) == len(fragments):
            return
        table.optimize.compact_files(
            materialize_deletions=True, materialize_deletions_threshold=0.0, excluded_fragment_ids=clean
        )
    newest = lance_tables.opened(path)
    for version in range(before + 1, newest.version + 1):
        made = lance_tables.transaction(newest, version)
        if made is None or isinstance(made.operation, LanceOperation.Rewrite):
            _check_rewrite(path, version)


def _check_rewrite(path: Path, version: int) -> None:
    old, new = lance_tables.opened(path, version - 1), lance_tables.opened(path, version)
    was, now = {one.fragment_id for one in old.get_fragments()}, {one.fragment_id for one in new.get_fragments()}
    if _digest(path, old, was - now) != _digest(path, new, now - was):
        raise ConnectorError(
            "verification_failed",
            f"Lance's compaction of {lance_tables.name_of(path)} changed rows that have to stay: version {version - 1} "
            "has them as they were, and nothing old was dropped. Restore it, and report this.",
            permanent=True,
        )


def _digest(path: Path, table: Any, fragments: set[int]) -> tuple[int, int, int]:
    """A count and two sums of differently seeded hashes of the rows in these fragments, whatever their order."""
    columns = [one.name for one in lance_tables.schema_of(table) if b"lance-encoding:blob" not in (one.metadata or {})]
    chosen = [one for one in table.get_fragments() if one.fragment_id in fragments]
    if not chosen or not columns:
        return 0, 0, 0
    with reading(lance_tables.name_of(path)), session(Limits()) as connection:
        connection.register("looked", table.scanner(columns=columns, fragments=chosen).to_reader())
        query = """
            SELECT count(*), sum(hash(*COLUMNS(*))::HUGEINT), sum(hash('heed', *COLUMNS(*))::HUGEINT) FROM looked
        """
        rows, one, two = connection.execute(query).fetchone() or (0, 0, 0)
    return rows, (one or 0) % _64_BITS, (two or 0) % _64_BITS


def _rebuild_indexes(path: Path, since: int) -> None:
    """Every index that was made before the removal: compaction carries its entries over without looking into them."""
    table = lance_tables.opened(path)
    for index in table.describe_indices():
        made = min((one.dataset_version_at_last_update for one in index.segments), default=0)
        if made < since and not index.name.startswith("__"):
            with lance_tables.asking(path):
                _rebuild(lance_tables.opened(path), index)


def _rebuild(table: Any, index: Any) -> None:
    kind = index.index_type.upper().replace("_", "")
    if kind not in _SCALAR:
        table.optimize.optimize_indices(index_names=[index.name], retrain=True)
        return
    settings = dict(index.details) if kind == "INVERTED" else {}
    table.create_scalar_index(
        index.field_names[0],
        _CALLED.get(kind, kind),
        name=index.name,
        replace=True,
        **{name: value for name, value in settings.items() if value is not None and name not in _TOLD_ONLY},
    )


def _clean_up(path: Path, retention: timedelta | None, at: datetime) -> None:
    table = lance_tables.opened(path)
    keeping = kept_for(table, retention)
    old = [
        one["version"]
        for one in table.versions()
        if one["version"] != table.version and (not keeping or made_at(one) <= at - keeping)
    ]
    if old:
        with lance_tables.asking(path):
            # what belongs to no version may be another writer's, who is about to commit it
            table.cleanup_old_versions(versions=old, delete_unverified=False, error_if_tagged_old_versions=False)
