"""The engine inside the worker's own process: pyarrow writes, DuckDB finds and compares."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa

from downstream.engines import (
    parquet_checking,
    parquet_files,
    parquet_groups,
    parquet_rewriting,
    parquet_rows,
    parquet_splicing,
    parquet_statements,
)
from downstream.engines.base import Comparison, DataFile, Shape, Tally
from downstream.engines.duckdb_sessions import Limits
from downstream.engines.errors import reading
from downstream.engines.key_columns import KeyForm
from downstream.engines.options import invalid
from downstream.engines.parquet_checking import Leaving
from downstream.engines.spans import WHOLE, Spans, TimeForm


@dataclass(frozen=True)
class EmbeddedEngine:
    """Implements `downstream.engines.base.Engine` for Parquet files."""

    limits: Limits = field(default_factory=Limits)

    def inspect(self, file: DataFile, *, key_column: str, created_column: str = "") -> Shape:
        return parquet_files.inspect(file, key_column=key_column, created_column=created_column)

    def check_rewritable(self, file: DataFile) -> None:
        parquet_rewriting.check_rewritable(file)

    def locate(
        self, files: Sequence[DataFile], *, key_column: str, keys: Collection[str], spans: Spans = WHOLE
    ) -> Mapping[str, int]:
        found: dict[str, int] = {}
        for forms, alike in self._by_forms(files, key_column, spans).items():
            leaving = Leaving(key_column, forms[0], keys, forms[1], spans)
            # one look at all of them uses every core; where it fails, a look at each tells which
            with reading(alike[0].name if len(alike) == 1 else f"one of {len(alike)} files"):
                found |= parquet_checking.locate(alike, leaving=leaving, limits=self.limits)
        return found

    def keys(self, file: DataFile, *, key_column: str) -> Iterator[list[str]]:
        return parquet_files.keys(file, key_column=key_column)

    def count(self, file: DataFile, *, key_column: str, keys: Collection[str], spans: Spans = WHOLE) -> dict[str, int]:
        form, time = self._forms(file, key_column, spans)
        leaving = Leaving(key_column, form, keys, time, spans)
        return parquet_checking.count(file, leaving=leaving, limits=self.limits)

    def rewrite(
        self,
        source: DataFile,
        target: str,
        *,
        key_column: str,
        keys: Collection[str],
        spans: Spans = WHOLE,
        groups: Collection[int] | None = None,
    ) -> None:
        if not parquet_splicing.splice(source, target, key_column=key_column, keys=keys, spans=spans, groups=groups):
            parquet_rewriting.rewrite(source, target, key_column=key_column, keys=keys, spans=spans)

    def compare(
        self,
        source: DataFile,
        target: str,
        *,
        key_column: str,
        keys: Collection[str],
        spans: Spans = WHOLE,
        groups: Collection[int] | None = None,
    ) -> Comparison:
        form, time = self._forms(source, key_column, spans)
        leaving = Leaving(key_column, form, keys, time, spans)
        return parquet_checking.compare(source, target, leaving=leaving, limits=self.limits)

    def rows(
        self, file: DataFile, *, key_column: str, keys: Collection[str], groups: Collection[int] | None = None
    ) -> Iterator[dict[str, Any]]:
        return parquet_rows.rows(file, key_column=key_column, keys=keys, groups=groups)

    def check_statements(self, file: DataFile, *, columns: Sequence[str]) -> None:
        parquet_statements.kinds(file, columns=columns)

    def tally(
        self, files: Sequence[DataFile], *, columns: Sequence[str], key_column: str, keys: Collection[str]
    ) -> Iterator[Tally]:
        alike: dict[tuple[KeyForm, tuple[str, ...]], list[DataFile]] = {}
        for file in files:
            forms = self._forms(file, key_column, WHOLE)[0], parquet_statements.kinds(file, columns=columns)
            alike.setdefault(forms, []).append(file)
        for (form, kinds), same in alike.items():
            yield from parquet_statements.tally(
                same,
                columns=columns,
                column_kinds=kinds,
                key_column=key_column,
                form=form,
                keys=keys,
                limits=self.limits,
            )

    def columns_by_group(
        self, file: DataFile, *, columns: Sequence[str], groups: Collection[int] | None = None
    ) -> Iterator[tuple[int, pa.Table]]:
        return parquet_groups.columns_by_group(file, columns=columns, groups=groups)

    def _forms(self, file: DataFile, key_column: str, spans: Spans) -> tuple[KeyForm, TimeForm | None]:
        with parquet_files.opened(file) as parquet:
            form = parquet_files.key_form(file, parquet, key_column)
            return form, parquet_files.form_of_times(file, parquet, spans.column) if spans else None

    def _by_forms(
        self, files: Sequence[DataFile], key_column: str, spans: Spans
    ) -> dict[tuple[KeyForm, TimeForm | None], list[DataFile]]:
        alike: dict[tuple[KeyForm, TimeForm | None], list[DataFile]] = {}
        for file in files:
            alike.setdefault(self._forms(file, key_column, spans), []).append(file)
        return alike


def from_options(options: Mapping[str, Any]) -> EmbeddedEngine:
    """Set up by `memory_mb` and `threads`. Raises ConnectorError for values that cannot be."""
    limits = Limits(
        memory_mb=options.get("memory_mb", Limits.memory_mb), threads=options.get("threads", Limits.threads)
    )
    for name, value, least in (("memory_mb", limits.memory_mb, 64), ("threads", limits.threads, 1)):
        if not isinstance(value, int) or value < least:
            raise invalid(name, f"a whole number of at least {least}")
    return EmbeddedEngine(limits)
