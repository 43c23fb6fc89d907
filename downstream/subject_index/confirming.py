"""Reading the keys of the row groups that the index names: whose rows have to go is told by the rows alone."""

from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from downstream.engines.base import DataFile, Grouped
from downstream.engines.errors import changed
from downstream.engines.key_columns import KeyForm, form_of
from downstream.engines.spans import Part, Spans, TimeForm, time_form


@dataclass(frozen=True)
class Hit:
    """Rows that have to go of one file. The keys are personal data: not for logs."""

    rows: int
    rows_per_key: dict[str, int] = field(repr=False)
    groups: tuple[int, ...]
    """The row groups that hold them."""


@dataclass(frozen=True)
class _Probe:
    """Keys in the form of a file; of `part`, only rows made in its spans go."""

    part: Part | None
    values: "pa.Array[Any]"
    spellings: dict[Any, list[str]]
    """Two spellings of one UUID are each told the rows."""


class Wanted:
    """Whose rows have to go, in every form that files of the dataset hold keys in."""

    def __init__(self, keys: Collection[str], spans: Spans) -> None:
        self.spans = spans
        self._parts: list[tuple[Collection[str], Part | None]] = [(keys, None)]
        self._parts += [(part.keys, part) for part in spans.parts]
        self._by_form: dict[KeyForm, list[_Probe]] = {}

    def probes(self, form: KeyForm) -> list[_Probe]:
        """What to compare a file of this form with."""
        if form not in self._by_form:
            self._by_form[form] = [_probe(form, keys, part) for keys, part in self._parts]
        return self._by_form[form]


def confirm(engine: Grouped, file: DataFile, *, key_column: str, wanted: Wanted, groups: Collection[int] | None) -> Hit:
    """Look for the rows in these groups, or in all. Raises ConnectorError."""
    columns = [key_column]
    if wanted.spans:
        columns.append(wanted.spans.column)
    engine.inspect(file, key_column=key_column, created_column=wanted.spans.column)
    leaving: dict[int, list[Any]] = {}
    probes, found = list[_Probe](), set[int]()
    for group, table in engine.columns_by_group(file, columns=columns, groups=groups):
        if not set(columns) <= set(table.column_names):
            raise changed(file.name)
        form = form_of(file.name, key_column, table.schema.field(key_column).type)
        column = pc.cast(table.column(key_column), form.arrow)
        probes = wanted.probes(form)
        for number, probe in enumerate(probes):
            keys = _leaving(file, table, column, form, probe, wanted.spans.column)
            if len(keys):
                leaving.setdefault(number, []).extend(keys.chunks)
                found.add(group)
    per_key: Counter[str] = Counter()
    for number, chunks in leaving.items():
        _count(pa.chunked_array(chunks), probes[number], per_key)
    rows = sum(len(chunk) for chunks in leaving.values() for chunk in chunks)
    return Hit(rows, dict(per_key), tuple(sorted(found)))


def _probe(form: KeyForm, keys: Collection[str], part: Part | None) -> _Probe:
    table, spellings = form.table(keys), dict[Any, list[str]]()
    for native, text in zip(table["probe"].to_pylist(), table["text"].to_pylist(), strict=True):
        spellings.setdefault(native, []).append(str(text))
    return _Probe(part, form.values(keys), spellings)


def _leaving(file: DataFile, table: pa.Table, column: Any, form: KeyForm, probe: _Probe, created_column: str) -> Any:
    """The keys of rows that have to go."""
    theirs: Any = pc.indices_nonzero(form.matches(column, probe.values))
    if probe.part is not None and len(theirs):
        time: TimeForm = time_form(file.name, created_column, table.schema.field(created_column).type)
        inside = time.inside(table.column(created_column).take(theirs), probe.part.spans)
        theirs = pa.array(np.asarray(theirs)[inside])
    return column.take(theirs)


def _count(leaving: "pa.ChunkedArray[Any]", probe: _Probe, per_key: "Counter[str]") -> None:
    counted: Any = pc.value_counts(leaving)
    for value, count in zip(counted.field("values").to_pylist(), counted.field("counts").to_pylist(), strict=True):
        for text in probe.spellings[value.hex() if isinstance(value, bytes) else value]:
            per_key[text] += count
