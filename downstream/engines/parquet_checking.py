"""Finding rows in Parquet files and comparing two versions of one, with DuckDB.

It is another reader than the writer, so that what it finds is what others will find. Keys are joined from a
table, never written into a query.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

import duckdb

from downstream.engines import parquet_carried
from downstream.engines.base import Comparison, DataFile
from downstream.engines.duckdb_sessions import Limits, literally, session
from downstream.engines.errors import ConnectorError, reading
from downstream.engines.key_columns import KeyForm
from downstream.engines.parquet_carried import RowRange
from downstream.engines.parquet_files import opened
from downstream.engines.parquet_rewriting import leaves
from downstream.engines.room import room_for
from downstream.engines.spans import WHOLE, Part, Spans, TimeForm

_SCAN = "read_parquet($files, hive_partitioning=false, filename='__heed_file')"
_COLUMNS = "* EXCLUDE (__heed_file)"
_NUMBERED_SCAN = _SCAN.replace(")", ", file_row_number=true)")
_NUMBERED_COLUMNS = "* EXCLUDE (__heed_file, file_row_number)"
_64_BITS = 2**64
_STRETCHES = 64
"""Stretches of rows that one query names."""


@dataclass(frozen=True)
class Leaving:
    """Which rows have to go, of files that hold keys and times in the same form."""

    key_column: str
    form: KeyForm
    keys: Collection[str] = field(repr=False)
    time: TimeForm | None = None
    spans: Spans = WHOLE

    def put_into(self, connection: duckdb.DuckDBPyConnection) -> str:
        """Bring the keys into the session; answers the SQL condition for rows that have to go."""
        connection.register("keys", self.form.table(self.keys))
        conditions = [self._of("keys")]
        for number, part in enumerate(self.spans.parts):
            connection.register(f"keys_{number}", self.form.table(part.keys))
            conditions.append(f"{self._of(f'keys_{number}')} AND {self._inside(part)}")
        return " OR ".join(f"({one})" for one in conditions)

    def counting(self) -> str:
        """SQL for the rows of each key, once the keys are in the session."""
        # the file's columns are out of reach where the keys' are named: they may be called the same
        wanted = [("keys", "true")]
        wanted += [(f"keys_{number}", self._inside(part)) for number, part in enumerate(self.spans.parts)]
        probe = self.form.expression(self.key_column)
        seen = [
            f"SELECT k.text FROM (SELECT {probe} AS probe FROM {_SCAN} WHERE {condition}) seen"  # noqa: S608
            f" JOIN {table} k ON seen.probe = k.probe"
            for table, condition in wanted
        ]
        return f"SELECT text, count(*) FROM ({' UNION ALL '.join(seen)}) GROUP BY ALL"  # noqa: S608

    def _of(self, table: str) -> str:
        # identifiers are quoted, values are bound or whole numbers
        return f"coalesce({self.form.expression(self.key_column)} IN (SELECT {table}.probe FROM {table}), false)"  # noqa: S608

    def _inside(self, part: Part) -> str:
        if self.time is None:
            raise ValueError("spans need a column that says when a row was made")
        return self.time.condition(self.spans.column, part.spans)


def locate(files: Sequence[DataFile], *, leaving: Leaving, limits: Limits) -> dict[str, int]:
    """Rows that have to go by file name; all files hold keys and times in the same form."""
    names = {file.path: file.name for file in files}
    with session(limits) as connection:
        condition = leaving.put_into(connection)
        query = f"SELECT __heed_file, count(*) FROM {_SCAN} WHERE {condition} GROUP BY ALL"  # noqa: S608
        found = connection.execute(query, {"files": [literally(path) for path in names]}).fetchall()
    return {names[path]: rows for path, rows in found}


def count(file: DataFile, *, leaving: Leaving, limits: Limits) -> dict[str, int]:
    """Rows that have to go of each key in one file. Two spellings of one UUID are each told the rows."""
    with reading(file.name), session(limits) as connection:
        leaving.put_into(connection)
        return dict(connection.execute(leaving.counting(), {"files": [literally(file.path)]}).fetchall())


def compare(source: DataFile, target: str, *, leaving: Leaving, limits: Limits) -> Comparison:
    """What is left is what was there, but for the rows that have to go. Raises `verification_failed`."""
    new = DataFile(f"the new version of {source.name}", target)
    with opened(source) as before, opened(new) as after:
        alike = (
            before.schema_arrow.equals(after.schema_arrow, check_metadata=True)
            and before.metadata.metadata == after.metadata.metadata
            and leaves(before.schema) == leaves(after.schema)
        )
        rows_before, rows_after = before.metadata.num_rows, after.metadata.num_rows
        groups = [before.metadata.row_group(number) for number in range(before.num_row_groups)]
        largest = max((group.total_byte_size for group in groups), default=0)
    if not alike:
        raise _failed(source, "its schema or metadata differ")
    # what is carried over was proven equal by its bytes, whoever wrote the file; all else is decoded and compared
    carried = parquet_carried.carried(source, new)
    with room_for(largest), session(limits) as connection:
        condition = leaving.put_into(connection)
        readable, still_there = _leaving_anywhere(connection, new, condition)
        before_anew = _look(connection, source, condition, carried.old_rows)
        after_anew = _look(connection, new, condition, carried.new_rows)
    if still_there or after_anew.leaving:
        raise _failed(source, "it still holds rows that have to go")
    if readable != rows_after:
        raise _failed(source, f"{readable} of its {rows_after} rows can be read")
    if rows_after != rows_before - before_anew.leaving:
        raise _failed(source, f"it holds {rows_after} rows, not {rows_before - before_anew.leaving}")
    if before_anew.staying != after_anew.staying or before_anew.sums != after_anew.sums:
        raise _failed(source, "rows that have to stay differ")
    one, two = (
        (of_rows + of_bytes) % _64_BITS for of_rows, of_bytes in zip(after_anew.sums, carried.sums, strict=True)
    )
    return Comparison(rows_before=rows_before, rows_after=rows_after, digest=f"{rows_after}:{one:016x}{two:016x}")


def _leaving_anywhere(connection: duckdb.DuckDBPyConnection, file: DataFile, condition: str) -> tuple[int, int]:
    """How many rows can be read in the whole file, and how many of them have to go."""
    query = f"SELECT count(*), count(*) FILTER ({condition}) FROM {_SCAN}"  # noqa: S608
    with reading(file.name):
        found = connection.execute(query, {"files": [literally(file.path)]}).fetchone()
    seen, leaving = found or (0, 0)
    return seen, leaving


@dataclass(frozen=True)
class _Seen:
    leaving: int
    staying: int
    sums: tuple[int, int]


def _look(
    connection: duckdb.DuckDBPyConnection, file: DataFile, condition: str, rows: Sequence[RowRange] | None
) -> _Seen:
    """What the rows say; only these rows of the file, or all. Many stretches are looked at in portions.

    Each row is compared with every stretch that a query names, so one query for all would take their number squared.
    """
    if rows is None:
        return _look_at(connection, file, condition, None)
    portions = [rows[start : start + _STRETCHES] for start in range(0, len(rows), _STRETCHES)]
    seen = [_look_at(connection, file, condition, portion) for portion in portions]
    one, two = (sum(sums) % _64_BITS for sums in zip((0, 0), *(each.sums for each in seen), strict=True))
    return _Seen(sum(each.leaving for each in seen), sum(each.staying for each in seen), (one, two))


def _look_at(
    connection: duckdb.DuckDBPyConnection, file: DataFile, condition: str, rows: Sequence[RowRange] | None
) -> _Seen:
    """How many rows have to go, and the number and sums of all others.

    The sums are of two differently seeded hashes of each row: sums, because an exclusive or does not notice a row
    that is there twice more; and they do not depend on the order of rows.
    """
    scan, columns, place = _SCAN, _COLUMNS, "true"
    if rows is not None:
        # DuckDB decodes only row groups that hold rows of these numbers
        scan, columns = _NUMBERED_SCAN, _NUMBERED_COLUMNS
        place = " OR ".join(f"file_row_number BETWEEN {one.first} AND {one.last}" for one in rows)
    query = f"""
        WITH looked AS (
            SELECT
                {condition} AS leaves,
                hash(*COLUMNS({columns})) AS one, hash('heed', *COLUMNS({columns})) AS two
            FROM {scan} WHERE {place}
        )
        SELECT
            count(*) FILTER (leaves), count(*) FILTER (NOT leaves),
            sum(one::HUGEINT) FILTER (NOT leaves), sum(two::HUGEINT) FILTER (NOT leaves)
        FROM looked
    """  # noqa: S608
    with reading(file.name):
        row = connection.execute(query, {"files": [literally(file.path)]}).fetchone()
    leaving, staying, one, two = row or (0, 0, 0, 0)
    return _Seen(leaving, staying, ((one or 0) % _64_BITS, (two or 0) % _64_BITS))


def _failed(source: DataFile, why: str) -> ConnectorError:
    return ConnectorError(
        "verification_failed",
        f"The new version of {source.name} was thrown away: {why}. The old one is untouched; report this.",
        permanent=True,
    )
