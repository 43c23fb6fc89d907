"""Killed at any step, the dataset is old or new, the next run knows which, and nothing is left behind."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from downstream.connectors import open_connector
from downstream.connectors.base import ConnectorError, StagedUnit
from downstream.stores import folders
from tests.downstream.connectors.contract import remove, unfenced
from tests.downstream.connectors.grounds import rows
from tests.downstream.connectors.running import KEYS, refusal, run

pytestmark = pytest.mark.fault

PEOPLE = ["m_alice", "m_bob", None, "m_alice"]
BEFORE = ["stage.before_write", "stage.after_write", "stage.after_fsync", "commit.before_rename"]
AFTER = ["commit.after_rename", "commit.after_dirsync"]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "posts"
    folder.mkdir()
    noise = pa.array([os.urandom(1_500) for _ in PEOPLE])
    pq.write_table(pa.table({"person": PEOPLE, "noise": noise}), folder / "a.parquet")
    return folder


@pytest.fixture
def record(tmp_path: Path) -> Path:
    return tmp_path / "staged.json"


def people(folder: Path) -> list[str | None]:
    return [row["person"] for row in rows(folder / "a.parquet")]


def hidden(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir() if path.name.startswith(".")]


def kill_at(point: str, folder: Path, record: Path) -> None:
    done = run(folder, record, HEED_FAULTS_ALLOWED="1", HEED_FAULT_POINT=point)
    assert done.returncode == -signal.SIGKILL, done.stderr


@pytest.mark.parametrize("point", [*BEFORE, *AFTER])
def test_killed_at_any_step_the_next_run_ends_it(folder: Path, record: Path, point: str) -> None:
    kill_at(point, folder, record)
    assert people(folder) == (PEOPLE if point in BEFORE else ["m_bob", None])
    connector = open_connector("parquet_folder", str(folder), "person", {})
    swept = connector.sweep()
    assert len(swept) == (point in BEFORE[1:])
    assert hidden(folder) == []
    if record.exists():
        staged = StagedUnit(**json.loads(record.read_text()))
        assert connector.unit_state(staged) == ("old" if point in BEFORE else "new")
    again = remove(connector, KEYS)
    assert [one.rows_removed for one in again] == ([2] if point in BEFORE else [])
    assert people(folder) == ["m_bob", None]
    assert connector.verify(KEYS).rows_found == 0


def test_a_resumed_commit_of_what_is_in_place_changes_nothing(folder: Path, record: Path) -> None:
    kill_at("commit.after_rename", folder, record)
    before = folders.fingerprint(folder / "a.parquet")
    connector = open_connector("parquet_folder", str(folder), "person", {})
    connector.commit(StagedUnit(**json.loads(record.read_text())), fence=unfenced)
    assert folders.fingerprint(folder / "a.parquet") == before


def test_the_nth_time_counts(folder: Path, record: Path) -> None:
    pq.write_table(pq.read_table(folder / "a.parquet"), folder / "b.parquet")
    kill_at("commit.before_rename:2", folder, record)
    assert people(folder) == ["m_bob", None]
    assert len(rows(folder / "b.parquet")) == 4


@pytest.mark.parametrize("environment", [{}, {"HEED_FAULTS_ALLOWED": "1"}, {"HEED_FAULT_POINT": BEFORE[0]}])
def test_nobody_dies_unasked(folder: Path, record: Path, environment: dict[str, str]) -> None:
    assert run(folder, record, **environment).returncode == 0
    assert people(folder) == ["m_bob", None]


def test_a_holder_that_slept_through_a_sweep_changes_nothing(folder: Path, record: Path, tmp_path: Path) -> None:
    """It has passed the fence, sleeps right before the rename, and wakes when another has taken over."""
    gate = tmp_path / "gate"
    environment = {
        "HEED_FAULTS_ALLOWED": "1", "HEED_FAULT_POINT": "commit.before_rename", "HEED_FAULT_WAIT": str(gate)
    }  # fmt: skip
    sleeper = subprocess.Popen(
        [sys.executable, "-m", "tests.downstream.connectors.running", str(folder), str(record)],
        env={**os.environ, **environment},
        stdout=subprocess.PIPE,
    )
    try:
        for _ in range(1_000):
            if Path(f"{gate}.reached").exists():
                break
            time.sleep(0.02)
        connector = open_connector("parquet_folder", str(folder), "person", {})
        assert len(connector.sweep()) == 1
        gate.touch()
        answer, _ = sleeper.communicate(timeout=30)
    finally:
        sleeper.kill()
    assert json.loads(answer)["code"] == "fence_lost"
    assert people(folder) == PEOPLE


@pytest.mark.parametrize("carried", [False, True])
def test_a_full_disk_leaves_the_old_version_and_nothing_else(folder: Path, record: Path, carried: bool) -> None:
    pq.write_table(pq.read_table(folder / "a.parquet"), folder / "a.parquet", row_group_size=1 if carried else 4)
    answer = refusal(folder, record, "full")
    assert (answer["code"], answer["permanent"]) == ("disk_full", False)
    assert "a.parquet" in answer["message"]
    assert people(folder) == PEOPLE
    assert hidden(folder) == []


def test_a_folder_that_may_not_be_written_is_told(folder: Path, record: Path) -> None:
    folder.chmod(0o555)
    answer = refusal(folder, record, "forbid")
    folder.chmod(0o755)
    assert (answer["code"], answer["permanent"]) == ("not_writable", True)
    assert people(folder) == PEOPLE


@pytest.mark.parametrize("what", ["", "a.parquet"])
def test_what_may_not_be_read_is_told(folder: Path, record: Path, what: str) -> None:
    (folder / what).chmod(0)
    answer = refusal(folder, record, "forbid")
    (folder / what).chmod(0o755)
    assert (answer["code"], answer["permanent"]) == ("dataset_unreadable", True)


def test_an_owner_that_cannot_be_kept_is_told(folder: Path, record: Path) -> None:
    if os.geteuid() == 0:
        os.chown(folder / "a.parquet", 12345, 12345)
        (folder / "a.parquet").chmod(0o644)
        answer = refusal(folder, record, "forbid")
        assert (answer["code"], answer["permanent"]) == ("owner_not_kept", True)
    else:
        (folder / "new").touch()
        with pytest.raises(ConnectorError, match="belongs to somebody else"):
            folders.settle_temporary(folder / "new", like=Path("/etc/passwd"))
    assert people(folder) == PEOPLE
    assert hidden(folder) == []
