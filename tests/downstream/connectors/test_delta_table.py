"""Delta tables: the contract, what others write there, and what is left of people after a removal and a purge."""

import json
import os
import signal
import sys
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from deltalake import CommitProperties, DeltaTable, write_deltalake

from downstream.connectors import open_connector
from downstream.connectors.base import Connector, ConnectorError, ReadsRows, StagedUnit
from tests.downstream.connectors import running
from tests.downstream.connectors.contract import ALICE, BOB, ConnectorContract, remove, stage_first, unfenced
from tests.downstream.connectors.delta_ground import DeltaGround
from tests.downstream.connectors.searching import Killed, dies_at, places

SECRET = "what alice wrote"
ROWS = pa.table({"person": [ALICE, BOB, None, "m_zoe"], "text": [SECRET, "b", "nobody's", "z"], "n": [1, 2, 3, 4]})
KEPT = [row for row in ROWS.to_pylist() if row["person"] != ALICE]
NOTHING, FOREVER = timedelta(0), None
POINTS = [
    "stage.before_write", "stage.after_write", "stage.after_fsync",
    "commit.before_rename", "commit.after_rename", "commit.after_dirsync",
]  # fmt: skip


def now() -> datetime:
    """When a purge would begin."""
    return datetime.now(UTC)


class TestDeltaTable(ConnectorContract):
    @pytest.fixture
    def ground(self, tmp_path: Path) -> DeltaGround:
        return DeltaGround(tmp_path / "posts")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two files of the same rows."""
    for _ in range(2):
        write_deltalake(tmp_path / "posts", ROWS, mode="append")
    return tmp_path / "posts"


def table(folder: Path, **options: Any) -> Connector:
    return open_connector("delta_table", str(folder), "person", options)


def read(folder: Path, version: int | None = None) -> list[dict[str, Any]]:
    found = DeltaTable(str(folder), version=version).to_pyarrow_table().to_pylist()
    return sorted(found, key=lambda row: row["n"])


def twice(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return sorted(rows + rows, key=lambda row: row["n"])


def refused(folder: Path) -> tuple[str, bool]:
    with pytest.raises(ConnectorError) as error:
        table(folder).describe()
    return error.value.code, error.value.permanent


def test_the_files_of_one_unit_go_in_one_entry_that_names_nobody(folder: Path) -> None:
    (unit,) = remove(table(folder), {ALICE})
    assert (unit.rows_before, unit.rows_after) == (8, 6)
    assert read(folder) == twice(KEPT)
    entry = (folder / "_delta_log" / f"{2:020}.json").read_text()
    assert ALICE not in entry
    assert SECRET not in entry
    assert entry.count('"remove"') == entry.count('"add"') == 2


def test_statistics_of_a_new_file_are_of_the_rows_that_are_left(folder: Path) -> None:
    remove(table(folder), {ALICE})
    actions: Any = pa.table(DeltaTable(str(folder)).get_add_actions(flatten=True)).to_pylist()
    assert [one["num_records"] for one in actions] == [3, 3]
    assert {(one["min.person"], one["max.person"], one["null_count.person"]) for one in actions} == {(BOB, "m_zoe", 1)}
    assert {(one["min.n"], one["max.n"]) for one in actions} == {(2, 4)}


def test_readers_of_the_old_version_read_it_until_it_is_purged(folder: Path) -> None:
    remove(table(folder), {ALICE})
    table(folder).purge(retention=FOREVER, at=now())
    table(folder).purge(retention=timedelta(hours=1), at=now())
    assert read(folder, version=1) == twice(ROWS.to_pylist())
    assert read(folder) == twice(KEPT)


def full_of_traces(folder: Path) -> None:
    """A table as others leave it: predicates, change data, checkpoints, files that were replaced."""
    about = {"configuration": {"delta.enableChangeDataFeed": "true"}}
    write_deltalake(folder, ROWS, **about)
    write_deltalake(folder, ROWS, mode="append", commit_properties=CommitProperties({"note": f"of {ALICE}"}))
    DeltaTable(folder).delete(f"person = '{ALICE}' and n = 7")
    DeltaTable(folder).update(predicate=f"person = '{ALICE}'", updates={"n": "9"})
    DeltaTable(folder).create_checkpoint()
    write_deltalake(folder, ROWS, mode="append")


def test_after_a_purge_no_file_holds_the_person(tmp_path: Path) -> None:
    full_of_traces(tmp_path)
    connector = table(tmp_path)
    others = [row for row in read(tmp_path) if row["person"] != ALICE]
    remove(connector, {ALICE})
    kept = connector.residue({ALICE}, retention=FOREVER, at=now())
    assert {trace.kind for trace in kept.found} == {"old_version", "log", "statistics"}
    assert {trace.place for trace in kept.found} >= set(places(tmp_path, ALICE, SECRET))
    assert kept.kept_until is not None
    assert kept.kept_until > now() + timedelta(days=6)
    connector.purge(retention=NOTHING, at=now())
    assert places(tmp_path, ALICE, SECRET) == []
    left = connector.residue({ALICE}, retention=NOTHING, at=now())
    assert (left.found, left.kept_until) == ((), None)
    assert left.looked_at > 3
    assert read(tmp_path) == others
    write_deltalake(tmp_path, ROWS, mode="append")
    assert connector.describe().rows == len(others) + 4


@pytest.mark.parametrize("deletion", [0, 1, 2, 4, 6])
def test_a_purge_that_died_is_ended_by_the_next(folder: Path, deletion: int, monkeypatch: pytest.MonkeyPatch) -> None:
    remove(table(folder), {ALICE})
    with monkeypatch.context() as dying:
        dies_at(deletion, dying)
        with pytest.raises(Killed):
            table(folder).purge(retention=NOTHING, at=now())
    assert read(folder) == twice(KEPT)
    table(folder).sweep()
    table(folder).purge(retention=NOTHING, at=now())
    assert read(folder) == twice(KEPT)
    assert places(folder, ALICE, SECRET) == []


def test_purging_again_changes_nothing(folder: Path) -> None:
    remove(table(folder), {ALICE})
    table(folder).purge(retention=NOTHING, at=now())
    before = {path: path.stat().st_mtime_ns for path in folder.rglob("*")}
    table(folder).purge(retention=NOTHING, at=now())
    assert {path: path.stat().st_mtime_ns for path in folder.rglob("*")} == before


def test_a_purge_keeps_the_versions_within_the_retention(folder: Path) -> None:
    remove(table(folder), {ALICE})
    long_ago = (datetime.now(UTC) - timedelta(days=40)).timestamp()
    for version in range(3):
        os.utime(folder / "_delta_log" / f"{version:020}.json", (long_ago, long_ago))
    write_deltalake(folder, ROWS.slice(1, 1), mode="append")
    table(folder).purge(retention=timedelta(days=30), at=now())
    assert read(folder, version=2) == twice(KEPT)
    assert not (folder / "_delta_log" / f"{1:020}.json").exists()
    assert len(read(folder)) == 7


def test_a_table_partitioned_by_the_key_loses_whole_files_and_their_names(tmp_path: Path) -> None:
    write_deltalake(tmp_path, ROWS, partition_by=["person"])
    connector = table(tmp_path)
    finding = next(connector.find({ALICE}))
    assert (finding.rows_per_key, finding.matching) == ({ALICE: 1}, 1)
    assert ALICE not in finding.unit + finding.fingerprint
    remove(connector, {ALICE})
    assert read(tmp_path) == KEPT
    residue = connector.residue({ALICE}, retention=NOTHING, at=now())
    assert residue.found
    assert not any(ALICE in trace.place for trace in residue.found)
    connector.purge(retention=NOTHING, at=now())
    assert places(tmp_path, ALICE, SECRET) == []
    assert connector.residue({ALICE}, retention=NOTHING, at=now()).found == ()
    assert connector.verify({ALICE}).rows == 3


def test_a_table_partitioned_by_the_key_knows_no_spans(tmp_path: Path) -> None:
    write_deltalake(tmp_path, ROWS, partition_by=["person"])
    with pytest.raises(ConnectorError) as error:
        table(tmp_path, created_column="n").describe()
    assert (error.value.code, error.value.permanent) == ("partitioned_by_key", True)


@pytest.mark.parametrize("partition", [[], ["person"]])
def test_keys_that_are_numbers_are_told_from_other_numbers(tmp_path: Path, partition: list[str]) -> None:
    """4 is a person, a number of rows and a part of many sizes and times."""
    numbered = ROWS.set_column(0, "person", pa.array([4, 5, None, 6]))
    write_deltalake(tmp_path, numbered, partition_by=partition or None)
    connector = table(tmp_path)
    remove(connector, {"4"})
    assert connector.residue({"4"}, retention=NOTHING, at=now()).found
    connector.purge(retention=NOTHING, at=now())
    assert connector.residue({"4"}, retention=NOTHING, at=now()).found == ()
    assert connector.residue({"5"}, retention=NOTHING, at=now()).found
    assert places(tmp_path, SECRET) == []


def test_somebody_elses_text_that_mentions_a_person_is_no_residue(tmp_path: Path) -> None:
    mentions = pa.table({"person": [ALICE, BOB], "text": [SECRET, f"hello {ALICE}"]})
    write_deltalake(tmp_path, mentions)
    remove(table(tmp_path), {ALICE})
    table(tmp_path).purge(retention=NOTHING, at=now())
    assert table(tmp_path).residue({ALICE}, retention=NOTHING, at=now()).found == ()
    assert places(tmp_path, ALICE) != []


def test_a_file_that_another_writer_has_not_committed_yet_is_left(folder: Path) -> None:
    (folder / "part-00007.snappy.parquet").write_bytes(next(folder.glob("*.parquet")).read_bytes())
    remove(table(folder), {ALICE})
    table(folder).purge(retention=NOTHING, at=now())
    assert (folder / "part-00007.snappy.parquet").exists()
    left = table(folder).residue({ALICE}, retention=NOTHING, at=now())
    assert [trace.place for trace in left.found] == ["part-00007.snappy.parquet"]
    assert left.kept_until is not None
    table(folder).purge(retention=NOTHING, at=left.kept_until)
    assert places(folder, ALICE, SECRET) == []


def test_a_log_that_its_owner_keeps_for_good_is_shortened_by_a_decision_alone(folder: Path) -> None:
    DeltaTable(folder).alter.set_table_properties({"delta.enableExpiredLogCleanup": "false"})
    remove(table(folder), {ALICE})
    table(folder).purge(retention=FOREVER, at=now() + timedelta(days=300))
    left = table(folder).residue({ALICE}, retention=FOREVER, at=now())
    assert {trace.kind for trace in left.found} == {"statistics"}
    table(folder).purge(retention=NOTHING, at=now())
    assert places(folder, ALICE, SECRET) == []


def test_partitions_by_other_columns_stay_what_they_are(tmp_path: Path) -> None:
    awkward = ROWS.append_column("tag", pa.array(["a b/ü", "a b/ü", None, "x"]))
    write_deltalake(tmp_path, awkward, partition_by=["tag"])
    remove(table(tmp_path), {ALICE})
    assert read(tmp_path) == [row for row in awkward.to_pylist() if row["person"] != ALICE]
    table(tmp_path).purge(retention=NOTHING, at=now())
    assert places(tmp_path, ALICE, SECRET) == []
    assert len(read(tmp_path)) == 3


def test_what_another_writer_adds_meanwhile_is_kept(folder: Path) -> None:
    connector = table(folder)
    staged = stage_first(connector, {ALICE})
    write_deltalake(folder, ROWS, mode="append")
    connector.commit(staged, fence=unfenced)
    assert len(read(folder)) == 3 + 3 + 4
    assert connector.verify({ALICE}).rows_found == 1
    remove(connector, {ALICE})
    assert connector.verify({ALICE}).rows_found == 0


def test_a_number_that_another_writer_takes_right_before_is_no_loss(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    connector = table(folder)
    staged = stage_first(connector, {ALICE})
    write = iter([True])

    def take(point: str) -> None:
        if point == "commit.before_rename" and next(write, False):
            write_deltalake(folder, ROWS, mode="append")

    monkeypatch.setattr("downstream.connectors.delta_table.reach", take)
    connector.commit(staged, fence=unfenced)
    assert len(read(folder)) == 3 + 3 + 4
    assert connector.unit_state(staged) == "new"


def test_files_that_another_writer_merges_meanwhile_are_found_again(folder: Path) -> None:
    connector = table(folder)
    staged = stage_first(connector, {ALICE})
    DeltaTable(folder).optimize.compact()
    assert connector.unit_state(staged) == "changed"
    with pytest.raises(ConnectorError) as error:
        connector.commit(staged, fence=unfenced)
    assert (error.value.code, error.value.permanent) == ("source_changed", False)
    remove(connector, {ALICE})
    assert read(folder) == twice(KEPT)


@pytest.mark.parametrize("point", POINTS)
def test_killed_at_any_step_the_table_is_whole_and_the_next_run_ends_it(
    folder: Path, tmp_path: Path, point: str
) -> None:
    record = tmp_path / "record"
    done = running.run(folder, record, HEED_FAULTS_ALLOWED="1", HEED_FAULT_POINT=point)
    assert done.returncode == -signal.SIGKILL
    new = point in {"commit.after_rename", "commit.after_dirsync"}
    assert read(folder) == twice(KEPT if new else ROWS.to_pylist())
    connector = table(folder)
    assert len(connector.sweep()) == (point != "stage.before_write")
    assert [path.name for path in folder.rglob("*.heed-*") if not new] == []
    assert read(folder) == twice(KEPT if new else ROWS.to_pylist())
    if record.exists():
        staged = StagedUnit(**json.loads(record.read_text()))
        assert connector.unit_state(staged) == ("new" if new else "old")
    remove(connector, {ALICE})
    connector.purge(retention=NOTHING, at=now())
    assert read(folder) == twice(KEPT)
    assert places(folder, ALICE, SECRET) == []


def marked_deleted(folder: Path) -> None:
    entry = folder / "_delta_log" / f"{2:020}.json"
    add = json.loads((folder / "_delta_log" / f"{0:020}.json").read_text().splitlines()[-1])["add"]
    vector = {"storageType": "u", "pathOrInlineDv": "ab^-aqEH.-t@S}K{vb[*k^", "sizeInBytes": 4, "cardinality": 1}
    add["deletionVector"] = vector
    features = {"readerFeatures": ["deletionVectors"], "writerFeatures": ["deletionVectors"]}
    protocol = {"minReaderVersion": 3, "minWriterVersion": 7, **features}
    entry.write_text(f"{json.dumps({'protocol': protocol})}\n{json.dumps({'add': add})}\n")


def test_rows_that_are_only_marked_as_deleted_are_refused(folder: Path) -> None:
    marked_deleted(folder)
    assert refused(folder) == ("deletion_vectors", True)


@pytest.mark.parametrize("feature", ["rowTracking", "v2Checkpoint", "inCommitTimestamp", "typeWidening", "of-2030"])
def test_features_that_are_not_understood_are_refused(folder: Path, feature: str) -> None:
    protocol = {"minReaderVersion": 3, "minWriterVersion": 7, "readerFeatures": [], "writerFeatures": [feature]}
    (folder / "_delta_log" / f"{2:020}.json").write_text(json.dumps({"protocol": protocol}))
    assert refused(folder) == ("table_feature", True)


def test_a_table_that_may_only_grow_is_refused(folder: Path) -> None:
    DeltaTable(folder).alter.set_table_properties({"delta.appendOnly": "true"})
    assert refused(folder) == ("append_only", True)


def test_a_log_with_a_hole_is_refused(folder: Path) -> None:
    (folder / "_delta_log" / f"{0:020}.json").unlink()
    assert refused(folder) == ("log_incomplete", True)


def test_a_log_that_the_library_reads_otherwise_is_refused(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(DeltaTable, "file_uris", lambda _: [str(folder / "another")])
    assert refused(folder) == ("log_disagrees", True)


def test_without_its_extra_the_kind_says_which_to_install(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "deltalake", None)
    with pytest.raises(ConnectorError, match=r"pip install 'heed\[delta\]'") as error:
        table(folder).describe()
    assert (error.value.code, error.value.permanent) == ("extra_missing", True)


def test_an_address_is_no_folder(folder: Path) -> None:
    assert refused(Path("s3://bucket/posts"))[0] == "dataset_missing"
    with pytest.raises(ConnectorError) as error:
        open_connector("delta_table", "s3://bucket/posts", "person", {}).describe()
    assert error.value.code == "unsupported_location"


def test_what_rows_say_themselves_is_counted(tmp_path: Path) -> None:
    write_deltalake(tmp_path, ROWS)
    connector = table(tmp_path, content_usage_column="text")
    said = {one.content_usage: (one.rows, one.of_keys) for one in connector.statements({ALICE})}
    assert said == {SECRET: (1, 1), "b": (1, 0), "nobody's": (1, 0), "z": (1, 0)}


@pytest.mark.parametrize("partition", [["day", "n"], ["person"]])
def test_a_persons_rows_hold_what_the_table_is_partitioned_by(tmp_path: Path, partition: list[str]) -> None:
    days = pa.array([date(2024, 5, 7), date(2024, 5, 8), None, None])
    write_deltalake(tmp_path, ROWS.append_column("day", days), partition_by=partition)
    connector = table(tmp_path)
    assert isinstance(connector, ReadsRows)
    expected = {"person": ALICE, "text": SECRET, "n": 1, "day": date(2024, 5, 7)}
    assert [row.values for row in connector.rows({ALICE})] == [expected]
    assert [row.values["day"] for row in connector.rows({"m_zoe"})] == [None]
    assert not any(ALICE in row.unit for row in connector.rows({ALICE}))
