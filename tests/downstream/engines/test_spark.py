"""Apache Spark does the same work by the same code: a real local master, its workers in processes of their own."""

import os
import sys
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from downstream.engines import open_engine, spark
from downstream.engines.base import DataFile
from downstream.engines.errors import ConnectorError
from downstream.engines.spans import WHOLE

FILES = 5
ROWS = 1_000
KEYS = {"m_3", "m_77", "m_0"}


@pytest.fixture
def files(tmp_path: Path) -> list[DataFile]:
    """Files of several row groups, of which each person is in every second one."""
    made = []
    for number in range(FILES):
        people = [f"m_{row % 100}" if (row % 100) % 2 == number % 2 else None for row in range(ROWS)]
        table = pa.table({"person": people, "n": range(ROWS), "made": ["2024-06-01"] * ROWS})
        path = tmp_path / f"{number}.parquet"
        pq.write_table(table, path, row_group_size=300, compression="zstd")
        made.append(DataFile(path.name, str(path)))
    return made


@pytest.mark.slow
class TestOnALocalMaster:
    def test_both_engines_find_count_and_write_the_same(self, files: list[DataFile], tmp_path: Path) -> None:
        near, far = (open_engine(name, {}) for name in ("embedded", "spark"))
        how: Any = {"key_column": "person", "keys": KEYS}
        assert far.locate(files, **how) == near.locate(files, **how)
        for file in files:
            assert far.count(file, **how) == near.count(file, **how)
            written = [tmp_path / f"{name}-{file.name}" for name in ("near", "far")]
            near.rewrite(file, str(written[0]), **how)
            far.rewrite(file, str(written[1]), **how)
            assert written[0].read_bytes() == written[1].read_bytes()
            assert far.compare(file, str(written[1]), **how) == near.compare(file, str(written[0]), **how)

    def test_a_refusal_comes_home_as_it_was_said(self, files: list[DataFile]) -> None:
        Path(files[2].path).write_bytes(b"PAR1 and then nothing")
        with pytest.raises(ConnectorError, match=files[2].name) as refused:
            open_engine("spark", {}).locate(files, key_column="person", keys=KEYS)
        assert (refused.value.code, refused.value.permanent) == ("dataset_unreadable", False)

    def test_the_work_is_done_in_other_processes(self, files: list[DataFile]) -> None:
        frame = spark.session().range(1).mapInArrow(_pids, "pid long")
        assert [row.pid for row in frame.collect()] != [os.getpid()]

    def test_no_key_is_in_what_spark_is_told(self, files: list[DataFile], capfd: pytest.CaptureFixture[str]) -> None:
        open_engine("spark", {}).locate(files, key_column="person", keys={"m_secret"})
        said = capfd.readouterr()
        assert "m_secret" not in said.out + said.err


def _pids(batches: Any) -> Any:
    for _ in batches:
        yield pa.record_batch([pa.array([os.getpid()])], names=["pid"])


def test_a_file_of_keys_of_another_batch_removes_nothing(tmp_path: Path) -> None:
    path, digest = spark._write_keys(tmp_path, KEYS, WHOLE)
    assert spark._read_keys(str(path), digest) == (frozenset(KEYS), WHOLE)
    assert path.stat().st_mode & 0o077 == 0
    path.write_bytes(path.read_bytes() + b" ")
    with pytest.raises(ConnectorError) as refused:
        spark._read_keys(str(path), digest)
    assert refused.value.code == "stale_batch"


def test_without_the_extra_the_refusal_names_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyspark.sql", None)
    with pytest.raises(ConnectorError, match=r"heed\[spark\]") as refused:
        spark.session()
    assert (refused.value.code, refused.value.permanent) == ("extra_missing", True)


def test_what_is_shipped_knows_no_django() -> None:
    shipped = list((spark._ROOT / "downstream/engines").glob("*.py"))
    assert len(shipped) > 5
    assert not [path.name for path in shipped if "django" in path.read_text().replace("knows Django", "")]
