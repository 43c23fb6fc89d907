"""Which rows of a Lance table have to go: by their addresses, so that no key is written into its log."""

from collections import Counter
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyroaring

from downstream.connectors.base import ConnectorError, Spans
from downstream.connectors.lance_tables import asking, name_of, schema_of
from downstream.engines.key_columns import KeyForm, form_of
from downstream.engines.spans import TimeForm, time_form

_ROWS = 1 << 17
ADDRESS = "_rowaddr"
# an address is the number of a fragment, and behind it the row's offset in it
_OFFSET_BITS = 32
_OFFSETS = (1 << _OFFSET_BITS) - 1


@dataclass(frozen=True)
class Looking:
    """What to look for in which columns. The keys are personal data: not for logs."""

    key_column: str
    form: KeyForm
    keys: Collection[str] = field(repr=False)
    spans: Spans
    times: TimeForm | None

    @property
    def columns(self) -> list[str]:
        return list(dict.fromkeys([self.key_column, *([self.spans.column] if self.spans else [])]))


@dataclass
class Going:
    """Rows that go: their addresses, and how many of each key."""

    addresses: "np.ndarray[Any, Any]"
    per_key: dict[str, int]


def looking(table: Any, path: Path, key_column: str, keys: Collection[str], spans: Spans) -> Looking:
    """Raises ConnectorError where the columns cannot be compared."""
    name, schema = name_of(path), schema_of(table)
    form = form_of(name, key_column, column_type(name, schema, key_column, "key_column_missing"))
    times = times_of(name, schema, spans.column) if spans else None
    return Looking(key_column, form, keys, spans, times)


def times_of(name: str, schema: pa.Schema, column: str) -> TimeForm:
    return time_form(name, column, column_type(name, schema, column, "created_column_missing"))


def column_type(name: str, schema: pa.Schema, column: str, missing: str) -> pa.DataType:
    if column not in schema.names:
        raise ConnectorError(missing, f"{name} has no column {column or 'that tells times'}.", permanent=True)
    found: pa.DataType = schema.field(column).type
    return found


def going(table: Any, path: Path, wanted: Looking) -> Going:
    """One scan of the columns; no index is asked, because an index may be behind the rows."""
    whole = wanted.form.values(wanted.keys)
    parts = [(part, wanted.form.values(part.keys)) for part in wanted.spans.parts]
    addresses: list[np.ndarray[Any, Any]] = []
    counts: Counter[Any] = Counter()
    with asking(path):
        for batch in _batches(table, wanted.columns) if wanted.keys or parts else ():
            rows = pa.Table.from_batches([batch])
            leaves: Any = wanted.form.matches(rows.column(wanted.key_column), whole)
            for part, values in parts:
                of_part = wanted.form.matches(rows.column(wanted.key_column), values)
                if wanted.times and pc.any(of_part).as_py():
                    inside = pa.array(wanted.times.inside(rows.column(wanted.spans.column), part.spans))
                    leaves = pc.or_(leaves, pc.and_(of_part, inside))
            found = rows.filter(pc.fill_null(leaves, False))
            addresses.append(found.column(ADDRESS).to_numpy())
            counts.update(_natives(found.column(wanted.key_column), wanted.form))
    every = np.concatenate(addresses) if addresses else np.array([], dtype=np.uint64)
    return Going(every, _by_text(counts, wanted.form, {*wanted.keys, *wanted.spans.keys}))


def _batches(table: Any, columns: list[str]) -> Iterator[pa.RecordBatch]:
    yield from table.scanner(columns=columns, with_row_address=True, batch_size=_ROWS).to_batches()


def _natives(column: "pa.ChunkedArray[Any]", form: KeyForm) -> dict[Any, int]:
    if not len(column):
        return {}
    values: Any = pc.cast(column, form.arrow)
    return {one["values"]: one["counts"] for one in pc.value_counts(values.combine_chunks()).to_pylist()}


def _by_text(counts: Counter[Any], form: KeyForm, keys: Collection[str]) -> dict[str, int]:
    """Two spellings of one UUID are each told the rows."""
    per_key = {}
    for row in form.table(keys).to_pylist() if counts else ():
        native = bytes.fromhex(row["probe"]) if form.family == "uuid" else row["probe"]
        if counts[native]:
            per_key[row["text"]] = counts[native]
    return per_key


def by_fragment(addresses: "np.ndarray[Any, Any]") -> dict[int, "np.ndarray[Any, Any]"]:
    """Offsets of rows by the fragment that they are in."""
    ordered = np.sort(addresses.astype(np.uint64))
    numbers = (ordered >> np.uint64(_OFFSET_BITS)).astype(np.int64)
    offsets = (ordered & np.uint64(_OFFSETS)).astype(np.int64)
    starts = np.flatnonzero(np.r_[True, numbers[1:] != numbers[:-1]]) if len(numbers) else np.array([], dtype=int)
    return {
        int(numbers[start]): part for start, part in zip(starts, np.split(offsets, starts[1:]), strict=True)
    }  # fmt: skip


def without(path: Path, fragment: Any, offsets: "np.ndarray[Any, Any]") -> tuple[Any, int, int]:
    """The fragment without these rows, not yet committed; how many stay, and the sum of their names.

    What Lance wrote down as deleted is read back by another library, and has to be what was asked for. The files with
    the rows are the same before and after.
    """
    base = fragment.fragment_id << _OFFSET_BITS
    with asking(path):
        live = fragment.scanner(columns=[], with_row_address=True).to_table().column(ADDRESS).to_numpy()
        after = fragment.delete(f"{ADDRESS} IN ({','.join(str(base + offset) for offset in offsets.tolist())})")
    expected = np.setdiff1d((live & np.uint64(_OFFSETS)).astype(np.int64), offsets)
    staying = np.array([], dtype=np.int64) if after is None else _staying(path, after)
    same_files = after is None or [file.path for file in after.files] == [file.path for file in fragment.metadata.files]
    if not same_files or not np.array_equal(expected, staying):
        raise ConnectorError(
            "verification_failed",
            f"Lance would have deleted other rows of {name_of(path)} than asked. Nothing was committed; report this.",
            permanent=True,
        )
    return after, len(staying), int(_names(fragment.fragment_id, staying).sum(dtype=np.uint64))


def _staying(path: Path, fragment: Any) -> "np.ndarray[Any, Any]":
    told = fragment.to_json()
    deleted, number = told["deletion_file"], told["id"]
    is_array = deleted["file_type"] == "array"
    ending = "arrow" if is_array else "bin"
    file = path / "_deletions" / f"{number}-{deleted['read_version']}-{deleted['id']}.{ending}"
    with asking(path):
        if is_array:
            with pa.ipc.open_file(str(file)) as stream:
                gone = stream.read_all().column(0).to_numpy()
        else:
            gone = np.array(pyroaring.BitMap.deserialize(file.read_bytes()).to_array(), dtype=np.int64)
    stays = np.ones(fragment.physical_rows, dtype=bool)
    stays[gone.astype(np.int64)] = False
    return np.flatnonzero(stays)


def _names(fragment: int, offsets: "np.ndarray[Any, Any]") -> "np.ndarray[Any, Any]":
    """A number for each row, well spread (splitmix64), so that a sum of them names which rows there are."""
    mixed = offsets.astype(np.uint64) + np.uint64((fragment << _OFFSET_BITS) & (2**64 - 1))
    mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    named: np.ndarray[Any, Any] = mixed ^ (mixed >> np.uint64(31))
    return named
