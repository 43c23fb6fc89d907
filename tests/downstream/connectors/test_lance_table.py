"""Tables of Lance keep the contract; what stays in their files is searched, and gone after a purge."""

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import lance
import lancedb
import pyarrow as pa
import pytest

from downstream.connectors import lance_purging, open_connector
from downstream.connectors.base import ConnectorError, ReadsRows, Trace
from tests.downstream.connectors.contract import (
    ALICE,
    BOB,
    MORE,
    POSTS,
    ConnectorContract,
    remove,
    stage_first,
    unfenced,
)
from tests.downstream.connectors.lance_grounds import LanceGround, places

AT_ONCE: dict[str, Any] = {"retention": timedelta(), "at": datetime(2100, 1, 1, tzinfo=UTC)}
NUMBER = 98765.25
SCALAR = {"person": ["BTREE", "BITMAP", "ZONEMAP", "BLOOMFILTER"], "text": ["INVERTED", "NGRAM"]}


class TestLance(ConnectorContract):
    @pytest.fixture
    def ground(self, tmp_path: Path) -> LanceGround:
        return LanceGround(tmp_path)


@pytest.fixture
def ground(tmp_path: Path) -> LanceGround:
    return LanceGround(tmp_path)


@pytest.fixture
def posts(ground: LanceGround) -> LanceGround:
    ground.put("a", POSTS)
    return ground


@pytest.fixture
def indexed(ground: LanceGround) -> LanceGround:
    """Some hundred rows in three fragments, and every kind of index."""
    people = [ALICE if number % 100 == 7 else f"m_{number}" for number in range(400)]
    table = pa.table(
        {
            "person": people,
            "text": ["quagmire and zeppelins" if one == ALICE else f"line of {one}" for one in people],
            "vector": pa.array(
                [[NUMBER if one == ALICE else float(n), 1.0, 2.0, 3.0] for n, one in enumerate(people)],
                pa.list_(pa.float32(), 4),
            ),
        }
    )
    made = lance.write_dataset(table, str(ground.path), max_rows_per_file=150)
    for column, kinds in SCALAR.items():
        for kind in kinds:
            made.create_scalar_index(column, kind, name=kind.lower())
    made.create_index("vector", "IVF_FLAT", name="flat", num_partitions=2)
    made.create_index("vector", "IVF_HNSW_SQ", name="hnsw", num_partitions=2)
    return ground


def nearest(ground: LanceGround) -> list[str]:
    table = lancedb.connect(str(ground.path.parent)).open_table("a")
    return [row["person"] for row in table.search([NUMBER, 1.0, 2.0, 3.0]).limit(3).to_list()]


def everywhere(ground: LanceGround) -> set[str]:
    return {
        *places(ground.path, text=ALICE),
        *places(ground.path, text="quagmire"),
        *places(ground.path, text="zeppelin"),
        *places(ground.path, number=NUMBER),
    }


def test_a_person_is_in_files_and_indexes_until_the_table_is_purged(indexed: LanceGround) -> None:
    assert everywhere(indexed) == {"data", "_indices"}
    assert ALICE in nearest(indexed)
    rest = [row for row in indexed.read()["a"] if row["person"] != ALICE]
    connector = indexed.connector()
    remove(connector, {ALICE})
    assert ALICE not in nearest(indexed)
    assert everywhere(indexed) == {"data", "_indices"}
    found = connector.residue({ALICE}, **AT_ONCE)
    assert {trace.kind for trace in found.found} == {"old_version", "index"}
    connector.purge(**AT_ONCE)
    assert everywhere(indexed) == set()
    assert connector.residue({ALICE}, **AT_ONCE).found == ()
    assert indexed.read()["a"] == rest
    assert nearest(indexed)


def test_every_index_is_there_after_a_purge_and_knows_all_rows(indexed: LanceGround) -> None:
    connector = indexed.connector()
    remove(connector, {ALICE})
    before = {(one.name, one.index_type) for one in lance.dataset(str(indexed.path)).describe_indices()}
    connector.purge(**AT_ONCE)
    table = lance.dataset(str(indexed.path))
    after = {(one.name, one.index_type, one.num_rows_indexed) for one in table.describe_indices()}
    assert after == {(name, kind, 396) for name, kind in before}
    assert table.to_table(filter="person = 'm_8'").num_rows == 1
    assert table.to_table(full_text_query="line").num_rows == 396


def test_no_key_is_written_into_the_log_of_the_table(indexed: LanceGround) -> None:
    remove(indexed.connector(), {ALICE})
    assert {"_transactions", "_versions"}.isdisjoint(places(indexed.path, text=ALICE))
    lance.dataset(str(indexed.path)).delete("person = 'm_12345'")
    assert {"_transactions", "_versions"} <= set(places(indexed.path, text="m_12345"))
    assert "log" in {one.kind for one in indexed.connector().residue({"m_12345"}, **AT_ONCE).found}


def test_the_same_number_in_another_column_is_no_residue(ground: LanceGround) -> None:
    ground.put("a", pa.table({"person": pa.array([7, 8], pa.int64()), "n": pa.array([8, 7], pa.int64())}))
    lance.dataset(str(ground.path)).create_scalar_index("n", "BTREE", name="n")
    connector = ground.connector()
    remove(connector, {"7"})
    assert connector.residue({"7"}, **AT_ONCE).found
    connector.purge(**AT_ONCE)
    assert connector.residue({"7"}, **AT_ONCE).found == ()
    assert connector.residue({"8"}, **AT_ONCE).found


def test_old_versions_stay_as_long_as_the_table_keeps_them(posts: LanceGround) -> None:
    connector, now = posts.connector(), datetime.now(UTC)
    remove(connector, {ALICE})
    connector.purge(retention=None, at=now + timedelta(days=13))
    residue = connector.residue({ALICE}, retention=None, at=now)
    assert {one.kind for one in residue.found} == {"old_version"}
    assert residue.kept_until is not None
    assert residue.kept_until - now > timedelta(days=13)
    connector.purge(retention=timedelta(days=1), at=now + timedelta(days=2))
    assert connector.residue({ALICE}, retention=None, at=now).found == ()


@pytest.mark.parametrize(
    ("text", "kept"), [("7d", timedelta(days=7)), ("1w 12h", timedelta(days=7, hours=12)), ("", None), ("soon", None)]
)
def test_the_tables_own_retention_is_read(text: str, kept: timedelta | None) -> None:
    assert lance_purging.configured(text) == kept


def test_a_tag_that_holds_a_version_is_told(posts: LanceGround) -> None:
    table = lance.dataset(str(posts.path))
    table.tags.create("frozen", table.version)
    connector = posts.connector()
    remove(connector, {ALICE})
    connector.purge(**AT_ONCE)
    residue = connector.residue({ALICE}, **AT_ONCE)
    assert {one.kind for one in residue.found} == {"old_version"}
    assert any("frozen" in one for one in residue.unreachable)


def test_files_of_another_writer_who_has_not_committed_stay(posts: LanceGround) -> None:
    (posts.path / "data" / "not-yet-committed.lance").write_bytes(b"somebody's")
    connector = posts.connector()
    remove(connector, {ALICE})
    connector.purge(**AT_ONCE)
    assert (posts.path / "data" / "not-yet-committed.lance").exists()


def test_purging_twice_and_where_nothing_was_removed_changes_nothing(indexed: LanceGround) -> None:
    connector = indexed.connector()
    connector.purge(**AT_ONCE)
    indexes = sorted(os.listdir(indexed.path / "_indices"))
    connector.purge(**AT_ONCE)
    assert sorted(os.listdir(indexed.path / "_indices")) == indexes


def test_rows_that_others_append_meanwhile_stay(posts: LanceGround) -> None:
    connector = posts.connector()
    staged = stage_first(connector, {ALICE})
    lance.write_dataset(MORE, str(posts.path), mode="append")
    connector.commit(staged, fence=unfenced)
    assert connector.unit_state(staged) == "new"
    assert [row["person"] for row in posts.read()["a"]] == [BOB, None, "m_charlie", BOB, "m_charlie"]


def test_rows_of_the_same_fragment_that_others_delete_meanwhile_are_no_harm(posts: LanceGround) -> None:
    connector = posts.connector()
    staged = stage_first(connector, {ALICE})
    lance.dataset(str(posts.path)).delete("text = 'c'")
    with pytest.raises(ConnectorError) as refused:
        connector.commit(staged, fence=unfenced)
    assert (refused.value.code, refused.value.permanent) == ("source_changed", False)
    remove(connector, {ALICE})
    assert [row["person"] for row in posts.read()["a"]] == [BOB, None]


def test_a_holder_that_was_swept_right_before_its_commit_is_refused_by_lance(posts: LanceGround) -> None:
    connector = posts.connector()
    staged = stage_first(connector, {ALICE})
    plan = (posts.path / staged.temporary).read_bytes()

    def asleep() -> None:
        assert posts.connector().sweep() == [staged.temporary]
        (posts.path / staged.temporary).write_bytes(plan)

    with pytest.raises(ConnectorError) as refused:
        connector.commit(staged, fence=asleep)
    assert not refused.value.permanent
    assert len(posts.read()["a"]) == 5


def test_many_rows_go_from_many_fragments(ground: LanceGround) -> None:
    people = [f"m_{number % 50}" for number in range(30_000)]
    lance.write_dataset(pa.table({"person": people}), str(ground.path), max_rows_per_file=4_000)
    connector = ground.connector()
    keys = {f"m_{number}" for number in range(45)}
    (staged,) = remove(connector, keys)
    assert (staged.rows_removed, staged.rows_after) == (27_000, 3_000)
    (again,) = remove(connector, {"m_45", "m_46", "m_47", "m_48", "m_49"})
    assert (again.rows_removed, again.rows_after) == (3_000, 0)
    connector.purge(**AT_ONCE)
    assert connector.verify(keys).rows == 0


def test_rows_are_counted_by_what_they_say(ground: LanceGround) -> None:
    ground.put("a", pa.table({"person": [ALICE, BOB, BOB], "usage": ["train-ai=n", "train-ai=n", None]}))
    connector = open_connector("lance_table", str(ground.path), "person", {"content_usage_column": "usage"})
    connector.describe()
    found = {(one.content_usage, one.rows, one.of_keys) for one in connector.statements({ALICE})}
    assert found == {("train-ai=n", 2, 1), (None, 1, 0)}


def test_a_table_whose_rows_lie_elsewhere_is_refused(posts: LanceGround, tmp_path: Path) -> None:
    lance.dataset(str(posts.path)).shallow_clone(str(tmp_path / "clone.lance"), 1)
    clone = open_connector("lance_table", str(tmp_path / "clone.lance"), "person", {})
    with pytest.raises(ConnectorError) as refused:
        clone.describe()
    assert (refused.value.code, refused.value.permanent) == ("table_branches", True)


def test_a_damaged_file_waits_for_a_person(posts: LanceGround) -> None:
    for file in (posts.path / "data").iterdir():
        file.write_bytes(b"not Lance")
    with pytest.raises(ConnectorError) as refused:
        list(posts.connector().find({ALICE}))
    assert (refused.value.code, refused.value.permanent) == ("dataset_unreadable", True)
    assert ALICE not in refused.value.message


def test_rows_that_came_back_are_residue(posts: LanceGround) -> None:
    found = posts.connector().residue({ALICE}, **AT_ONCE).found
    assert [one.kind for one in found] == ["old_version"]
    assert isinstance(found[0], Trace)


def test_a_persons_rows_hold_their_vectors(indexed: LanceGround) -> None:
    connector = indexed.connector()
    assert isinstance(connector, ReadsRows)
    rows = [row.values for row in connector.rows({ALICE})]
    assert [row["person"] for row in rows] == [ALICE] * 4
    assert rows[0]["vector"] == [NUMBER, 1.0, 2.0, 3.0]


def test_thousands_of_rows_are_told_by_their_addresses(ground: LanceGround) -> None:
    ground.put("a", pa.table({"person": [ALICE, BOB] * 2_500, "n": list(range(5_000))}))
    connector = ground.connector()
    assert isinstance(connector, ReadsRows)
    assert sorted(row.values["n"] for row in connector.rows({ALICE})) == list(range(0, 5_000, 2))
