"""The second half of a removal in a database: until its pages no longer hold the bytes, and a look whether they do.

What PostgreSQL leaves behind, and why each step is there, is measured in docs/decisions/0019-rows-in-databases.md.
"""

import re
from collections.abc import Collection, Iterator
from pathlib import Path

import sqlalchemy as sa

from downstream.connectors import sql_checks, sql_removals
from downstream.connectors.base import Residue, Trace
from downstream.connectors.sql_errors import asking
from downstream.connectors.sql_places import Place
from downstream.engines.errors import ConnectorError, reading

_CHUNK = 4 * 2**20
_SEGMENT = 2**30
# pgvector overwrites what it removes from an HNSW graph; building one anew takes hours where it is large
_CLEAN_BY_VACUUM = ("hnsw",)
_ELSEWHERE = ("write_ahead_log", "replicas")


def purge(place: Place) -> None:
    """Make the database forget the rows that were deleted; nothing happens where none were."""
    with place.session() as connection:
        runs = sql_removals.unpurged(connection, place)
    if not runs:
        return
    with place.outside_transactions() as connection:
        if place.is_postgres:
            _clean(connection, place)
            runs = {run: by for run, by in runs.items() if not _is_held_back(connection, place, by)}
        else:
            connection.exec_driver_sql("VACUUM")
            connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
    with place.session() as connection:
        sql_removals.mark_purged(connection, place, sorted(runs))
        connection.commit()


def residue(place: Place, keys: Collection[str], *, still_read: bool) -> Residue:
    """Where bytes of these keys are still, and what cannot be looked at from here."""
    found = {Trace(place.table, "old_version")} if still_read else set()
    unreachable: list[str] = [*_ELSEWHERE] if place.is_postgres else []
    with place.session() as connection:
        copying = sql_checks.triggers(connection, place)
        if copying:
            unreachable.append(f"whatever the triggers {', '.join(copying)} copied elsewhere")
        if runs := sql_removals.unpurged(connection, place):
            found.add(Trace(place.table, "dead_rows"))
            if place.is_postgres and any(_is_held_back(connection, place, by) for by in runs.values()):
                unreachable.append("dead rows that stay as long as an older transaction is open, which may see them")
    if not place.is_postgres:
        looked_at, traces = _look_at_file(place, keys)
    else:
        looked_at, traces = _look_at_pages(place, keys, unreachable)
    return Residue(looked_at, tuple(sorted(found | traces, key=lambda one: (one.place, one.kind))), tuple(unreachable))


def _clean(connection: sa.Connection, place: Place) -> None:
    if place.rewrite:
        place.do(connection, f"VACUUM (FULL) {place.quoted_name}")
    else:
        place.do(connection, f"VACUUM (INDEX_CLEANUP ON) {place.quoted_name}")
        for index in _indexes(connection, place) if place.reindex else ():
            # a B-tree keeps keys as signposts, and freed space keeps its bytes
            place.do(connection, f"REINDEX INDEX CONCURRENTLY {index}")
    # its statistics quote common values
    place.do(connection, f"ANALYZE {place.quoted_name}")


def _indexes(connection: sa.Connection, place: Place) -> list[str]:
    """Those that VACUUM does not clean wholly. What a broken-off rebuilding left is dropped."""
    query = """
        SELECT i.indexrelid::regclass::text AS name, i.indisvalid AS whole, c.relname ~ '_cc(new|old)[0-9]*$' AS ours
        FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid JOIN pg_am a ON a.oid = c.relam
        WHERE i.indrelid IN (SELECT relid FROM pg_partition_tree(CAST(:named AS regclass))
                             UNION SELECT CAST(:named AS regclass))
            AND c.relkind = 'i' AND NOT i.indisexclusion AND a.amname <> ALL(:clean)
    """
    found = connection.execute(sa.text(query), {"named": place.quoted_name, "clean": list(_CLEAN_BY_VACUUM)}).all()
    for index in found:
        if index.ours and not index.whole:
            place.do(connection, f"DROP INDEX CONCURRENTLY {index.name}")
    return [index.name for index in found if index.whole]


def _is_held_back(connection: sa.Connection, place: Place, transaction: str) -> bool:
    """Whether somebody may still see what this transaction deleted; its rows are dead, and cannot go yet."""
    # ages compare numbers of transactions that wrap around after 32 bits
    own = {"own": str(int(transaction) % 2**32)}
    query = f"SELECT bool_or(age(xmin) >= age(CAST(:own AS xid))) {_HOLDERS}"
    if connection.execute(sa.text(query), own).scalar():
        return True
    # a role that does not see other roles' sessions can only count what VACUUM left
    return not connection.execute(sa.text(_SEES_ALL)).scalar() and bool(
        connection.execute(sa.text(_DEAD_ROWS), {"named": place.quoted_name}).scalar()
    )


_SEES_ALL = "SELECT pg_has_role('pg_read_all_stats', 'USAGE')"
_DEAD_ROWS = """
    SELECT sum(pg_stat_get_dead_tuples(id)) FROM (
        SELECT relid::oid AS id FROM pg_partition_tree(CAST(:named AS regclass))
        UNION SELECT CAST(:named AS regclass)::oid
    ) AS parts
"""
_HOLDERS = """
    FROM (
        SELECT backend_xmin AS xmin FROM pg_stat_activity
        WHERE pid <> pg_backend_pid() AND (datname = current_database() OR datname IS NULL)
        UNION ALL SELECT xmin FROM pg_replication_slots
        UNION ALL SELECT transaction FROM pg_prepared_xacts WHERE database = current_database()
    ) AS holders WHERE xmin IS NOT NULL
"""


def _look_at_pages(place: Place, keys: Collection[str], unreachable: list[str]) -> tuple[int, set[Trace]]:
    """Search the server's files of the table, where Heed's role may read them."""
    needles = _Needles(keys)
    with place.session() as connection:
        files = list(_files(connection, place))
    try:
        with place.outside_transactions() as connection:
            # the files, not the server's memory, are what a thief or a backup gets
            connection.exec_driver_sql("CHECKPOINT")
            found = {
                Trace(name, kind) for name, kind, path in files if needles.are_in(_chunks(connection, path))
            }  # fmt: skip
    except ConnectorError as refused:
        if refused.code not in {"grant_missing", "database_failed"}:
            raise
        unreachable.append(f"the pages of {place.full_name}, which Heed's role may not read")
        return 0, set()
    return len(files), found


def _files(connection: sa.Connection, place: Place) -> Iterator[tuple[str, str, str]]:
    """Name, kind of trace, and path of the table, its parts, what they keep out of line, and all their indexes."""
    query = """
        WITH parts AS (
            SELECT relid::oid AS id FROM pg_partition_tree(CAST(:named AS regclass))
            UNION SELECT CAST(:named AS regclass)::oid
        ), heaps AS (
            SELECT id FROM parts UNION SELECT reltoastrelid FROM pg_class JOIN parts ON oid = id WHERE reltoastrelid > 0
        )
        SELECT c.relname AS name, 'dead_rows' AS kind, pg_relation_filepath(c.oid) AS path
        FROM heaps JOIN pg_class c ON c.oid = id
        UNION ALL
        SELECT c.relname, 'index', pg_relation_filepath(c.oid)
        FROM heaps JOIN pg_index ON indrelid = id JOIN pg_class c ON c.oid = indexrelid
    """
    for row in connection.execute(sa.text(query), {"named": place.quoted_name}):
        if row.path:
            yield row.name, row.kind, row.path


def _chunks(connection: sa.Connection, path: str) -> Iterator[bytes]:
    """The bytes of one file of the server and its further segments, whole pages at a time."""
    read = sa.text("SELECT pg_read_binary_file(:path, :start, :length, true)")
    segment = 0
    while True:
        name = f"{path}.{segment}" if segment else path
        for start in range(0, _SEGMENT, _CHUNK):
            chunk = connection.execute(read, {"path": name, "start": start, "length": _CHUNK}).scalar()
            if not chunk:
                return
            yield bytes(chunk)
        segment += 1


class _Needles:
    """Keys as PostgreSQL lays them down: behind a byte or four that tell their length, so `m_1` is not in `m_12`."""

    def __init__(self, keys: Collection[str]) -> None:
        self._keys = {key.encode() for key in keys}
        lengths = {len(key) for key in self._keys}
        self._patterns = [
            re.compile(b"(?=(?:" + b"|".join(map(re.escape, _headers(length))) + b")(.{%d}))" % length, re.DOTALL)
            for length in sorted(lengths)
            if length
        ]

    def are_in(self, chunks: Iterator[bytes]) -> bool:
        """A value lies within one page, and a chunk is of whole pages."""
        return any(
            match.group(1) in self._keys
            for chunk in chunks
            for pattern in self._patterns
            for match in pattern.finditer(chunk)
        )


def _headers(length: int) -> list[bytes]:
    short = [bytes([(length + 1) << 1 | 1])] if length < 127 else []
    return [*short, ((length + 4) << 2).to_bytes(4, "little")]


def _look_at_file(place: Place, keys: Collection[str]) -> tuple[int, set[Trace]]:
    """Search SQLite's file and those beside it; a key that stands in somebody else's rows too is not ours to tell."""
    whole = Path(place.url.database or "")
    files = [whole.with_name(whole.name + ending) for ending in ("", "-wal", "-journal")]
    found = set()
    there = [path for path in files if path.exists()]
    with reading(place.table):
        for path in there:
            content = path.read_bytes()
            if any(key.encode() in content and not _is_living(place, key) for key in keys if key):
                found.add(Trace(path.name, "dead_rows"))
    return len(there), found


def _is_living(place: Place, key: str) -> bool:
    """Whether a row that stays holds these letters in any column."""
    with asking(place.full_name), place.session() as connection:
        columns = [one["name"] for one in sa.inspect(connection).get_columns(place.table)]
        table = sa.table(place.table, *map(sa.column, columns))
        anywhere = sa.or_(*(sa.func.instr(sa.cast(table.c[name], sa.Text), key) > 0 for name in columns))
        return (
            connection.execute(sa.select(sa.literal(1)).select_from(table).where(anywhere).limit(1)).first() is not None
        )
