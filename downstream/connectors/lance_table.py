"""Datasets that are one Lance table, such as those of LanceDB, on a local or mounted file system.

The unit is the whole table, and its swap one commit to it. Rows are named to Lance by their addresses: a predicate
with a key would stay readable in the table's log.
"""

import hashlib
import secrets
import uuid
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import lance

from downstream.connectors import (
    lance_leaving,
    lance_purging,
    lance_residue,
    lance_rows,
    lance_tables,
    statement_columns,
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
from downstream.connectors.lance_leaving import Going
from downstream.connectors.statement_columns import NO_COLUMNS, StatementColumns
from downstream.engines.errors import changed, reading, writing
from downstream.engines.key_columns import form_of
from downstream.engines.options import check_known
from downstream.engines.parquet_statements import kind_of
from portal.fault_points import reach

_OPTIONS = {"created_column"} | statement_columns.OPTIONS
_STAGED = ".heed-*.tmp"
_ATTEMPTS = 5


def connect(location: str, key_column: str, options: Mapping[str, Any]) -> "LanceTable":
    """The connector to one table. Option: `created_column`, and the columns of statements. Raises ConnectorError."""
    check_known(options, _OPTIONS, what="A Lance table")
    statements = statement_columns.from_options(options)
    return LanceTable(Path(location), key_column, options.get("created_column", ""), statements)


@dataclass(frozen=True)
class LanceTable:
    """Implements `downstream.connectors.base.Connector`."""

    path: Path
    key_column: str
    created_column: str = ""
    statement_columns: StatementColumns = NO_COLUMNS

    @property
    def name(self) -> str:
        return lance_tables.name_of(self.path)

    def describe(self) -> Description:
        table = self._open()
        schema = lance_tables.schema_of(table)
        found = lance_leaving.column_type(self.name, schema, self.key_column, "key_column_missing")
        form_of(self.name, self.key_column, found)
        if self.created_column:
            lance_leaving.times_of(self.name, schema, self.created_column)
        for column in self.statement_columns.names:
            kind_of(self.name, schema, column)
        self._refuse_what_others_hold(table)
        with lance_tables.asking(self.path):
            rows = table.count_rows()
        return Description(
            format="lance", files=1, rows=rows, size=self._size(), schema=str(schema.remove_metadata())
        )  # fmt: skip

    def manifest(self) -> Manifest:
        return self._manifest(self._open())

    def sweep(self) -> list[str]:
        self._open()
        with reading(self.name):
            leftovers = sorted(self.path.glob(_STAGED))
        plans = [plan for file in leftovers if (plan := lance_tables.read_plan(file))]
        with writing(self.name):
            for file in leftovers:
                file.unlink(missing_ok=True)
        if plans:
            self._preempt(set().union(*(plan.touched for plan in plans)))
        return [file.name for file in leftovers]

    def find(self, keys: Collection[str], spans: Spans = WHOLE) -> Iterator[UnitFinding]:
        table, found = self._look(keys, spans)
        if len(found.addresses):
            rows = table.count_rows()
            yield UnitFinding(self.name, str(table.version), rows, len(found.addresses), found.per_key)

    def rows(self, keys: Collection[str], failures: list[ConnectorError] | None = None) -> Iterator[Row]:
        found: list[ConnectorError] = []
        with collecting(found):
            table, theirs = self._look(keys, WHOLE)
            for values in lance_rows.rows(table, self.path, theirs.addresses):
                yield Row(self.name, values)
        report(found, failures)

    def stage(self, finding: UnitFinding, keys: Collection[str], spans: Spans = WHOLE, *, token: str) -> StagedUnit:
        reach("stage.before_write")
        table, found = self._look(keys, spans)
        if len(found.addresses) != finding.matching:
            raise changed(self.name)
        plan, staying, digest = self._plan(table, found)
        file = self.path / f".heed-{token}-{secrets.token_hex(8)}.tmp"
        reach("stage.after_write")
        try:
            lance_tables.write_plan(file, plan)
        except BaseException:
            file.unlink(missing_ok=True)
            raise
        reach("stage.after_fsync")
        size = self._size()
        return StagedUnit(
            unit=self.name,
            temporary=file.name,
            fingerprint=finding.fingerprint,
            before=str(table.version),
            after=plan.uuid,
            size_before=size,
            size_after=size,
            rows_before=staying + len(found.addresses),
            rows_after=staying,
            rows_removed=len(found.addresses),
            digest=digest,
            links=1,
        )

    def stage_each(
        self, findings: Iterable[UnitFinding], keys: Collection[str], spans: Spans = WHOLE, *, token: str
    ) -> Iterator[tuple[UnitFinding, StagedUnit]]:
        return stage_one_by_one(self, findings, keys, spans, token=token)

    def commit(self, staged: StagedUnit, *, fence: Callable[[], object]) -> None:
        file = self.path / staged.temporary
        try:
            if self.unit_state(staged) == "new":
                return
            if not self.path.exists():
                raise changed(self.name)
            plan = lance_tables.read_plan(file)
            if plan is None:
                raise self._swept()
            fence()
            reach("commit.before_rename")
            self._commit(plan, file)
            reach("commit.after_rename")
            lance_tables.sync(self.path)
            reach("commit.after_dirsync")
        finally:
            with suppress(OSError):
                file.unlink(missing_ok=True)

    def unit_state(self, staged: StagedUnit) -> UnitState:
        try:
            table = self._open()
        except ConnectorError as error:
            if error.code == "dataset_missing":
                return "missing"
            raise
        before = int(staged.before)
        if lance_tables.is_committed(table, self.path, uuid=staged.after, after=before):
            return "new"
        return "old" if table.version == before else "changed"

    def verify(self, keys: Collection[str], spans: Spans = WHOLE) -> Verification:
        table, found = self._look(keys, spans)
        there = self._manifest(table)
        return Verification(
            rows_found=len(found.addresses), rows=there.rows, files=there.files, digest=there.digest
        )  # fmt: skip

    def statements(self, keys: Collection[str]) -> Iterator[RowsSaying]:
        columns = self.statement_columns.names
        if columns:
            table = self._open()
            wanted = lance_leaving.looking(table, self.path, self.key_column, keys, WHOLE)
            for tally in lance_residue.tally(table, self.path, columns, wanted):
                yield self.statement_columns.saying(tally)

    def purge(self, *, retention: timedelta | None, at: datetime) -> None:
        lance_purging.purge(self.path, retention=retention, at=at)

    def residue(
        self, keys: Collection[str], *, retention: timedelta | None, at: datetime, removed_at: datetime | None = None
    ) -> Residue:
        table = self._open()
        wanted = lance_leaving.looking(table, self.path, self.key_column, keys, WHOLE)
        kept_for = lance_purging.kept_for(table, retention)
        return lance_residue.residue(table, self.path, wanted, kept_for=kept_for, at=at)

    def _open(self) -> Any:
        return lance_tables.opened(self.path)

    def _look(self, keys: Collection[str], spans: Spans) -> tuple[Any, Going]:
        spans = spans.by(self.created_column)
        table = self._open()
        wanted = lance_leaving.looking(table, self.path, self.key_column, keys, spans)
        return table, lance_leaving.going(table, self.path, wanted)

    def _plan(self, table: Any, found: Going) -> tuple[lance_tables.Plan, int, str]:
        """What to commit, the rows that will stay, and a digest of which those are."""
        leaving = lance_leaving.by_fragment(found.addresses)
        updated, gone = [], []
        rows = staying = names = 0
        with lance_tables.asking(self.path):
            rows = table.count_rows() - len(found.addresses)
        for fragment in table.get_fragments():
            if fragment.fragment_id in leaving:
                after, stay, sum_ = lance_leaving.without(self.path, fragment, leaving[fragment.fragment_id])
                staying, names = staying + stay, (names + sum_) % 2**64
                if after is None:
                    gone.append(fragment.fragment_id)
                else:
                    updated.append(after.to_json())
        plan = lance_tables.Plan(table.version, str(uuid.uuid4()), updated, gone)
        return plan, rows, f"{staying}:{names:016x}"

    def _commit(self, plan: lance_tables.Plan, file: Path) -> None:
        if not file.exists():
            raise self._swept()
        try:
            with lance_tables.asking(self.path):
                lance.LanceDataset.commit(str(self.path), plan.transaction, max_retries=_ATTEMPTS)
        except ConnectorError:
            if not file.exists():
                raise self._swept() from None
            raise

    def _preempt(self, fragments: set[int]) -> None:
        """Touch what a died run was about to change, so that Lance refuses it should it wake up and commit."""
        for _ in range(_ATTEMPTS):
            table = self._open()
            same = [one.metadata for one in table.get_fragments() if one.fragment_id in fragments]
            if not same:
                return
            nothing = lance_tables.deletion(table.version, same, [], uuid=str(uuid.uuid4()))
            try:
                with lance_tables.asking(self.path):
                    lance.LanceDataset.commit(str(self.path), nothing, max_retries=0)
                return
            except ConnectorError as error:
                if error.permanent:
                    raise
        raise changed(self.name)

    def _swept(self) -> ConnectorError:
        return ConnectorError(
            "fence_lost", f"Another worker took over and swept what was staged of {self.name}.", permanent=False
        )

    def _manifest(self, table: Any) -> Manifest:
        digest = hashlib.sha256(str(lance_tables.schema_of(table)).encode())
        rows = 0
        with lance_tables.asking(self.path):
            for fragment in table.get_fragments():
                told = fragment.metadata
                rows += told.num_rows
                files = [file.path for file in told.files]
                digest.update(f"{told.id}\0{files}\0{told.to_json()['deletion_file']}\n".encode())
        return Manifest(files=1, rows=rows, digest=digest.hexdigest())

    def _size(self) -> int:
        with reading(self.name):
            return sum(one.stat().st_size for one in lance_tables.all_files(self.path))

    def _refuse_what_others_hold(self, table: Any) -> None:
        with lance_tables.asking(self.path):
            branches, bases = table.branches.list(), table.base_paths()
        if branches or bases:
            raise ConnectorError(
                "table_branches",
                f"{self.name} has branches, or rows that lie in another table's folder; a removal would not reach "
                "them. Register the table that holds the rows, and have the branches dropped.",
                permanent=True,
            )
