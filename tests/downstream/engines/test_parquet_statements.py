"""What rows say in a few columns, counted by value in one scan."""

from collections import Counter
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from downstream.engines.base import DataFile
from downstream.engines.embedded import EmbeddedEngine
from downstream.engines.errors import ConnectorError

ENGINE = EmbeddedEngine()


def file_of(folder: Path, name: str, columns: dict[str, Any]) -> DataFile:
    path = folder / name
    pq.write_table(pa.table(columns), path, row_group_size=3)
    return DataFile(name, str(path))


def tally(files: list[DataFile], columns: list[str], keys: set[str]) -> dict[tuple[str | None, ...], tuple[int, int]]:
    total: dict[tuple[str | None, ...], Counter[str]] = {}
    for one in ENGINE.tally(files, columns=columns, key_column="who", keys=keys):
        total.setdefault(one.values, Counter()).update(rows=one.rows, of_keys=one.of_keys)
    return {values: (counts["rows"], counts["of_keys"]) for values, counts in total.items()}


def test_rows_are_counted_by_value_and_by_key(tmp_path: Path) -> None:
    file = file_of(tmp_path, "a", {"who": ["x", "y", None, "x"], "say": ["n", "n", "n", None]})
    assert tally([file], ["say"], {"x"}) == {("n",): (3, 1), (None,): (1, 1)}


def test_two_columns_are_counted_together(tmp_path: Path) -> None:
    file = file_of(tmp_path, "a", {"who": ["x", "y"], "say": ["n", "n"], "tdm": [1, None]})
    assert tally([file], ["say", "tdm"], set()) == {("n", "1"): (1, 0), ("n", None): (1, 0)}


@pytest.mark.parametrize(
    ("values", "texts"),
    [
        (pa.array([1, 0], pa.int8()), {("1",), ("0",)}),
        (pa.array([True, False]), {("1",), ("0",)}),
        (pa.array(["1", "0"]).dictionary_encode(), {("1",), ("0",)}),
        (pa.array(["1", "0"], pa.large_string()), {("1",), ("0",)}),
    ],
)
def test_a_reservation_may_be_held_in_any_of_these_forms(tmp_path: Path, values: Any, texts: set[Any]) -> None:
    file = file_of(tmp_path, "a", {"who": ["x", "y"], "tdm": values})
    assert set(tally([file], ["tdm"], set())) == texts


def test_files_of_different_forms_are_counted_alike(tmp_path: Path) -> None:
    one = file_of(tmp_path, "a", {"who": ["x"], "tdm": [1]})
    other = file_of(tmp_path, "b", {"who": [7], "tdm": [True]})
    assert tally([one, other], ["tdm"], {"x", "7"}) == {("1",): (2, 2)}


@pytest.mark.parametrize(
    ("columns", "code"),
    [
        ({"who": ["x"]}, "statement_column_missing"),
        ({"who": ["x"], "Say": ["n"]}, "statement_column_missing"),
        ({"who": ["x"], "say": [1.0]}, "statement_column_unsupported"),
        ({"who": ["x"], "say": [["n"]]}, "statement_column_unsupported"),
    ],
)
def test_a_column_that_cannot_be_read_is_refused(tmp_path: Path, columns: dict[str, Any], code: str) -> None:
    file = file_of(tmp_path, "a", columns)
    for look in (
        lambda: ENGINE.check_statements(file, columns=["say"]),
        lambda: list(ENGINE.tally([file], columns=["say"], key_column="who", keys=set())),
    ):
        with pytest.raises(ConnectorError) as refused:
            look()
        assert (refused.value.code, refused.value.permanent) == (code, True)


def test_columns_of_any_name_are_counted(tmp_path: Path) -> None:
    name = 'sa"y; DROP'
    file = file_of(tmp_path, "a[1]*", {"who": ["x"], name: ["n"]})
    assert tally([file], [name], set()) == {("n",): (1, 0)}


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=25, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(["x", "y", "z"]), st.none() | st.text(max_size=6)), min_size=1, max_size=30))
def test_it_counts_what_plain_python_counts(tmp_path: Path, rows: list[tuple[str, str | None]]) -> None:
    # lone surrogates and NUL cannot be in such a column
    rows = [(who, None if text is None else text.encode("utf-8", "ignore").decode()) for who, text in rows]
    say = pa.array([text for _, text in rows], pa.string())
    file = file_of(tmp_path, "a", {"who": [who for who, _ in rows], "say": say})
    expected = {
        (text,): (sum(other == text for _, other in rows), sum(one == (("x"), text) for one in rows))
        for _, text in rows
    }
    assert tally([file], ["say"], {"x"}) == expected
