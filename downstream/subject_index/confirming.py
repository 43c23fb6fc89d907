"""Reading the keys of the row groups that the index names: whose rows have to go is told by the rows alone."""

from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from downstream.engines.base import DataFile, Grouped
from downstream.engines.key_columns import KeyForm, form_of
from downstream.engines.spans import Part, Spans, TimeForm, time_form
from downstream.stores.local import changed


@dataclass(frozen=True)
class Hit:
    """Rows that have to go of one file. The keys are personal data: not for logs."""

    rows: int
    rows_per_key: dict[str, int] = field(repr=False)
    groups: tuple[int, ...]
    """The row groups that hold them."""


def confirm(
    engine: Grouped, file: DataFile, *, key_column: str, keys: Collection[str], spans: Spans, groups: Collection[int]
) -> Hit:
    """Look for the rows in these groups. Raises ConnectorError."""
    per_key: Counter[str] = Counter()
    rows, found = 0, set[int]()
    columns = [key_column]
    if spans:
        columns.append(spans.column)
        engine.inspect(file, key_column=key_column, created_column=spans.column)
    for group, table in engine.columns_by_group(file, columns=columns, groups=groups):
        if not set(columns) <= set(table.column_names):
            raise changed(file.name)
        here = 0
        for wanted, part in [(keys, None), *((part.keys, part) for part in spans.parts)]:
            leaving = _leaving(file, table, key_column, wanted, spans.column, part)
            here += len(leaving.rows)
            per_key.update(leaving.per_key(wanted))
        rows += here
        if here:
            found.add(group)
    return Hit(rows, dict(per_key), tuple(sorted(found)))


@dataclass(frozen=True)
class _Leaving:
    """The keys of rows that have to go, in the form of the file."""

    form: KeyForm
    rows: Any

    def per_key(self, keys: Collection[str]) -> dict[str, int]:
        """Two spellings of one UUID are each told the rows."""
        if not len(self.rows):
            return {}
        spellings: dict[Any, list[str]] = {}
        for one in self.form.table(keys).to_pylist():
            spellings.setdefault(one["probe"], []).append(one["text"])
        counts = pc.value_counts(self.rows).to_pylist()
        told = {_probe(one["values"]): one["counts"] for one in counts}
        return {text: count for probe, count in told.items() for text in spellings[probe]}


def _probe(value: Any) -> Any:
    return value.hex() if isinstance(value, bytes) else value


def _leaving(
    file: DataFile, table: pa.Table, key_column: str, keys: Collection[str], created_column: str, part: Part | None
) -> _Leaving:
    form = form_of(file.name, key_column, table.schema.field(key_column).type)
    column: Any = pc.cast(table.column(key_column), form.arrow)
    theirs: Any = pc.indices_nonzero(form.matches(column, form.values(keys)))
    if part is not None and len(theirs):
        time: TimeForm = time_form(file.name, created_column, table.schema.field(created_column).type)
        inside = time.inside(table.column(created_column).take(theirs), part.spans)
        theirs = pa.array(np.asarray(theirs)[inside])
    return _Leaving(form, column.take(theirs))
