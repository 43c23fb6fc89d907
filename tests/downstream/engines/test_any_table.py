"""For any rows and any keys, exactly the rows of the keys go."""

from collections import Counter
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.downstream.engines.making import ENGINE, rewritten, write

PEOPLE = st.sampled_from(["", "a", "b", "B", "m_é", "1", "01", "null"])
ROWS = st.lists(
    st.tuples(
        st.none() | PEOPLE,
        st.none() | st.text(st.characters(codec="utf-8"), max_size=5),
        st.none() | st.floats(allow_nan=False),
        st.none() | st.lists(st.none() | st.integers(-(2**63), 2**63 - 1), max_size=3),
    ),
    max_size=30,
)
SCHEMA = pa.schema([("person", pa.string()), ("t", pa.string()), ("f", pa.float64()), ("l", pa.list_(pa.int64()))])


def tabled(rows: list[tuple[Any, ...]], *, as_dictionary: bool) -> pa.Table:
    columns = list(zip(*rows, strict=True)) or [()] * 4
    table = pa.table(
        [pa.array(column, field.type) for column, field in zip(columns, SCHEMA, strict=True)], schema=SCHEMA
    )
    return table.set_column(0, "person", table.column(0).dictionary_encode()) if as_dictionary else table


@settings(max_examples=60, deadline=None)
@given(rows=ROWS, keys=st.sets(PEOPLE), size=st.integers(1, 7), as_dictionary=st.booleans())
def test_exactly_the_rows_of_the_keys_go(
    rows: list[tuple[Any, ...]], keys: set[str], size: int, as_dictionary: bool
) -> None:
    with TemporaryDirectory() as folder:
        source = write(Path(folder, "a"), tabled(rows, as_dictionary=as_dictionary), row_group_size=size)
        expected = Counter(row[0] for row in rows if row[0] in keys)
        assert ENGINE.count(source, key_column="person", keys=keys) == expected
        left = pq.read_table(rewritten(source, keys)).to_pylist()
    assert [tuple(row.values()) for row in left] == [row for row in rows if row[0] not in keys]
