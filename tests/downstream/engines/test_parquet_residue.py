"""What writers leave in row groups of others does not stay behind when those are carried over."""

import uuid
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from downstream.engines.base import DataFile
from downstream.engines.parquet_splicing import splice
from tests.downstream.engines.looking import everything_in
from tests.downstream.engines.making import ENGINE, GO, KEEP, write
from tests.downstream.engines.test_parquet_splicing import carried_groups, spliced

OWNERS = [KEEP, KEEP, GO, KEEP, KEEP, KEEP]


def dictionary(values: list[Any], column_type: Any = None) -> Any:
    return pa.array(values, column_type).dictionary_encode()


@pytest.mark.parametrize("codec", ["none", "zstd", "snappy", "gzip", "brotli", "lz4"])
def test_a_dictionary_that_every_row_group_repeats(tmp_path: Path, codec: str) -> None:
    table = pa.table({"person": dictionary(OWNERS), "n": range(6)})
    source = write(tmp_path / "a.parquet", table, compression=codec, write_page_index=True)
    assert everything_in(source.path).count(GO.encode()) >= 3
    target = spliced(source, {GO})
    assert GO.encode() not in everything_in(target)
    assert carried_groups(source, target) == 0


@pytest.mark.parametrize("within", [False, True])
def test_what_they_said_goes_from_dictionaries_too(tmp_path: Path, within: bool) -> None:
    said = dictionary(["nothing", "nothing", "said by m_go", "nothing", "nothing", "nothing"])
    column = pa.StructArray.from_arrays([said], ["said"]) if within else said
    source = write(tmp_path / "a.parquet", pa.table({"person": OWNERS, "said": column}))
    target = spliced(source, {GO})
    assert b"said by m_go" in everything_in(source.path)
    assert b"said by m_go" not in everything_in(target)


def test_what_others_say_too_stays_and_is_carried(tmp_path: Path) -> None:
    said = ["yes", "no", "yes", "no", "no", "yes"]
    source = write(tmp_path / "a.parquet", pa.table({"person": OWNERS, "said": said}))
    assert carried_groups(source, spliced(source, {GO})) == 2


def test_what_only_rows_of_a_carried_row_group_say_too_stays(tmp_path: Path) -> None:
    said = ["yes", "no", "yes", "perhaps", "no", "yes"]
    source = write(tmp_path / "a.parquet", pa.table({"person": OWNERS, "said": said}))
    target = spliced(source, {GO})
    assert carried_groups(source, target) == 2
    assert pq.read_table(target).column("said").to_pylist() == ["yes", "no", "perhaps", "no", "yes"]


def test_an_enum_of_duckdb(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    duckdb.sql(
        """
        SELECT (CASE WHEN i = 5000 THEN 'm_go' ELSE 'm_keep' END)::ENUM('m_keep', 'm_go') AS person, i
        FROM range(10000) AS r(i)
        """
    ).write_parquet(str(path), row_group_size=2048)
    target = spliced(DataFile("a.parquet", str(path)), {GO})
    assert GO.encode() in everything_in(path)
    assert GO.encode() not in everything_in(target)


def test_keys_that_are_numbers_or_uuids_are_looked_for(tmp_path: Path) -> None:
    one, other = uuid.UUID(int=2**100 + 1), uuid.UUID(int=2**101 + 7)
    ids = pa.array([other.bytes, other.bytes, one.bytes, other.bytes, other.bytes], pa.uuid())
    source = write(tmp_path / "a.parquet", pa.table({"person": ids}))
    assert one.bytes not in everything_in(spliced(source, {str(one)}))
    numbers = pa.table({"person": pa.array([7, 7, 123_456_789, 7, 7], pa.int64())})
    source = write(tmp_path / "b.parquet", numbers)
    assert (123_456_789).to_bytes(8, "little") not in everything_in(spliced(source, {"123456789"}))


def test_statistics_that_name_who_is_not_there(tmp_path: Path) -> None:
    table = pa.table({"person": ["m_aa", "m_ab", GO, "m_ab", "m_zz", "m_zz"]})
    source = write(tmp_path / "a.parquet", table, use_dictionary=False, compression="none")
    data = Path(source.path).read_bytes()
    footer = len(data) - 8 - int.from_bytes(data[-8:-4], "little")
    Path(source.path).write_bytes(data[:footer] + data[footer:].replace(b"m_zz", GO.encode()))
    assert GO.encode() not in everything_in(spliced(source, {GO}))


def test_too_much_to_look_for_means_a_whole_rewrite(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("downstream.engines.parquet_residue._MOST", 1)
    source = write(tmp_path / "a.parquet", pa.table({"person": dictionary(OWNERS)}))
    target = tmp_path / "new"
    assert not splice(source, str(target), key_column="person", keys={GO})
    ENGINE.rewrite(source, str(target), key_column="person", keys={GO})
    assert GO.encode() not in everything_in(target)
