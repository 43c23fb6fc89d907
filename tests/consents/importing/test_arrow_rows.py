"""Parquet and Arrow: the same rows as from text, whatever the columns' types and wherever one begins."""

import io
import struct
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from consents.importing import arrow_rows
from consents.importing.rows import InputRefused, Refused, Row

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)


def table(count: int = 10, **columns: Any) -> pa.Table:
    given: dict[str, Any] = {
        "scheme": pa.array(["account"] * count).dictionary_encode(),
        "value": pa.array([f"m_{number}" for number in range(1, count + 1)], pa.large_string()),
        "purpose": ["p"] * count,
        "action": ["deny"] * count,
        "occurred_at": pa.array([NOON] * count, pa.timestamp("ns", tz="Europe/Berlin")),
        **columns,
    }
    return pa.table({name: column for name, column in given.items() if column is not None})


def parquet(content: pa.Table) -> io.BytesIO:
    file = io.BytesIO()
    pq.write_table(content, file, row_group_size=4)
    file.seek(0)
    return file


def stream(content: pa.Table) -> bytes:
    sink = io.BytesIO()
    with pa.ipc.new_stream(sink, content.schema) as writer:
        writer.write_table(content, max_chunksize=4)
    return sink.getvalue()


def test_rows_are_numbered_and_times_have_their_zone() -> None:
    rows = list(arrow_rows.read_parquet(parquet(table())))
    assert rows[0] == (1, Row("account", "m_1", "p", "deny", NOON, *[""] * 6))
    assert [number for number, _ in rows] == list(range(1, 11))


@pytest.mark.parametrize("skip", range(12))
def test_reading_goes_on_anywhere(skip: int) -> None:
    whole = list(arrow_rows.read_parquet(parquet(table())))
    assert list(arrow_rows.read_parquet(parquet(table()), skip=skip)) == whole[skip:]


def test_a_stream_has_the_same_rows_as_a_file() -> None:
    content = table(is_minor=[True, False, None] + [None] * 7, notice=["n"] * 10)
    from_stream = list(arrow_rows.read_stream(pa.BufferReader(stream(content))))
    assert from_stream == list(arrow_rows.read_parquet(parquet(content)))
    assert [row.is_minor for _, row in from_stream[:3] if isinstance(row, Row)] == ["yes", "no", ""]


def test_a_row_without_a_value_that_every_choice_has_is_refused() -> None:
    rows = list(arrow_rows.read_parquet(parquet(table(2, value=[None, "m_2"]))))
    assert isinstance(rows[0][1], Refused)
    assert rows[0][1].code == "required"
    assert isinstance(rows[1][1], Row)


@pytest.mark.parametrize(
    ("columns", "code"),
    [
        ({"value": None}, "wrong_columns"),
        ({"colour": ["red"] * 10}, "wrong_columns"),
        ({"value": list(range(10))}, "wrong_type"),
        ({"occurred_at": pa.array([NOON] * 10, pa.timestamp("us"))}, "wrong_type"),
        ({"is_minor": [1] * 10}, "wrong_type"),
    ],
)
def test_wrong_columns_are_refused_by_name_and_type(columns: dict[str, Any], code: str) -> None:
    content = table(**columns)
    for read in (
        lambda: arrow_rows.read_parquet(parquet(content)),
        lambda: arrow_rows.read_stream(io.BytesIO(stream(content))),
    ):
        with pytest.raises(InputRefused) as refusal:
            list(read())
        assert refusal.value.code == code


@pytest.mark.parametrize("content", [b"", b"PAR1", b"x" * 100, parquet(table()).getvalue()[:-20]])
def test_what_is_no_parquet_is_refused(content: bytes) -> None:
    with pytest.raises(InputRefused) as refusal:
        list(arrow_rows.read_parquet(io.BytesIO(content)))
    assert refusal.value.code == "malformed"


@pytest.mark.parametrize("cut", [0, 3, 700, -100])
def test_a_stream_that_breaks_off_says_after_which_row(cut: int) -> None:
    content, rows = stream(table()), []
    with pytest.raises(InputRefused, match=r"after row \d+") as refusal:
        rows += list(arrow_rows.read_stream(pa.BufferReader(content[:cut])))
    assert refusal.value.code == "malformed"


def test_a_stream_whose_offsets_point_elsewhere_is_refused() -> None:
    content = stream(table(2, value=pa.array(["a", "b"]), purpose=["pp"] * 2))
    honest = struct.pack("<3i", 0, 1, 2)
    assert content.count(honest) == 1
    damaged = content.replace(honest, struct.pack("<3i", 0, 1, 2_000_000_000))
    with pytest.raises(InputRefused, match="damaged after row 0") as refusal:
        list(arrow_rows.read_stream(io.BytesIO(damaged)))
    assert refusal.value.code == "malformed"
