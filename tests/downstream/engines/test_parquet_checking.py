"""The comparison notices whatever else changed, and the search finds keys and nothing else."""

from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from downstream.engines import parquet_checking
from downstream.engines.errors import ConnectorError
from tests.downstream.engines.making import ENGINE, GO, KEEP, PERSONS, write

TABLE = pa.table({"person": PERSONS, "n": [1, 2, 3, 4, 5, 6], "filename": ["f"] * 6, "text": ["t"] * 6})
RIGHT = TABLE.take([0, 2, 4, 5])
N = RIGHT.column("n")


@pytest.mark.parametrize("target", [RIGHT, RIGHT.take([3, 1, 0, 2])])
def test_the_right_rows_in_any_order_are_accepted(tmp_path: Path, target: pa.Table) -> None:
    source, new = write(tmp_path / "a.parquet", TABLE), write(tmp_path / "b.parquet", target)
    compared = ENGINE.compare(source, new.path, key_column="person", keys={GO})
    assert (compared.rows_before, compared.rows_after) == (6, 4)
    assert compared.digest.startswith("4:")


@pytest.mark.parametrize(
    ("target", "why"),
    [
        (TABLE, "still holds"),
        (TABLE.take([0, 1, 2, 4, 5]), "still holds"),
        (RIGHT.slice(1), "3 rows, not 4"),
        (pa.concat_tables([RIGHT, RIGHT.slice(0, 1)]), "5 rows, not 4"),
        (RIGHT.take([0, 0, 0, 3]), "stay differ"),
        (RIGHT.take([0, 0, 2, 2]), "stay differ"),
        (RIGHT.set_column(1, "n", pa.array([1, 3, 5, 7])), "stay differ"),
        (RIGHT.set_column(1, "n", pa.array([3, 1, 5, 6])), "stay differ"),
        (RIGHT.set_column(1, "n", N.cast(pa.int32())), "schema or metadata"),
        (RIGHT.select(["n", "person", "filename", "text"]), "schema or metadata"),
        (RIGHT.drop_columns(["text"]), "schema or metadata"),
        (RIGHT.replace_schema_metadata({"own": "new"}), "schema or metadata"),
    ],
)
def test_anything_else_is_noticed(tmp_path: Path, target: pa.Table, why: str) -> None:
    source, new = write(tmp_path / "a.parquet", TABLE), write(tmp_path / "b.parquet", target)
    with pytest.raises(ConnectorError, match=why) as refused:
        ENGINE.compare(source, new.path, key_column="person", keys={GO})
    assert (refused.value.code, refused.value.permanent) == ("verification_failed", True)
    assert GO not in refused.value.message


def test_rows_that_are_there_an_even_number_of_times_count(tmp_path: Path) -> None:
    source = write(tmp_path / "a.parquet", pa.table({"person": [KEEP, KEEP, "m_c", "m_c", GO]}))
    new = write(tmp_path / "b.parquet", pa.table({"person": ["m_d", "m_d", "m_e", "m_e"]}))
    with pytest.raises(ConnectorError, match="stay differ"):
        ENGINE.compare(source, new.path, key_column="person", keys={GO})


def test_a_path_is_no_pattern(tmp_path: Path) -> None:
    for name in ("a[1].parquet", "a*.parquet", "a?.parquet", "a'b.parquet", "a,b.parquet", "a b\n.parquet"):
        write(tmp_path / name, pa.table({"person": [name]}))
    write(tmp_path / "a1.parquet", pa.table({"person": [GO]}))
    for path in tmp_path.glob("a[!1]*"):
        file = write(path, pq.read_table(path))
        assert ENGINE.locate([file], key_column="person", keys={GO, path.name}) == {path.name: 1}
        assert ENGINE.count(file, key_column="person", keys={GO, path.name}) == {path.name: 1}


@pytest.mark.parametrize(
    "column", ['per"son', "select", "probe", "text", "filename", "Größe", "a.b", "keys", "person "]
)
def test_a_key_column_may_have_any_name(tmp_path: Path, column: str) -> None:
    file = write(tmp_path / "a.parquet", pa.table({column: PERSONS, "other": PERSONS[::-1]}))
    assert ENGINE.locate([file], key_column=column, keys={GO}) == {"a.parquet": 2}
    assert ENGINE.count(file, key_column=column, keys={GO}) == {GO: 2}
    new = tmp_path / "new"
    ENGINE.rewrite(file, str(new), key_column=column, keys={GO})
    assert ENGINE.compare(file, str(new), key_column=column, keys={GO}).rows_after == 4


@pytest.mark.parametrize("key", ["'; DROP TABLE keys; --", "m_%", "", " m_go", "M_GO", "m_go\0", "ü"])
def test_a_key_is_compared_letter_by_letter(tmp_path: Path, key: str) -> None:
    file = write(tmp_path / "a.parquet", pa.table({"person": [key, *PERSONS]}))
    assert ENGINE.count(file, key_column="person", keys={key}) == {key: 1}


def test_files_that_hold_keys_in_several_forms_are_all_searched(tmp_path: Path) -> None:
    columns = [
        pa.array([7], pa.int32()),
        pa.array([7], pa.int64()),
        pa.array(["7"]),
        pa.array(["7"], pa.large_string()),
    ]
    files = [write(tmp_path / f"{index}", pa.table({"person": column})) for index, column in enumerate(columns)]
    assert ENGINE.locate(files, key_column="person", keys={"7"}) == {"0": 1, "1": 1, "2": 1, "3": 1}


def test_files_with_other_columns_are_all_searched(tmp_path: Path) -> None:
    tables = [pa.table({"person": [GO], "n": [1]}), pa.table({"x": ["y"], "person": [GO]}), pa.table({"person": [GO]})]
    files = [write(tmp_path / f"{index}", table) for index, table in enumerate(tables)]
    assert ENGINE.locate(files, key_column="person", keys={GO}) == {"0": 1, "1": 1, "2": 1}


def test_statistics_that_lie_hide_no_row(tmp_path: Path) -> None:
    file = write(tmp_path / "a.parquet", pa.table({"person": ["m_aaa", "m_bbb"]}))
    data = Path(file.path).read_bytes()
    start = len(data) - 8 - int.from_bytes(data[-8:-4], "little")
    assert b"m_aaa" in data[start:]
    Path(file.path).write_bytes(data[:start] + data[start:].replace(b"m_aaa", b"m_azz"))
    for keys in ({"m_aaa"}, {"m_aaa", "m_zzz"}):
        assert ENGINE.locate([file], key_column="person", keys=keys) == {"a.parquet": 1}
        assert ENGINE.count(file, key_column="person", keys=keys) == {"m_aaa": 1}


def test_many_stretches_of_rows_are_looked_at_in_portions(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # of every other row group a row goes, so that the others are carried over and lie in between
    table = pa.table({"person": [GO, KEEP, KEEP, KEEP] * 150, "n": range(600)})
    source, target = write(tmp_path / "a.parquet", table), str(tmp_path / "b.parquet")
    ENGINE.rewrite(source, target, key_column="person", keys={GO})
    named: list[int] = []
    look_at = parquet_checking._look_at

    def counted(connection: Any, file: Any, condition: str, rows: Any) -> Any:
        named.append(len(rows))
        return look_at(connection, file, condition, rows)

    monkeypatch.setattr(parquet_checking, "_look_at", counted)
    in_portions = ENGINE.compare(source, target, key_column="person", keys={GO})
    assert named == [64, 64, 22] * 2
    monkeypatch.setattr(parquet_checking, "_STRETCHES", 1_000)
    assert ENGINE.compare(source, target, key_column="person", keys={GO}) == in_portions
    assert in_portions.rows_after == 450
