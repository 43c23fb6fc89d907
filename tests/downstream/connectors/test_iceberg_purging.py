"""What an Iceberg table still holds of people after a removal, and that a purge takes it away."""

from datetime import timedelta
from pathlib import Path

import pyarrow as pa
import pytest
from pyiceberg.manifest import ManifestEntryStatus

from tests.downstream.connectors.contract import ALICE, remove
from tests.downstream.connectors.iceberg_ground import NAME, catalog
from tests.downstream.connectors.iceberg_tables import KEPT, ROWS, SECRET, data, held, made, now, read, table, twice
from tests.downstream.connectors.searching import Killed, dies_at, places

NOTHING, FOREVER = timedelta(0), None


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A warehouse with a table of two files of the same rows."""
    held = made(tmp_path / "warehouse")
    held.append(ROWS)
    held.append(ROWS)
    return tmp_path / "warehouse"


def test_readers_of_the_old_snapshot_read_it_until_it_is_purged(folder: Path) -> None:
    before = held(folder).current_snapshot().snapshot_id
    remove(table(folder), {ALICE})
    table(folder).purge(retention=FOREVER, at=now())
    table(folder).purge(retention=timedelta(hours=1), at=now())
    assert read(folder, snapshot=before) == twice(ROWS.to_pylist())
    assert read(folder) == twice(KEPT)


def test_after_a_purge_no_file_holds_the_person(folder: Path) -> None:
    held(folder).delete("n == 4")
    held(folder).overwrite(ROWS, "n >= 1", snapshot_properties={"note": f"of {ALICE}"})
    held(folder).append(ROWS)
    connector = table(folder)
    remove(connector, {ALICE})
    kept = connector.residue({ALICE}, retention=FOREVER, at=now())
    assert {trace.kind for trace in kept.found} == {"old_version", "log", "statistics"}
    assert {trace.place for trace in kept.found} >= set(places(data(folder), ALICE))
    assert kept.kept_until is not None
    assert kept.kept_until > now() + timedelta(days=4)
    connector.purge(retention=NOTHING, at=now())
    assert places(folder, ALICE, SECRET) == []
    left = connector.residue({ALICE}, retention=NOTHING, at=now())
    assert (left.found, left.kept_until, left.unreachable) == ((), None, ())
    assert left.looked_at > 3
    assert read(folder) == twice(KEPT)
    held(folder).append(ROWS)
    assert connector.describe().rows == 10


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
    before = {path: path.stat().st_mtime_ns for path in data(folder).rglob("*")}
    table(folder).purge(retention=NOTHING, at=now())
    assert {path: path.stat().st_mtime_ns for path in data(folder).rglob("*")} == before


def test_the_tables_own_retention_counts_from_when_a_snapshot_was_replaced(folder: Path) -> None:
    remove(table(folder), {ALICE})
    with held(folder).transaction() as transaction:
        transaction.set_properties({"history.expire.max-snapshot-age-ms": "3600000"})
    table(folder).purge(retention=FOREVER, at=now() + timedelta(minutes=50))
    assert places(data(folder), ALICE) != []
    table(folder).purge(retention=FOREVER, at=now() + timedelta(minutes=70))
    assert places(data(folder), ALICE, SECRET) == []


def test_what_a_tag_keeps_stays_and_is_told(folder: Path) -> None:
    before = held(folder).current_snapshot().snapshot_id
    held(folder).manage_snapshots().create_tag(before, "release").commit()
    remove(table(folder), {ALICE})
    table(folder).purge(retention=NOTHING, at=now())
    assert read(folder, snapshot=before) == twice(ROWS.to_pylist())
    left = table(folder).residue({ALICE}, retention=NOTHING, at=now())
    assert left.found
    assert "1 branches or tags" in left.unreachable[0]


def test_removed_files_told_beside_living_ones_go_from_the_manifest(folder: Path) -> None:
    """As other writers leave them: pyiceberg itself tells of removed files in a manifest of their own."""
    remove(table(folder), {ALICE})
    table(folder).purge(retention=NOTHING, at=now())
    current = held(folder).current_snapshot()
    for manifest in current.manifests(held(folder).io):
        entries = manifest.fetch_manifest_entry(held(folder).io, discard_deleted=False)
        assert {one.status for one in entries} <= {ManifestEntryStatus.ADDED, ManifestEntryStatus.EXISTING}


def test_keys_that_are_numbers_are_told_from_other_numbers(tmp_path: Path) -> None:
    """4 is a person, a number of rows and a part of many sizes and times."""
    place = catalog(tmp_path / "w")
    place.create_namespace("social")
    numbered = ROWS.set_column(0, "person", pa.array([4, 5, None, 6]))
    place.create_table(NAME, numbered.schema).append(numbered)
    connector = table(tmp_path / "w")
    remove(connector, {"4"})
    found = {trace.kind for trace in connector.residue({"4"}, retention=NOTHING, at=now()).found}
    assert found == {"old_version", "statistics"}
    connector.purge(retention=NOTHING, at=now())
    assert connector.residue({"4"}, retention=NOTHING, at=now()).found == ()
    assert connector.residue({"5"}, retention=NOTHING, at=now()).found
    assert places(tmp_path, SECRET) == []


def test_long_keys_are_recognised_in_bounds_that_were_cut(tmp_path: Path) -> None:
    long = "member-0123456789-alice"
    held_table = made(tmp_path / "w")
    held_table.append(ROWS.set_column(0, "person", pa.array([long, None, None, None], pa.string())))
    connector = table(tmp_path / "w")
    remove(connector, {long})
    assert "statistics" in {trace.kind for trace in connector.residue({long}, retention=NOTHING, at=now()).found}
    connector.purge(retention=NOTHING, at=now())
    assert places(data(tmp_path / "w"), long[:15]) == []
    assert connector.residue({long}, retention=NOTHING, at=now()).found == ()


def test_a_file_that_another_writer_has_not_committed_yet_is_left(folder: Path) -> None:
    copy = data(folder) / "data" / "other.parquet"
    copy.write_bytes(next(data(folder).rglob("*.parquet")).read_bytes())
    remove(table(folder), {ALICE})
    table(folder).purge(retention=NOTHING, at=now())
    left = table(folder).residue({ALICE}, retention=NOTHING, at=now())
    assert [trace.place for trace in left.found] == ["data/other.parquet"]
    assert left.kept_until is not None
    table(folder).purge(retention=NOTHING, at=left.kept_until)
    assert places(folder, ALICE, SECRET) == []
