"""Killed at any step, a dataset of any kind of files is old or new, and the next run ends what was begun."""

import gzip
import json
import signal
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pytest

from downstream.connectors import open_connector
from downstream.connectors.base import StagedUnit
from tests.downstream.connectors.contract import remove
from tests.downstream.connectors.file_grounds import as_json, save, stream_of
from tests.downstream.connectors.running import KEYS, run
from tests.downstream.connectors.test_crashes import AFTER, BEFORE
from tests.downstream.engines.test_webdataset import shard

pytestmark = pytest.mark.fault

PEOPLE = pa.table({"person": ["m_alice", "m_bob", None, "m_alice"]})
LEFT = PEOPLE.slice(1, 2)
ANNOUNCED, UNTOLD = "commit.after_announcement", "commit.before_finish"


def saved(folder: Path, table: pa.Table) -> None:
    (folder / "data-00000-of-00001.arrow").write_bytes(stream_of(table))
    split = {"name": "train", "num_bytes": table.nbytes, "num_examples": table.num_rows}
    save(folder, ["data-00000-of-00001.arrow"], split="train", splits={"train": split})


def lines(folder: Path, table: pa.Table) -> None:
    (folder / "a.jsonl.gz").write_bytes(gzip.compress("\n".join(as_json(table)).encode(), mtime=0))


def records(folder: Path, table: pa.Table) -> None:
    rows = [row["person"] or '""' for row in table.to_pylist()]
    (folder / "a.csv").write_text("".join(f"{row}\n" for row in ["person", *rows]))


def samples(folder: Path, table: pa.Table) -> None:
    (folder / "a.tar").write_bytes(shard((f"{row}.json", row.encode()) for row in dict.fromkeys(as_json(table))))


MAKERS: dict[str, Callable[[Path, pa.Table], None]] = {
    "hf_dataset": saved, "jsonl_folder": lines, "csv_folder": records, "webdataset": samples
}  # fmt: skip
# what lies beside the data is swapped like the data, before it and after it: the data comes second
SAVED = [*BEFORE[:3], "commit.before_rename", "commit.after_rename", ANNOUNCED, "commit.before_rename:2"]
SAVED_NEW = [
    "commit.after_rename:2",
    "commit.after_dirsync:2",
    UNTOLD,
    "commit.after_rename:3",
    "commit.before_rename:4",
]
CASES = [("hf_dataset", point, False) for point in SAVED] + [("hf_dataset", point, True) for point in SAVED_NEW]
for _kind in ("jsonl_folder", "csv_folder", "webdataset"):
    CASES += [(_kind, BEFORE[1], False), (_kind, AFTER[0], True)]


@pytest.mark.parametrize(("kind", "point", "is_new"), CASES)
def test_killed_at_any_step_the_next_run_ends_it(tmp_path: Path, kind: str, point: str, is_new: bool) -> None:
    folder, record, left = tmp_path / "posts", tmp_path / "staged.json", tmp_path / "left"
    for place, table in ((folder, PEOPLE), (left, LEFT)):
        place.mkdir()
        MAKERS[kind](place, table)
    done = run(folder, record, "", kind, HEED_FAULTS_ALLOWED="1", HEED_FAULT_POINT=point)
    assert done.returncode == -signal.SIGKILL, done.stderr
    connector = open_connector(kind, str(folder), "person", {})
    connector.sweep()
    assert not list(folder.glob(".*"))
    if record.exists():
        state = connector.unit_state(StagedUnit(**json.loads(record.read_text())))
        assert state == ("new" if is_new else "old")
    remove(connector, KEYS)
    assert connector.verify(KEYS).rows_found == 0
    assert connector.manifest().rows == open_connector(kind, str(left), "person", {}).manifest().rows
    assert sorted(path.name for path in folder.iterdir()) == sorted(path.name for path in left.iterdir())


@pytest.mark.parametrize("point", [ANNOUNCED, UNTOLD])
def test_what_lies_beside_saved_data_is_true_after_the_next_sweep(tmp_path: Path, point: str) -> None:
    saved(tmp_path, PEOPLE)
    run(tmp_path, tmp_path.with_name("staged.json"), "", "hf_dataset", HEED_FAULTS_ALLOWED="1", HEED_FAULT_POINT=point)
    state = json.loads((tmp_path / "state.json").read_text())
    assert state["_fingerprint"] != "0123456789abcdef"
    open_connector("hf_dataset", str(tmp_path), "person", {}).sweep()
    info = json.loads((tmp_path / "dataset_info.json").read_text())
    assert info["splits"]["train"]["num_examples"] == (4 if point == ANNOUNCED else 2)
    finished = json.loads((tmp_path / "state.json").read_text())
    assert "_heed_pending" not in finished
    assert finished["_fingerprint"] not in {state["_fingerprint"], "0123456789abcdef"}
