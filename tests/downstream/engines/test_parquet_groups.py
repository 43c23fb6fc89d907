"""Single columns are read row group by row group, in tables of bounded length."""

from pathlib import Path

import pyarrow as pa
import pytest

from downstream.engines import parquet_groups
from downstream.engines.errors import ConnectorError
from tests.downstream.engines.making import ENGINE, PERSONS, write

TABLE = pa.table({"person": PERSONS, "n": range(6), "text": ["x"] * 6})


@pytest.fixture(params=[1_000, 3, 1])
def at_once(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """However many row groups are read together."""
    monkeypatch.setattr(parquet_groups, "_AT_ONCE", request.param)


@pytest.mark.usefixtures("at_once")
def test_each_row_group_is_given_with_its_number(tmp_path: Path) -> None:
    file = write(tmp_path / "a", TABLE)
    read = [(group, table.to_pydict()) for group, table in ENGINE.columns_by_group(file, columns=["n", "person"])]
    assert [group for group, _ in read] == [0, 1, 2]
    assert [table["n"] for _, table in read] == [[0, 1], [2, 3], [4, 5]]
    assert [table["person"] for _, table in read] == [PERSONS[:2], PERSONS[2:4], PERSONS[4:]]


@pytest.mark.usefixtures("at_once")
def test_only_the_groups_that_are_asked_for_are_read(tmp_path: Path) -> None:
    file = write(tmp_path / "a", TABLE)
    read = [
        (group, table["n"].to_pylist()) for group, table in ENGINE.columns_by_group(file, columns=["n"], groups={2, 0})
    ]
    assert read == [(0, [0, 1]), (2, [4, 5])]
    assert list(ENGINE.columns_by_group(file, columns=["n"], groups=[])) == []


def test_a_large_row_group_comes_in_parts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parquet_groups, "_MOST", 2)
    monkeypatch.setattr(parquet_groups, "_AT_ONCE", 1)
    file = write(tmp_path / "a", TABLE, row_group_size=5)
    read = [(group, table["n"].to_pylist()) for group, table in ENGINE.columns_by_group(file, columns=["n"])]
    assert read == [(0, [0, 1]), (0, [2, 3]), (0, [4]), (1, [5])]


def test_a_file_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    file = write(tmp_path / "a", TABLE)
    Path(file.path).write_bytes(b"PAR1")
    with pytest.raises(ConnectorError, match=r"^a"):
        list(ENGINE.columns_by_group(file, columns=["n"]))
