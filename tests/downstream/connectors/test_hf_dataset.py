"""What is particular to Hugging Face datasets saved to disk: what lies beside the data stays true."""

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from downstream.connectors import open_connector
from downstream.connectors.base import Connector, ConnectorError
from downstream.engines import arrow_streams
from downstream.engines.base import DataFile
from tests.conftest import AT
from tests.downstream.connectors.contract import ALICE, BOB, MORE, POSTS, lost, remove, stage_first
from tests.downstream.connectors.file_grounds import save, stream_of

FIRST, SECOND = "data-00000-of-00002.arrow", "data-00001-of-00002.arrow"


def connector(folder: Path) -> Connector:
    return open_connector("hf_dataset", str(folder), "person", {})


def splits_of(**rows: int) -> dict[str, Any]:
    return {
        name: {"name": name, "num_bytes": 999, "num_examples": count, "shard_lengths": [count], "dataset_name": "posts"}
        for name, count in rows.items()
    }


def put_split(folder: Path, name: str, tables: dict[str, pa.Table], splits: dict[str, Any] | None = None) -> None:
    folder.mkdir(parents=True)
    for file, table in tables.items():
        (folder / file).write_bytes(stream_of(table))
    save(folder, list(tables), split=name, splits=splits)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """One split in two files."""
    put_split(tmp_path / "posts", "train", {FIRST: POSTS, SECOND: MORE}, splits_of(train=7))
    return tmp_path / "posts"


@pytest.fixture
def several(tmp_path: Path) -> Path:
    """A folder of two splits, each of which tells of both."""
    folder = tmp_path / "all"
    for name, table in (("train", POSTS), ("test", MORE)):
        put_split(folder / name, name, {"data-00000-of-00001.arrow": table}, splits_of(train=5, test=2))
    (folder / "dataset_dict.json").write_text('{"splits": ["train", "test"]}')
    return folder


def state(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "state.json").read_text())
    return found


def told(folder: Path) -> dict[str, int]:
    info = json.loads((folder / "dataset_info.json").read_text())
    return {name: split["num_examples"] for name, split in info["splits"].items()}


def refused(folder: Path) -> str:
    with pytest.raises(ConnectorError) as raised:
        connector(folder).describe()
    assert raised.value.permanent
    return raised.value.code


def test_the_fingerprint_changes_and_all_else_of_the_state_stays(folder: Path) -> None:
    before = state(folder)
    remove(connector(folder), {ALICE})
    after = state(folder)
    assert after["_fingerprint"] != before["_fingerprint"]
    assert len(after["_fingerprint"]) == 16
    assert after | {"_fingerprint": ""} == before | {"_fingerprint": ""}


def test_rows_and_bytes_that_are_left_are_told(folder: Path) -> None:
    remove(connector(folder), {ALICE, BOB})
    assert told(folder) == {"train": 3}
    split = json.loads((folder / "dataset_info.json").read_text())["splits"]["train"]
    assert split["shard_lengths"] == [2, 1]
    left = [pa.ipc.open_stream((folder / name).read_bytes()).read_all() for name in (FIRST, SECOND)]
    assert split["num_bytes"] == sum(table.nbytes for table in left)


def test_totals_of_all_splits_follow(several: Path) -> None:
    info = several / "train/dataset_info.json"
    whole = json.loads(info.read_text()) | {"dataset_size": 1_998, "size_in_bytes": 2_998, "download_size": 1_000}
    info.write_text(json.dumps(whole))
    remove(connector(several), {ALICE})
    after = json.loads(info.read_text())
    assert after["dataset_size"] == sum(split["num_bytes"] for split in after["splits"].values())
    assert after["size_in_bytes"] == after["dataset_size"] + 1_000


def test_every_split_is_told_of_in_every_folder(several: Path) -> None:
    untouched = state(several / "test")
    assert [one.unit for one in remove(connector(several), {ALICE})] == ["train/data-00000-of-00001.arrow"]
    assert told(several / "train") == told(several / "test") == {"train": 3, "test": 2}
    assert state(several / "test") == untouched


def test_totals_are_read_again_only_of_what_is_another_now(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    names = [f"data-{number:05d}-of-00006.arrow" for number in range(6)]
    put_split(tmp_path / "posts", "train", dict.fromkeys(names, POSTS), splits_of(train=30))
    read: list[str] = []
    totals = arrow_streams.totals

    def counted(file: DataFile) -> tuple[int, int]:
        read.append(file.name)
        return totals(file)

    monkeypatch.setattr(arrow_streams, "totals", counted)
    assert len(remove(connector(tmp_path / "posts"), {ALICE})) == 6
    # all after the first commit, and then each that was swapped
    assert len(read) == 6 + 5
    assert told(tmp_path / "posts") == {"train": 18}


def test_a_dataset_that_tells_no_splits_is_left_so(tmp_path: Path) -> None:
    put_split(tmp_path / "posts", "train", {FIRST: POSTS})
    info = (tmp_path / "posts/dataset_info.json").read_bytes()
    remove(connector(tmp_path / "posts"), {ALICE})
    assert (tmp_path / "posts/dataset_info.json").read_bytes() == info


def test_a_holder_without_its_lease_changes_nothing_beside_the_data(folder: Path) -> None:
    before = state(folder)
    staged = stage_first(connector(folder), {ALICE})
    with pytest.raises(ConnectorError, match="took over"):
        connector(folder).commit(staged, fence=lost)
    assert state(folder) == before


def test_sweeping_ends_what_a_died_run_began(folder: Path) -> None:
    remove(connector(folder), {ALICE})
    whole, info = state(folder), (folder / "dataset_info.json").read_bytes()
    (folder / "state.json").write_text(json.dumps(whole | {"_heed_pending": True}))
    (folder / "dataset_info.json").write_text(info.decode().replace('"num_examples": 5', '"num_examples": 7'))
    assert connector(folder).sweep() == []
    assert "_heed_pending" not in state(folder)
    assert state(folder)["_fingerprint"] != whole["_fingerprint"]
    assert (folder / "dataset_info.json").read_bytes() == info


class TestCaches:
    def test_they_are_no_data_and_are_found_and_deleted(self, folder: Path) -> None:
        for name in ("cache-0123.arrow", "tmpabc.arrow"):
            (folder / name).write_bytes(stream_of(POSTS))
        assert connector(folder).describe().rows == 7
        remove(connector(folder), {ALICE})
        residue = connector(folder).residue({ALICE}, retention=None, at=AT)
        assert [trace.place for trace in residue.found] == ["cache-0123.arrow", "tmpabc.arrow"]
        connector(folder).purge(retention=timedelta(days=9), at=AT)
        assert connector(folder).residue({ALICE}, retention=None, at=AT).found == ()
        assert sorted(path.name for path in folder.iterdir()) == [FIRST, SECOND, "dataset_info.json", "state.json"]

    def test_a_hubs_history_is_named_as_out_of_reach(self, folder: Path) -> None:
        assert "hub_history" in connector(folder).residue({ALICE}, retention=None, at=AT).unreachable


class TestRefusals:
    @pytest.mark.parametrize("field", ["_indices_files", "_indices_data_files"])
    def test_a_selection_by_number(self, folder: Path, field: str) -> None:
        (folder / "state.json").write_text(json.dumps(state(folder) | {field: [{"filename": "indices.arrow"}]}))
        assert refused(folder) == "saved_selection"

    def test_a_file_of_indices(self, folder: Path) -> None:
        (folder / "indices.arrow").write_bytes(stream_of(pa.table({"indices": [0]})))
        assert refused(folder) == "saved_selection"

    def test_a_file_that_the_state_does_not_name(self, folder: Path) -> None:
        (folder / "more.arrow").write_bytes(stream_of(POSTS))
        assert refused(folder) == "unlisted_file"

    @pytest.mark.parametrize("name", ["gone.arrow", "../elsewhere.arrow"])
    def test_a_file_that_is_not_there(self, folder: Path, name: str) -> None:
        files = [*state(folder)["_data_files"], {"filename": name}]
        (folder / "state.json").write_text(json.dumps(state(folder) | {"_data_files": files}))
        assert refused(folder) == "data_file_missing"

    @pytest.mark.parametrize("content", ["", "[]", "{"])
    def test_a_state_that_cannot_be_read(self, folder: Path, content: str) -> None:
        (folder / "state.json").write_text(content)
        assert refused(folder) == "dataset_unreadable"

    def test_a_folder_without_a_state(self, folder: Path) -> None:
        (folder / "state.json").unlink()
        assert refused(folder) == "unlisted_file"

    def test_a_folder_of_something_else(self, tmp_path: Path) -> None:
        (tmp_path / "a.csv").write_text("person\n")
        assert refused(tmp_path) == "not_hf_dataset"


def test_data_that_is_called_as_caches_are_is_never_deleted(tmp_path: Path) -> None:
    names = ("cache-0123.arrow", "tmp-0.arrow")
    put_split(tmp_path / "posts", "train", dict(zip(names, (POSTS, MORE), strict=True)))
    (tmp_path / "posts/cache-9.arrow").write_bytes(stream_of(POSTS))
    remove(connector(tmp_path / "posts"), {ALICE})
    connector(tmp_path / "posts").purge(retention=timedelta(0), at=AT)
    assert sorted(one.name for one in (tmp_path / "posts").glob("*.arrow")) == list(names)


def test_a_damaged_file_does_not_keep_the_good_ones_from_being_found(folder: Path) -> None:
    (folder / FIRST).write_bytes((folder / FIRST).read_bytes()[:100])
    found = connector(folder).find({BOB})
    assert next(found).unit == SECOND
    with pytest.raises(ConnectorError, match=FIRST):
        next(found)
