"""Iceberg tables: the contract, and what others write there."""

import json
import signal
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from pyiceberg.manifest import ManifestContent, ManifestFile
from pyiceberg.transforms import IdentityTransform
from pyiceberg.types import StringType

from downstream.connectors import open_connector, resolver
from downstream.connectors.base import ConnectorError, ReadsRows, StagedUnit
from tests.downstream.connectors import running
from tests.downstream.connectors.contract import ALICE, BOB, ConnectorContract, remove, stage_first, unfenced
from tests.downstream.connectors.iceberg_ground import NAME, IcebergGround, options
from tests.downstream.connectors.iceberg_tables import (
    KEPT,
    ROWS,
    SECRET,
    held,
    made,
    now,
    partitioned,
    read,
    table,
    twice,
)
from tests.downstream.connectors.searching import places

NOTHING, FOREVER = timedelta(0), None
POINTS = [
    "stage.before_write", "stage.after_write", "stage.after_fsync",
    "commit.before_rename", "commit.after_rename", "commit.after_dirsync",
]  # fmt: skip


class TestIcebergTable(ConnectorContract):
    @pytest.fixture
    def ground(self, tmp_path: Path) -> IcebergGround:
        return IcebergGround(tmp_path / "warehouse")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A warehouse with a table of two files of the same rows."""
    held = made(tmp_path / "warehouse")
    held.append(ROWS)
    held.append(ROWS)
    return tmp_path / "warehouse"


def refused(folder: Path, **more: Any) -> tuple[str, bool]:
    with pytest.raises(ConnectorError) as error:
        list(table(folder, **more).find({ALICE}))
    return error.value.code, error.value.permanent


def test_the_files_of_one_unit_go_in_one_snapshot_that_names_nobody(folder: Path) -> None:
    (unit,) = remove(table(folder), {ALICE})
    assert (unit.rows_before, unit.rows_after) == (8, 6)
    assert read(folder) == twice(KEPT)
    assert len(held(folder).snapshots()) == 3
    summary = held(folder).current_snapshot().summary
    assert (summary["deleted-data-files"], summary["added-data-files"], summary["total-records"]) == ("2", "2", "6")
    assert ALICE not in repr(summary)


def test_statistics_of_a_new_file_are_of_the_rows_that_are_left(folder: Path) -> None:
    remove(table(folder), {ALICE})
    found = held(folder).inspect.files().to_pylist()
    assert [one["record_count"] for one in found] == [3, 3]
    assert [one["readable_metrics"]["person"]["lower_bound"] for one in found] == [BOB, BOB]


def test_a_table_partitioned_by_the_key_shows_nobody_and_keeps_no_folder_of_theirs(tmp_path: Path) -> None:
    partitioned(tmp_path / "w", "person")
    connector = table(tmp_path / "w")
    finding = next(connector.find({ALICE}))
    assert (finding.rows_per_key, finding.matching) == ({ALICE: 1}, 1)
    assert ALICE not in finding.unit + finding.fingerprint
    remove(connector, {ALICE})
    assert read(tmp_path / "w") == KEPT
    residue = connector.residue({ALICE}, retention=NOTHING, at=now())
    assert residue.found
    assert not any(ALICE in trace.place for trace in residue.found)
    connector.purge(retention=NOTHING, at=now())
    assert places(tmp_path / "w", ALICE, SECRET) == []
    assert connector.residue({ALICE}, retention=NOTHING, at=now()).found == ()


def test_a_table_whose_snapshots_name_peoples_partitions_is_refused(tmp_path: Path) -> None:
    partitioned(tmp_path / "w", "person")
    with held(tmp_path / "w").transaction() as transaction:
        transaction.set_properties({"write.summary.partition-limit": "100"})
    assert refused(tmp_path / "w") == ("partition_summaries", True)


def test_rows_that_are_only_marked_as_deleted_are_refused(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As other writers do: pyiceberg writes no delete files."""
    monkeypatch.setattr(ManifestFile, "content", property(lambda _: ManifestContent.DELETES))
    assert refused(folder) == ("delete_files", True)


def test_files_outside_of_the_location_are_refused(folder: Path) -> None:
    with held(folder).transaction() as transaction:
        transaction.set_properties({"write.data.path": f"file://{folder}/elsewhere"})
    held(folder).append(ROWS)
    assert refused(folder) == ("link_leaves_folder", True)


def test_partitions_by_other_columns_stay_what_they_are(tmp_path: Path) -> None:
    partitioned(tmp_path / "w", "n")
    held(tmp_path / "w").append(pa.table({"person": [ALICE, BOB], "text": [SECRET, "b"], "n": [2, 2]}))
    remove(table(tmp_path / "w"), {ALICE})
    assert sorted(row["person"] or "" for row in read(tmp_path / "w")) == ["", BOB, BOB, "m_zoe"]
    assert held(tmp_path / "w").scan(row_filter="n == 2").to_arrow().num_rows == 2


def test_files_of_an_earlier_layout_of_partitions_are_refused(folder: Path) -> None:
    with held(folder).update_spec() as update:
        update.add_field("n", IdentityTransform(), "n")
    connector = table(folder)
    with pytest.raises(ConnectorError) as error:
        stage_first(connector, {ALICE})
    assert (error.value.code, error.value.permanent) == ("partition_layout", True)


def test_a_key_column_that_was_renamed_is_found_by_its_number(folder: Path) -> None:
    with held(folder).update_schema() as update:
        update.rename_column("person", "author")
    held(folder).append(ROWS.rename_columns(["author", "text", "n"]))
    connector = open_connector("iceberg_table", NAME, "author", options(folder))
    assert next(connector.find({ALICE})).matching == 3
    remove(connector, {ALICE})
    assert connector.verify({ALICE}).rows_found == 0
    assert [row["author"] for row in read(folder)].count(ALICE) == 0
    assert len(read(folder)) == 9


def test_a_persons_rows_have_the_names_that_the_table_gives_columns_now(folder: Path) -> None:
    with held(folder).update_schema() as update:
        update.rename_column("person", "author")
        update.delete_column("n")
    with held(folder).update_schema() as update:
        update.add_column("n", StringType())
    held(folder).append(ROWS.select(["person", "text"]).rename_columns(["author", "text"]))
    connector = open_connector("iceberg_table", NAME, "author", options(folder))
    assert isinstance(connector, ReadsRows)
    rows = [row.values for row in connector.rows({ALICE})]
    # what was dropped is in the old files still
    old = {"author": ALICE, "text": SECRET, "n (dropped)": 1}
    new = {"author": ALICE, "text": SECRET, "n": None}
    assert sorted(rows, key=lambda row: "n" in row) == [old, old, new]


def test_what_another_writer_adds_meanwhile_is_kept(folder: Path) -> None:
    connector = table(folder)
    staged = stage_first(connector, {ALICE})
    held(folder).append(ROWS)
    connector.commit(staged, fence=unfenced)
    assert len(read(folder)) == 3 + 3 + 4
    assert connector.verify({ALICE}).rows_found == 1
    remove(connector, {ALICE})
    assert connector.verify({ALICE}).rows_found == 0


def test_a_commit_that_another_writer_makes_right_before_is_no_loss(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    connector = table(folder)
    staged = stage_first(connector, {ALICE})
    write = iter([True])

    def take(*told: Any) -> Any:
        if next(write, False):
            held(folder).append(ROWS)
        return entry_of(*told)

    from downstream.connectors.iceberg_files import entry_of

    monkeypatch.setattr("downstream.connectors.iceberg_files.entry_of", take)
    connector.commit(staged, fence=unfenced)
    assert len(read(folder)) == 3 + 3 + 4
    assert connector.unit_state(staged) == "new"


def test_files_that_another_writer_replaces_meanwhile_are_found_again(folder: Path) -> None:
    connector = table(folder)
    staged = stage_first(connector, {ALICE})
    held(folder).overwrite(ROWS)
    assert connector.unit_state(staged) in {"changed", "missing"}
    with pytest.raises(ConnectorError) as error:
        connector.commit(staged, fence=unfenced)
    assert (error.value.code, error.value.permanent) == ("source_changed", False)
    remove(connector, {ALICE})
    assert read(folder) == KEPT


@pytest.mark.parametrize("point", POINTS)
def test_killed_at_any_step_the_table_is_whole_and_the_next_run_ends_it(
    folder: Path, tmp_path: Path, point: str
) -> None:
    record = tmp_path / "record"
    done = running.run(folder, record, HEED_FAULTS_ALLOWED="1", HEED_FAULT_POINT=point)
    assert done.returncode == -signal.SIGKILL, done.stderr
    new = point in {"commit.after_rename", "commit.after_dirsync"}
    assert read(folder) == twice(KEPT if new else ROWS.to_pylist())
    connector = table(folder)
    connector.sweep()
    assert [path.name for path in folder.rglob("*.heed-*") if not new] == []
    assert list(folder.rglob(".heed-*")) == []
    assert read(folder) == twice(KEPT if new else ROWS.to_pylist())
    if record.exists():
        staged = StagedUnit(**json.loads(record.read_text()))
        assert connector.unit_state(staged) == ("new" if new else "old")
    remove(connector, {ALICE})
    connector.purge(retention=NOTHING, at=now())
    assert read(folder) == twice(KEPT)
    assert places(folder, ALICE, SECRET) == []


def test_without_its_extra_the_kind_says_which_to_install(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyiceberg", None)
    with pytest.raises(ConnectorError, match=r"pip install 'heed\[iceberg\]'") as error:
        table(folder).describe()
    assert (error.value.code, error.value.permanent) == ("extra_missing", True)


@pytest.mark.parametrize("name", ["posts", "social.nothing", "elsewhere.posts"])
def test_a_table_that_is_not_in_the_catalog_is_refused(folder: Path, name: str) -> None:
    with pytest.raises(ConnectorError) as error:
        open_connector("iceberg_table", name, "person", options(folder)).describe()
    assert error.value.code in {"dataset_missing", "invalid_location"}
    assert error.value.permanent


def test_a_table_of_the_third_format_is_refused(tmp_path: Path) -> None:
    path = Path(made(tmp_path / "w").metadata_location.removeprefix("file://"))
    path.write_text(json.dumps({**json.loads(path.read_text()), "format-version": 3, "next-row-id": 0}))
    assert refused(tmp_path / "w") == ("table_feature", True)


def test_one_table_has_one_name_whatever_it_is_called_by(folder: Path) -> None:
    resolve = resolver("iceberg_table")
    assert resolve is not None
    name = resolve(NAME, options(folder))
    assert name == f"sqlite:///{folder}/catalog.db/default#{NAME}"
    assert resolve(name, options(folder)) == name
    assert open_connector("iceberg_table", name, "person", options(folder)).describe().rows == 8


def test_a_secret_of_the_catalog_is_named_by_its_variable(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    uri = options(folder)["catalog"]["uri"]
    for shown in ({"uri": "postgresql://heed:pw@db/x"}, {"uri": uri, "s3.secret-access-key": "x"}):
        assert refused(folder, catalog=shown) == ("invalid_options", True)
    hidden = {"catalog": {}, "catalog_environment": {"uri": "HEED_SECRET_CATALOG"}}
    assert refused(folder, **hidden) == ("invalid_options", True)
    monkeypatch.setenv("HEED_SECRET_CATALOG", uri)
    assert table(folder, **hidden).describe().rows == 8
    resolve = resolver("iceberg_table")
    assert resolve is not None
    for address in ("heed:pw@db/x", "heed:pw@DB:5432/x"):
        monkeypatch.setenv("HEED_SECRET_CATALOG", f"postgresql://{address}")
        assert resolve(NAME, hidden) == f"postgresql://db/x/default#{NAME}"


def test_no_other_variable_is_sent_to_a_catalog(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HEED_KEY", options(folder)["catalog"]["uri"])
    assert refused(folder, catalog={}, catalog_environment={"uri": "HEED_KEY"}) == ("invalid_options", True)


@pytest.mark.parametrize("wrong", [{"type": "rest", "uri": "http://x"}, {"type": "sql"}, {"uri": 1}, {"uri": "no"}, []])
def test_a_catalog_that_cannot_be_is_refused(folder: Path, wrong: Any) -> None:
    assert refused(folder, catalog=wrong) == ("invalid_options", True)


def test_what_rows_say_themselves_is_counted(folder: Path) -> None:
    connector = table(folder, content_usage_column="text")
    said = {one.content_usage: (one.rows, one.of_keys) for one in connector.statements({ALICE})}
    assert said == {SECRET: (2, 2), "b": (2, 0), "nobody's": (2, 0), "z": (2, 0)}
