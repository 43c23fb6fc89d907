"""What rows hold has one form in JSON, whatever it is."""

import json
import uuid
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from typing import Any

import numpy as np
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from downstream.row_values import as_json

ONE = uuid.UUID(int=1)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, None),
        (True, True),
        (7, 7),
        (2**63, "9223372036854775808"),
        (-(2**63), -(2**63)),
        (1.5, 1.5),
        (float("nan"), "NaN"),
        (float("inf"), "Infinity"),
        (float("-inf"), "-Infinity"),
        ("Köln", "Köln"),
        ("half \ud83d", "half ?"),
        (b"\x00\xff", "AP8="),
        (bytearray(b"a"), "YQ=="),
        (Decimal("10.50"), "10.50"),
        (Decimal("NaN"), "NaN"),
        (ONE, str(ONE)),
        (datetime(2024, 5, 7, 12, tzinfo=UTC), "2024-05-07T12:00:00Z"),
        (datetime(2024, 5, 7, 12, tzinfo=timezone(timedelta(hours=2))), "2024-05-07T12:00:00+02:00"),
        (datetime(2024, 5, 7, 12), "2024-05-07T12:00:00Z"),  # noqa: DTZ001  (a time without a zone is what it is about)
        (date(2024, 5, 7), "2024-05-07"),
        (time(12, 30), "12:30:00"),
        (timedelta(minutes=1, seconds=30, milliseconds=500), "PT90.5S"),
        (-timedelta(seconds=90, milliseconds=500), "-PT90.5S"),
        (timedelta(), "PT0S"),
        ({"a": [1, {"b": b"x"}]}, {"a": [1, {"b": "eA=="}]}),
        ([("k", 1), ("l", None)], {"k": 1, "l": None}),
        ([("k", 1), ("k", 2)], [["k", 1], ["k", 2]]),
        ([(1, "x")], [[1, "x"]]),
        ({1: "x"}, {"1": "x"}),
        (np.array([1.0, 2.5], np.float32), [1.0, 2.5]),
        (np.float32("nan"), "NaN"),
    ],
)
def test_a_value_has_one_form(value: Any, expected: Any) -> None:
    assert as_json(value) == expected


@pytest.mark.parametrize("depth", [1, 100, 300, 5_000])
def test_however_deep_it_is_it_can_be_written(depth: int) -> None:
    lists: Any = ["x"]
    objects: Any = {"k": "x"}
    for _ in range(depth):
        lists, objects = [lists], {"k": objects}
    written = orjson.dumps([as_json(lists), as_json(objects)])
    assert written.count(b"x") == (2 if depth < 900 else 0)


LEAVES = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(), st.binary(), st.decimals(), st.uuids(),
    st.datetimes(), st.dates(), st.times(), st.timedeltas(),
)  # fmt: skip


@given(st.recursive(LEAVES, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=8))
def test_whatever_it_is_can_be_written_and_read_back(value: Any) -> None:
    written = as_json(value)
    assert json.loads(json.dumps(written, allow_nan=False).encode()) == written
