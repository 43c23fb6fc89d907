"""Datasets that are one table of a database: PostgreSQL, or a file of SQLite.

The unit is the whole table, and its swap one transaction, which deletes exactly the rows that were staged: their keys
wait in a table beside it. Rows of other people may be written at any time meanwhile.
"""

import hashlib
import secrets
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from downstream.connectors import (
    sql_checks,
    sql_columns,
    sql_digests,
    sql_leaving,
    sql_purging,
    sql_removals,
    sql_rows,
    sql_statements,
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
    collecting,
    report,
    stage_one_by_one,
)
from downstream.connectors.sql_columns import Columns
from downstream.connectors.sql_leaving import Going
from downstream.connectors.sql_places import Place, place, resolve
from downstream.engines.errors import changed
from portal.fault_points import reach

__all__ = ["SqlTable", "connect", "resolve"]

_STAGED = "heed_staged_"


def connect(location: str, key_column: str, options: Mapping[str, Any]) -> "SqlTable":
    """The connector to one table; `sql_places` knows the options. Raises ConnectorError."""
    return SqlTable(place(location, options), key_column)


class SqlTable:
    """Implements `downstream.connectors.base.Connector`."""

    format = "sql"

    def __init__(self, place: Place, key_column: str) -> None:
        self._place = place
        self._key_column = key_column

    def describe(self) -> Description:
        with self._place.session() as connection:
            columns = self._columns(connection, with_times=bool(self._place.created_column))
            found = sql_columns.reflected(connection, self._place)
            sql_checks.check_statements(self._place, found)
            told = sql_checks.check(connection, self._place, self._key_column)
            rows = connection.execute(sa.select(sa.func.count()).select_from(columns.table)).scalar_one()
            size = self._size(connection)
        schema = [f"{name}: {one.called}" for name, one in found.items()]
        return Description(format=self.format, files=1, rows=rows, size=size, schema="\n".join(schema + told))

    def manifest(self) -> Manifest:
        with self._place.session() as connection:
            return self._manifest(connection, self._columns(connection))

    def sweep(self) -> list[str]:
        with self._place.session() as connection:
            names = sa.inspect(connection).get_table_names(schema=self._place.work_schema)
            leftovers = sorted(name for name in names if name.startswith(self._staged_prefix))
            for name in leftovers:
                # waits for a holder that is deleting at this moment; what it did is told by its record then
                self._place.do(connection, f"DROP TABLE {self._place.quoted(name, self._place.work_schema)}")
            connection.commit()
        return leftovers

    def find(self, keys: Collection[str], spans: Spans = WHOLE) -> Iterator[UnitFinding]:
        spans = spans.by(self._place.created_column)
        with self._place.session() as connection:
            columns = self._columns(connection, with_times=bool(spans))
            found = sql_leaving.going(connection, self._place, columns, keys, spans)
            if not found.rows:
                return
            rows = connection.execute(sa.select(sa.func.count()).select_from(columns.table)).scalar_one()
        per_key = found.per_key(columns, {*keys, *spans.keys})
        yield UnitFinding(self._place.table, f"{rows}:{found.rows}", rows, found.rows, per_key)

    def rows(self, keys: Collection[str], failures: list[ConnectorError] | None = None) -> Iterator[Row]:
        found: list[ConnectorError] = []
        with collecting(found), self._place.reading() as connection:
            for values in sql_rows.rows(connection, self._place, self._columns(connection), keys):
                yield Row(self._place.table, values)
        report(found, failures)

    def stage(self, finding: UnitFinding, keys: Collection[str], spans: Spans = WHOLE, *, token: str) -> StagedUnit:
        spans = spans.by(self._place.created_column)
        reach("stage.before_write")
        with self._place.session() as connection:
            columns = self._columns(connection, with_times=bool(spans))
            found = sql_leaving.going(connection, self._place, columns, keys, spans)
            if found.rows != finding.matching:
                raise changed(self._place.table)
            name = f"{self._staged_prefix}{token.replace('-', '_')[-24:]}_{secrets.token_hex(4)}"
            staged = self._staged(connection, columns, found, name)
            sql_removals.make(connection, self._place)
            reach("stage.after_write")
            connection.commit()
        reach("stage.after_fsync")
        return staged

    def stage_each(
        self, findings: Iterable[UnitFinding], keys: Collection[str], spans: Spans = WHOLE, *, token: str
    ) -> Iterator[tuple[UnitFinding, StagedUnit]]:
        return stage_one_by_one(self, findings, keys, spans, token=token)

    def commit(self, staged: StagedUnit, *, fence: Callable[[], object]) -> None:
        try:
            with self._place.session() as connection:
                if not sql_removals.is_recorded(connection, self._place, run=staged.after):
                    self._delete(connection, staged)
                    fence()
                    reach("commit.before_rename")
                    connection.commit()
                    reach("commit.after_rename")
            reach("commit.after_dirsync")
        finally:
            self._throw_away(staged.temporary)

    def unit_state(self, staged: StagedUnit) -> UnitState:
        with self._place.session() as connection:
            if sql_removals.is_recorded(connection, self._place, run=staged.after):
                return "new"
            if not sa.inspect(connection).has_table(self._place.table, schema=self._place.schema):
                return "missing"
            table = self._columns(connection).table
            _, digest = sql_digests.of_rows(connection, self._place, table)
        return "old" if digest == staged.before else "changed"

    def verify(self, keys: Collection[str], spans: Spans = WHOLE) -> Verification:
        spans = spans.by(self._place.created_column)
        with self._place.session() as connection:
            columns = self._columns(connection, with_times=bool(spans))
            found = sql_leaving.going(connection, self._place, columns, keys, spans)
            there = self._manifest(connection, columns)
        return Verification(rows_found=found.rows, rows=there.rows, files=1, digest=there.digest)

    def statements(self, keys: Collection[str]) -> Iterator[RowsSaying]:
        if self._place.statements.names:
            with self._place.session() as connection:
                columns = self._columns(connection)
                for tally in sql_statements.tally(connection, self._place, columns, keys):
                    yield self._place.statements.saying(tally)

    def purge(self, *, retention: timedelta | None, at: datetime) -> None:
        """Clean the pages of the table and its indexes. A database keeps no versions that a retention could be of."""
        sql_purging.purge(self._place)

    def residue(
        self, keys: Collection[str], *, retention: timedelta | None, at: datetime, removed_at: datetime | None = None
    ) -> Residue:
        return sql_purging.residue(self._place, keys, still_read=any(True for _ in self.find(keys)))

    @property
    def _staged_prefix(self) -> str:
        return f"{_STAGED}{hashlib.sha256(self._place.full_name.encode()).hexdigest()[:8]}_"

    def _columns(self, connection: sa.Connection, *, with_times: bool = False) -> Columns:
        return sql_columns.look(connection, self._place, self._key_column, with_times=with_times)

    def _manifest(self, connection: sa.Connection, columns: Columns) -> Manifest:
        rows, digest = sql_digests.of_rows(connection, self._place, columns.table)
        found = sql_columns.reflected(connection, self._place)
        shape = "\n".join(f"{name}\0{one.called}" for name, one in found.items())
        named = hashlib.sha256(f"{self._place.full_name}\n{shape}\n{digest}".encode()).hexdigest()
        return Manifest(files=1, rows=rows, digest=named)

    def _size(self, connection: sa.Connection) -> int:
        query = "SELECT page_count * page_size FROM pragma_page_count(), pragma_page_size()"
        if self._place.is_postgres:
            query = "SELECT pg_total_relation_size(CAST(:named AS regclass))"
        size: int = connection.execute(sa.text(query), {"named": self._place.quoted_name}).scalar_one()
        return size

    def _staged(self, connection: sa.Connection, columns: Columns, found: Going, name: str) -> StagedUnit:
        staging = sql_leaving.staging_table(self._place, columns, name)
        staging.create(connection)
        sql_leaving.fill(connection, staging, found)
        rows, before = sql_digests.of_rows(connection, self._place, columns.table)
        is_staged = sql_leaving.is_staged(columns, staging)
        staying, digest = sql_digests.of_rows(connection, self._place, columns.table, but=is_staged)
        if staying != rows - found.rows:
            raise _failed(self._place.table, f"{staying} rows would stay, not {rows - found.rows}")
        size = self._size(connection)
        return StagedUnit(
            unit=self._place.table,
            temporary=name,
            fingerprint=f"{rows}:{found.rows}",
            before=before,
            after=name,
            size_before=size,
            size_after=size,
            rows_before=rows,
            rows_after=staying,
            rows_removed=found.rows,
            digest=digest,
            links=1,
        )

    def _delete(self, connection: sa.Connection, staged: StagedUnit) -> None:
        """Delete the staged rows and nothing else, in the open transaction."""
        self._lock(connection, staged.temporary)
        if not sa.inspect(connection).has_table(self._place.table, schema=self._place.schema):
            raise changed(self._place.table)
        kept = sa.inspect(connection).get_columns(staged.temporary, self._place.work_schema)
        columns = self._columns(connection, with_times=any(one["name"] == "created" for one in kept))
        staging = sql_leaving.staging_table(self._place, columns, staged.temporary)
        is_staged = sql_leaving.is_staged(columns, staging)
        staying, before = sql_digests.of_rows(connection, self._place, columns.table, but=is_staged)
        removed = connection.execute(sa.delete(columns.table).where(is_staged)).rowcount
        rows, after = sql_digests.of_rows(connection, self._place, columns.table)
        if rows == staying + staged.rows_removed and removed == 0:
            raise _failed(self._place.table, "a trigger or rule keeps the rows")
        if removed != staged.rows_removed:
            raise changed(self._place.table)
        if before != after:
            raise _failed(self._place.table, "rows that have to stay would differ")
        sql_removals.record(connection, self._place, run=staged.after, rows=removed)
        self._place.do(connection, f"DROP TABLE {self._place.quoted(staged.temporary, self._place.work_schema)}")

    def _lock(self, connection: sa.Connection, name: str) -> None:
        """Take the staged rows for ours: whoever sweeps them waits until this transaction has ended."""
        if not sa.inspect(connection).has_table(name, schema=self._place.work_schema):
            raise ConnectorError(
                "fence_lost", f"Another worker took over and swept what was staged of {self._place.table}.",
                permanent=False,
            )  # fmt: skip
        if self._place.is_postgres:
            quoted = self._place.quoted(name, self._place.work_schema)
            self._place.do(connection, f"LOCK TABLE {quoted} IN ACCESS EXCLUSIVE MODE")

    def _throw_away(self, name: str) -> None:
        """A table of keys must not stay; where the database cannot be reached now, the next sweep takes it."""
        try:
            with self._place.session() as connection:
                quoted = self._place.quoted(name, self._place.work_schema)
                self._place.do(connection, f"DROP TABLE IF EXISTS {quoted}")
                connection.commit()
        except ConnectorError:
            return


def _failed(table: str, why: str) -> ConnectorError:
    return ConnectorError(
        "verification_failed", f"The removal from {table} was taken back: {why}. Nothing was deleted; report this.",
        permanent=True,
    )  # fmt: skip
