"""What is particular to folders of Parquet files."""

import os
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from downstream.connectors import open_connector
from downstream.connectors.base import Connector, ConnectorError
from tests.downstream.connectors.contract import ALICE, BOB, POSTS, remove, stage_first, unfenced
from tests.downstream.connectors.grounds import rows


def connector(folder: Path) -> Connector:
    return open_connector("parquet_folder", str(folder), "person", {})


def put(path: Path, table: pa.Table = POSTS) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(table, path)
    return path


def refused(act: Callable[[], object]) -> ConnectorError:
    with pytest.raises(ConnectorError) as raised:
        act()
    return raised.value


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "posts"
    put(folder / "a.parquet")
    return folder


def test_a_file_is_no_folder(folder: Path) -> None:
    error = refused(connector(folder / "a.parquet").describe)
    assert (error.code, error.permanent) == ("not_a_folder", True)


def test_a_folder_of_other_files_is_refused(tmp_path: Path) -> None:
    (tmp_path / "posts.csv").write_text("person,text\n")
    error = refused(connector(tmp_path).describe)
    assert (error.code, error.permanent) == ("not_parquet", True)


def test_a_file_that_says_it_is_parquet_and_is_not_is_refused(folder: Path) -> None:
    (folder / "b.parquet").write_text("person,text\n")
    error = refused(connector(folder).describe)
    assert (error.code, error.permanent) == ("not_parquet", True)
    assert "b.parquet" in error.message


def test_other_files_beside_are_left_alone(folder: Path) -> None:
    (folder / "README.md").write_text("m_alice")
    (folder / "_SUCCESS").touch()
    assert connector(folder).describe().files == 1
    remove(connector(folder), {ALICE})
    assert (folder / "README.md").read_text() == "m_alice"


def test_files_at_any_depth_and_of_any_name_are_reached(folder: Path) -> None:
    names = ["year=2024/month=9/0.parquet", "B.PARQUET", "part-0", ".hidden.parquet", ".hidden/c.pq", "d[1]*.parquet"]
    for name in names:
        put(folder / name)
    staged = remove(connector(folder), {ALICE})
    assert sorted(one.unit for one in staged) == sorted(["a.parquet", *names])
    for name in names:
        assert ALICE not in {row["person"] for row in pq.ParquetFile(folder / name).read().to_pylist()}


def test_schemas_that_disagree_on_the_key_are_refused(folder: Path) -> None:
    put(folder / "b.parquet", pa.table({"person": [1]}))
    error = refused(connector(folder).describe)
    assert (error.code, error.permanent) == ("schemas_disagree", True)
    assert "a.parquet" in error.message
    assert "b.parquet" in error.message


def test_other_columns_may_differ(folder: Path) -> None:
    put(folder / "b.parquet", pa.table({"likes": [1], "person": pa.array([ALICE], pa.large_string())}))
    assert connector(folder).describe().rows == 6
    assert [one.rows_removed for one in remove(connector(folder), {ALICE})] == [2, 1]


def test_what_could_not_be_rewritten_is_refused_at_the_test_of_the_connection(folder: Path) -> None:
    table = pa.table({"person": [BOB], "at": pa.array([1], pa.timestamp("ns"))})
    pq.write_table(table, folder / "b.parquet", use_deprecated_int96_timestamps=True)
    error = refused(connector(folder).describe)
    assert (error.code, error.permanent) == ("unsupported_int96", True)


@pytest.mark.parametrize("log", ["_delta_log/0.json", ".hoodie/hoodie.properties", "metadata/v1.metadata.json"])
def test_tables_with_a_log_of_their_files_are_refused(folder: Path, log: str) -> None:
    (folder / log).parent.mkdir()
    (folder / log).write_text("{}")
    error = refused(connector(folder).describe)
    assert (error.code, error.permanent) == ("table_format", True)


def test_a_summary_of_all_files_is_refused(folder: Path) -> None:
    put(folder / "_metadata")
    error = refused(connector(folder).describe)
    assert (error.code, error.permanent) == ("summary_file", True)


def test_what_a_writer_has_not_finished_is_not_looked_at(folder: Path) -> None:
    (folder / "_temporary/0").mkdir(parents=True)
    (folder / "_temporary/0/part-0.parquet").write_bytes(b"PAR1")
    assert connector(folder).describe().files == 1


class TestLinks:
    def test_a_link_to_a_file_of_the_folder_is_passed_over(self, folder: Path) -> None:
        (folder / "latest.parquet").symlink_to("a.parquet")
        assert [one.unit for one in remove(connector(folder), {ALICE})] == ["a.parquet"]
        assert (folder / "latest.parquet").is_symlink()

    @pytest.mark.parametrize("target", ["../elsewhere/b.parquet", "../elsewhere", "nowhere"])
    def test_a_link_out_of_the_folder_or_to_nothing_is_refused(self, folder: Path, target: str) -> None:
        put(folder.parent / "elsewhere/b.parquet")
        (folder / "link").symlink_to(target)
        error = refused(connector(folder).describe)
        assert (error.code, error.permanent) == ("link_leaves_folder", True)

    def test_a_folder_that_became_a_link_is_not_followed(self, folder: Path) -> None:
        put(folder / "part/b.parquet")
        staged = stage_first(connector(folder), {BOB})
        staged = next(
            connector(folder).stage(one, {BOB}, token="run-1")
            for one in connector(folder).find({BOB})
            if one.unit != staged.unit
        )
        (folder / "part").rename(folder.parent / "moved")
        (folder / "part").symlink_to("../moved")
        error = refused(lambda: connector(folder).commit(staged, fence=unfenced))
        assert error.code == "link_leaves_folder"

    def test_the_folder_itself_may_be_a_link(self, folder: Path) -> None:
        (folder.parent / "link").symlink_to("posts")
        assert connector(folder.parent / "link").describe().files == 1

    def test_other_names_of_the_old_bytes_are_told(self, folder: Path) -> None:
        assert stage_first(connector(folder), {ALICE}).links == 1
        os.link(folder / "a.parquet", folder.parent / "kept.parquet")
        assert stage_first(connector(folder), {ALICE}).links == 2


class TestTheSwap:
    def test_mode_and_owner_and_attributes_stay(self, folder: Path) -> None:
        path = folder / "a.parquet"
        path.chmod(0o640)
        if os.geteuid() == 0:
            os.chown(path, 12345, 54321)
        before = path.stat()
        remove(connector(folder), {ALICE})
        after = path.stat()
        assert (after.st_mode, after.st_uid, after.st_gid) == (before.st_mode, before.st_uid, before.st_gid)
        assert after.st_mtime_ns > before.st_mtime_ns

    def test_a_reader_that_has_the_file_open_reads_on(self, folder: Path) -> None:
        with pq.ParquetFile(folder / "a.parquet") as reader:
            remove(connector(folder), {ALICE})
            assert reader.read().num_rows == 5

    def test_a_new_version_is_private_and_hidden_and_names_nobody(self, folder: Path) -> None:
        staged = stage_first(connector(folder), {ALICE})
        assert staged.temporary.startswith(".heed-run-1-")
        assert staged.temporary.endswith(".tmp")
        assert [path.name for path in folder.glob("*.parquet")] == ["a.parquet"]
        assert pq.read_table(folder).num_rows == 5

    def test_a_checksum_of_the_old_file_goes(self, folder: Path) -> None:
        (folder / ".a.parquet.crc").write_bytes(b"crc\0")
        remove(connector(folder), {ALICE})
        assert not (folder / ".a.parquet.crc").exists()

    def test_an_edit_of_equal_size_is_noticed(self, folder: Path) -> None:
        staged = stage_first(connector(folder), {ALICE})
        data = (folder / "a.parquet").read_bytes()
        time.sleep(0.01)
        (folder / "a.parquet").write_bytes(data[:4] + b"\0" + data[5:])
        error = refused(lambda: connector(folder).commit(staged, fence=unfenced))
        assert (error.code, error.permanent) == ("source_changed", False)
        assert connector(folder).unit_state(staged) == "changed"

    def test_the_lease_is_asked_for_last(self, folder: Path) -> None:
        staged = stage_first(connector(folder), {ALICE})
        seen: list[bool] = []
        connector(folder).commit(staged, fence=lambda: seen.append((folder / staged.temporary).exists()))
        assert seen == [True]

    def test_sweeping_takes_only_what_is_ours(self, folder: Path) -> None:
        kept = [".heed-run-1-nothex.tmp", "x.tmp", ".heed-run-1-0123456789abcdef.tmp.parquet"]
        for name in kept[:2]:
            (folder / name).touch()
        put(folder / kept[2])
        ours = folder / "deep/.heed-run-1-0123456789abcdef.tmp"
        ours.parent.mkdir()
        ours.touch()
        assert connector(folder).sweep() == ["deep/.heed-run-1-0123456789abcdef.tmp"]
        assert all((folder / name).exists() for name in kept)

    @pytest.mark.parametrize("token", ["", "../x", "a/b", "a b", "x" * 65])
    def test_a_token_that_is_no_name_is_refused(self, folder: Path, token: str) -> None:
        finding = next(connector(folder).find({ALICE}))
        with pytest.raises(ValueError, match="token"):
            connector(folder).stage(finding, {ALICE}, token=token)


def test_a_damaged_file_does_not_keep_the_good_ones_from_being_found(folder: Path) -> None:
    put(folder / "c.parquet")
    plain = pa.table({"person": [f"m_{n}" for n in range(100)]})
    pq.write_table(plain, folder / "b.parquet", compression="none", use_dictionary=False)
    data = bytearray((folder / "b.parquet").read_bytes())
    data[4:60] = b"\xff" * 56
    (folder / "b.parquet").write_bytes(bytes(data))
    found = connector(folder).find({ALICE})
    assert [next(found).unit, next(found).unit] == ["a.parquet", "c.parquet"]
    error = refused(lambda: next(found))
    assert (error.code, error.permanent) == ("dataset_unreadable", True)
    assert "b.parquet" in error.message
    assert connector(folder).manifest().files == 3


def test_removed_rows_are_gone_for_other_readers(folder: Path) -> None:
    remove(connector(folder), {ALICE})
    assert [row["person"] for row in rows(folder / "a.parquet")] == [BOB, None, "m_charlie"]
    assert pq.read_table(folder).column("person").to_pylist() == [BOB, None, "m_charlie"]
    assert ALICE.encode() not in (folder / "a.parquet").read_bytes()


class TestKeysInStructs:
    def nested(self, people: list[str | None], *, deep: bool = False) -> pa.Table:
        inner: list[dict[str, object] | None] = [{"id": one, "also": BOB} for one in people]
        if deep:
            inner = [one and {"account": one} for one in inner]
        inner[-1] = None
        return pa.table({"n": range(len(people)), "author": inner, "id": [ALICE] * len(people)})

    @pytest.mark.parametrize("key", ["author.id", "author.account.id"])
    def test_they_are_found_and_go(self, folder: Path, key: str) -> None:
        (folder / "a.parquet").unlink()
        put(folder / "b.parquet", self.nested([ALICE, BOB, None, ALICE, BOB], deep=key.count(".") > 1))
        there = open_connector("parquet_folder", str(folder), key, {})
        assert there.describe().rows == 5
        assert [one.rows_per_key for one in there.find({ALICE})] == [{ALICE: 2}]
        remove(there, {ALICE})
        assert [row["n"] for row in rows(folder / "b.parquet")] == [1, 2, 4]
        assert there.verify({ALICE}).rows_found == 0

    def test_a_column_of_that_very_name_comes_first(self, folder: Path) -> None:
        table = self.nested([ALICE, BOB]).append_column("author.id", pa.array([BOB, ALICE]))
        put(folder / "a.parquet", table)
        remove(open_connector("parquet_folder", str(folder), "author.id", {}), {ALICE})
        assert [row["n"] for row in rows(folder / "a.parquet")] == [0]

    def test_lists_of_people_are_refused(self, folder: Path) -> None:
        put(folder / "a.parquet", pa.table({"authors": [[ALICE, BOB]], "more": [[{"id": ALICE}]]}))
        for key in ("authors", "more.id"):
            error = refused(open_connector("parquet_folder", str(folder), key, {}).describe)
            assert error.code == "key_column_unsupported"
            assert "list<" in error.message


class TestPartitions:
    def test_files_in_folders_of_other_values_are_cleaned(self, folder: Path) -> None:
        put(folder / "year=2024/lang=en/0.parquet")
        put(folder / "year=2024/lang=__HIVE_DEFAULT_PARTITION__/0.parquet")
        assert len(remove(connector(folder), {ALICE})) == 3
        found = pq.read_table(folder / "year=2024", partitioning="hive")
        assert ALICE not in found["person"].to_pylist()
        assert set(found["lang"].to_pylist()) == {"en", None}

    def test_folders_named_after_people_are_refused_without_naming_them(self, folder: Path) -> None:
        put(folder / f"person={ALICE}/0.parquet", pa.table({"text": ["a"]}))
        error = refused(connector(folder).describe)
        assert (error.code, error.permanent) == ("key_in_path", True)
        assert ALICE not in error.message


def test_keys_too_short_for_a_search_of_bytes_are_told_where_there_is_something_to_search(folder: Path) -> None:
    at = datetime.now(UTC)
    assert connector(folder).residue({"7", "m_zoe"}, retention=None, at=at).not_searched == 0
    (folder / "notes.txt").write_text("7")
    assert connector(folder).residue({"7", "m_zoe"}, retention=None, at=at).not_searched == 1


def test_a_schema_alone_is_no_file_that_cannot_be_opened(folder: Path) -> None:
    pq.write_metadata(POSTS.schema, folder / "_common_metadata")
    assert connector(folder).residue({"m_zoe"}, retention=None, at=datetime.now(UTC)).found == ()
