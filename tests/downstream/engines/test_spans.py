"""Both readers tell of every row alike whether it was made in a span."""

from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from downstream.engines.duckdb_sessions import Limits, session
from downstream.engines.errors import ConnectorError
from downstream.engines.spans import _ISO, Part, Span, Spans, time_form

MOMENTS = st.datetimes(datetime(1700, 1, 1), datetime(2200, 1, 1))  # noqa: DTZ001 -- zones are drawn apart
SPANS = st.lists(
    st.builds(
        Span,
        st.none() | st.datetimes(datetime(1, 1, 1), datetime(9999, 1, 1), timezones=st.just(UTC)),  # noqa: DTZ001
        st.none() | MOMENTS.map(lambda one: one.replace(tzinfo=UTC)),
    ),
    min_size=1,
    max_size=3,
)
TEXT = st.from_regex(_ISO, fullmatch=True) | st.text(max_size=30) | MOMENTS.map(datetime.isoformat) | st.none()
COLUMNS = st.one_of(
    st.lists(TEXT, max_size=12).map(lambda texts: pa.array(texts, pa.string())),
    st.lists(st.none() | st.dates(date(1700, 1, 1), date(2200, 1, 1)), max_size=12).map(
        lambda days: pa.array(days, pa.date32())
    ),
    *[
        st.lists(st.none() | MOMENTS, max_size=12).map(
            lambda times, unit=unit, zone=zone: pa.array(times, pa.timestamp("us")).cast(
                pa.timestamp(unit, zone), safe=False
            )
        )
        for unit in ("s", "ms", "us", "ns")
        for zone in (None, "UTC", "America/New_York")
    ],
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(column=COLUMNS, spans=SPANS)
def test_sql_and_arrow_agree_on_every_row(column: "pa.Array[Any]", spans: list[Span], tmp_path: Path) -> None:

    pq.write_table(pa.table({"made": column, "n": list(range(len(column)))}), tmp_path / "a.parquet")
    read = pq.read_table(tmp_path / "a.parquet").column("made")
    form = time_form("a", "made", read.type)
    with session(Limits()) as connection:
        condition = form.condition("made", spans)
        query = f"SELECT {condition} FROM read_parquet($file) ORDER BY n"
        by_sql = [row[0] for row in connection.execute(query, {"file": str(tmp_path / "a.parquet")}).fetchall()]
    assert by_sql == list(form.inside(read, spans))


@pytest.mark.parametrize(
    "column_type", [pa.int64(), pa.float64(), pa.time64("us"), pa.duration("us"), pa.binary(), pa.bool_()]
)
def test_what_tells_no_time_is_refused(column_type: pa.DataType) -> None:
    with pytest.raises(ConnectorError) as refused:
        time_form("a", "made", column_type)
    assert (refused.value.code, refused.value.permanent) == ("created_column_unsupported", True)


def test_spans_know_their_keys_and_whether_there_are_any() -> None:
    spans = Spans((Part((Span(),), frozenset({"a"})), Part((Span(),), frozenset({"b"}))))
    assert (spans.keys, bool(spans), bool(Spans())) == ({"a", "b"}, True, False)
