"""With an index and without, the same rows are found; and what was not read again is told."""

import itertools
import os
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from downstream.connectors import file_looks, open_connector
from downstream.connectors.base import WHOLE, Connector, ConnectorError, Spans
from downstream.connectors.file_folder import FileFolder
from downstream.engines import parquet_files, record_engine
from downstream.engines.base import DataFile
from downstream.stores.objects import ObjectStore
from downstream.subject_index import Place
from tests.downstream.connectors.contract import ALICE, BOB, MAY, MORE, POSTS, UNDERTAKEN, of, remove
from tests.downstream.connectors.grounds import IndexedBucketGround
from tests.downstream.stores import a_bucket

PEOPLE = ["m_alice", "m_bob", "m_eve", None]
CLOCK = itertools.count(1)


class Folder:
    """A folder of Parquet files in row groups of two, and its index beside it."""

    def __init__(self, place: Path) -> None:
        self.files, self.index = place / "posts", place / "index"
        self.files.mkdir()

    def write(self, name: str, people: list[str | None]) -> None:
        made = pa.array([MAY] * len(people), pa.timestamp("us", "UTC"))
        table = pa.table({"person": pa.array(people, pa.string()), "made": made})
        pq.write_table(table, self.files / name, row_group_size=2)
        self.stamp(name)

    def stamp(self, name: str) -> None:
        """A time that no version had before, however fast they follow each other."""
        os.utime(self.files / name, ns=(0, next(CLOCK)))

    def connector(self, *, by_index: bool = True, full_look_due: bool = False, least_files: int = 0) -> FileFolder:
        connector = open_connector("parquet_folder", str(self.files), "person", {"created_column": "made"})
        assert isinstance(connector, FileFolder)
        if by_index:
            connector.use_index(Place(self.index, b"s" * 32, full_look_due, least_files, least_size=2**30))
        return connector

    def groups(self, name: str, keys: set[str]) -> tuple[int, ...]:
        """Read back without Heed's own code."""
        file = pq.ParquetFile(self.files / name)
        read = [file.read_row_group(number)["person"].to_pylist() for number in range(file.num_row_groups)]
        return tuple(number for number, people in enumerate(read) if keys.intersection(people))

    def segments(self) -> list[Path]:
        return sorted(self.index.glob("*.segment"))


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    made = Folder(tmp_path)
    made.write("a", ["m_alice", "m_bob", "m_bob"])
    made.write("b", ["m_bob", "m_eve"])
    made.write("c", ["m_eve"])
    return made


@pytest.fixture(autouse=True)
def changes_are_told_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each version has a time of its own here (`stamp`), so none has to grow old before it is relied on."""
    monkeypatch.setattr("downstream.subject_index.building._FINE", -(2**40))


def found(connector: Connector, keys: set[str], spans: Spans = WHOLE) -> Any:
    told = []
    try:
        for one in connector.find(keys, spans):
            told.append((one.unit, one.fingerprint, one.rows, one.matching, one.rows_per_key))
    except ConnectorError as failure:
        return told, failure.code
    return told, None


def verified(connector: Connector, keys: set[str], spans: Spans = WHOLE) -> Any:
    try:
        looked = connector.verify(keys, spans)
    except ConnectorError as failure:
        return failure.code
    return looked.rows_found, looked.rows, looked.files, looked.digest


NAMES = st.sampled_from(["a", "b", "c"])
ACTS = st.one_of(
    st.tuples(st.just("write"), NAMES, st.lists(st.sampled_from(PEOPLE), max_size=7)),
    st.tuples(st.just("delete"), NAMES, st.none()),
    st.tuples(st.just("break"), NAMES, st.none()),
    st.tuples(st.just("remove"), st.none(), st.sets(st.sampled_from(PEOPLE[:3]), max_size=2)),
    st.tuples(st.just("lose"), st.none(), st.integers(0, 5)),
    st.tuples(st.just("tear"), st.none(), st.integers(0, 500)),
    st.tuples(st.just("look"), st.none(), st.sets(st.sampled_from([*PEOPLE[:3], "m_nobody"]))),
)


def act(folder: Folder, what: str, name: str, how: Any) -> None:
    if what == "write":
        folder.write(name, how)
    elif what == "delete":
        (folder.files / name).unlink(missing_ok=True)
    elif what == "break":
        (folder.files / name).write_bytes(b"PAR1PAR1")
        folder.stamp(name)
    elif what == "remove":
        try:
            for staged in remove(folder.connector(), how):
                folder.stamp(staged.unit)
        except ConnectorError:
            pass
    for number, segment in enumerate(folder.segments()):
        if what == "lose" and number == how % 3:
            segment.unlink()
        if what == "tear":
            content = segment.read_bytes()
            at = how % len(content)
            segment.write_bytes(content[:at] if how % 2 else content[:at] + b"\x5a" + content[at + 1 :])


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(ACTS, min_size=1, max_size=8), st.sets(st.sampled_from([*PEOPLE[:3], "m_nobody"]), min_size=1))
def test_whatever_happens_to_files_and_index_both_ways_find_the_same(acts: list[Any], keys: set[str]) -> None:
    with tempfile.TemporaryDirectory() as place:
        folder = Folder(Path(place))
        folder.write("a", PEOPLE)
        for what, name, how in acts:
            act(folder, what, name, how)
            if what == "look":
                assert found(folder.connector(), how) == found(folder.connector(by_index=False), how)
        indexed, plain = folder.connector(), folder.connector(by_index=False)
        assert verified(indexed, keys) == verified(plain, keys)
        assert found(indexed, keys) == found(plain, keys)
        assert found(indexed, set(), of(keys)) == found(plain, set(), of(keys))
        # once more, with every segment made
        assert verified(indexed, set(), of(keys)) == verified(plain, set(), of(keys))
        assert verified(indexed, keys) == verified(plain, keys)


@pytest.mark.parametrize("most", [200, 0])
def test_findings_name_the_row_groups(folder: Folder, most: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(file_looks, "MOST_KEYS", most)
    told = list(folder.connector().find({"m_bob"}))
    assert [(one.unit, one.groups) for one in told] == [("a", (0, 1)), ("b", (0,))]
    assert all(one.groups == folder.groups(one.unit, {"m_bob"}) for one in told)
    assert [one.groups for one in folder.connector(by_index=False).find({"m_bob"})] == [None, None]


def test_verifying_reads_what_is_new_and_says_what_it_did_not_read(folder: Folder) -> None:
    assert folder.connector().verify({"m_alice"}).by_index == 0
    assert folder.connector().verify({"m_alice"}).by_index == 3
    folder.write("b", ["m_alice"])
    folder.write("d", ["m_alice"])
    looked = folder.connector().verify({"m_alice"})
    assert (looked.by_index, looked.rows_found, looked.files) == (2, 3, 4)


def test_what_has_not_changed_is_not_opened(folder: Folder, read_files: list[str]) -> None:
    folder.connector().verify({"m_nobody"})
    read_files.clear()
    folder.connector().verify({"m_nobody"})
    folder.connector().manifest()
    list(folder.connector().find({"m_nobody"}))
    assert read_files == []
    folder.write("b", ["m_bob"])
    folder.connector().verify({"m_nobody"})
    assert set(read_files) == {"b"}


@pytest.fixture
def read_files(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of files whose content was looked at, by whichever reader."""
    seen: list[str] = []
    original = parquet_files._footer

    def watched(file: Any, stream: Any) -> bytes:
        seen.append(file.name)
        return original(file, stream)

    monkeypatch.setattr(parquet_files, "_footer", watched)
    return seen


def test_a_full_look_reads_everything_again(folder: Folder) -> None:
    folder.connector().verify({"m_alice"})
    assert folder.connector(full_look_due=True).verify({"m_alice"}).by_index == 0
    assert folder.connector().verify({"m_alice"}).by_index == 3


def test_for_many_people_everything_is_read_again(folder: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(file_looks, "MOST_KEYS", 2)
    folder.connector().verify({"m_alice"})
    assert folder.connector().verify({"m_alice", "m_bob"}).by_index == 3
    assert folder.connector().verify({"m_alice", "m_bob", "m_eve"}).by_index == 0
    assert folder.connector().verify({"m_alice", "m_bob"}, of({"m_eve"})).by_index == 0


def test_a_changed_file_that_no_fingerprint_tells_of_is_found_by_the_full_look(
    folder: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("downstream.stores.folders.fingerprint_of", lambda stat: "always the same")
    folder.connector().verify({"m_alice"})
    folder.write("c", ["m_alice", "m_eve"])
    assert folder.connector().verify({"m_alice"}).rows_found == 1
    assert [one.unit for one in folder.connector().find({"m_alice"})] == ["a"]
    assert folder.connector(full_look_due=True).verify({"m_alice"}).rows_found == 2
    # so that trying again removes them
    assert [one.unit for one in folder.connector().find({"m_alice"})] == ["a", "c"]


def test_after_a_removal_the_index_is_that_of_the_new_files(folder: Folder) -> None:
    remove(folder.connector(), {"m_alice"})
    before = {one.name: one.read_bytes() for one in folder.segments()}
    folder.stamp("a")
    assert folder.connector().verify({"m_alice"}).rows_found == 0
    after = {one.name: one.read_bytes() for one in folder.segments()}
    assert len(after) == 3
    assert sum(after[name] != before.get(name) for name in after) == 1


def test_a_span_counts_as_without_an_index(folder: Folder) -> None:
    assert [one.rows_per_key for one in folder.connector().find(set(), of({"m_eve"}, UNDERTAKEN))] == [
        {"m_eve": 1},
        {"m_eve": 1},
    ]


def test_a_small_dataset_has_no_index(folder: Folder) -> None:
    small = folder.connector(least_files=4)
    assert small.verify({"m_alice"}).rows_found == 1
    assert small.index_holdings(rebuild=False) is None
    assert [one.groups for one in small.find({"m_alice"})] == [None]
    assert not folder.index.exists()


def test_of_a_dataset_that_became_small_nothing_is_remembered(folder: Folder) -> None:
    folder.connector(least_files=3).verify({"m_alice"})
    assert len(folder.segments()) == 3
    (folder.files / "c").unlink()
    folder.connector(least_files=3).verify({"m_alice"})
    assert folder.segments() == []


def test_really_old_files_need_no_stamp(folder: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    folder.connector().verify({"m_alice"})
    time.sleep(0.06)
    for name in "abc":
        # coarse clocks are waited for much longer
        assert (folder.files / name).stat().st_ctime_ns % 1_000_000_000
    folder.connector().verify({"m_alice"})
    assert folder.connector().verify({"m_alice"}).by_index == 3


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    with a_bucket.server() as address:
        yield address


@pytest.fixture
def bucket(endpoint: str, tmp_path: Path) -> IndexedBucketGround:
    """Two objects of Bob's, in the first of which Alice is too."""
    ground = IndexedBucketGround(endpoint, f"heed-{uuid.uuid4().hex}", tmp_path)
    ground.put("a", POSTS)
    ground.put("b", MORE)
    return ground


def fetched(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of objects that are brought here from now on."""
    names: list[str] = []
    original = ObjectStore.at_hand

    @contextmanager
    def watched(store: ObjectStore, wanted: Sequence[str]) -> Iterator[list[DataFile]]:
        names.extend(wanted)
        with original(store, wanted) as local:
            yield local

    monkeypatch.setattr(ObjectStore, "at_hand", watched)
    return names


def test_objects_that_have_not_changed_stay_where_they_are(
    bucket: IndexedBucketGround, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert bucket.connector().verify({ALICE}).rows_found == 2
    names = fetched(monkeypatch)
    looked = bucket.connector().verify({"m_nobody"})
    assert (looked.by_index, looked.rows, looked.digest) == (2, 7, bucket.connector().manifest().digest)
    assert names == []
    assert [one.rows_per_key for one in bucket.connector().find({ALICE})] == [{ALICE: 2}]
    assert set(names) == {"a"}


def test_people_leave_objects_by_index(bucket: IndexedBucketGround) -> None:
    bucket.connector().verify(set())
    assert [one.unit for one in remove(bucket.connector(), {ALICE})] == ["a"]
    looked = bucket.connector().verify({ALICE})
    assert (looked.rows_found, looked.rows, looked.by_index) == (0, 5, 1)


def test_an_object_that_cannot_be_brought_here_does_not_hide_the_others(
    bucket: IndexedBucketGround, monkeypatch: pytest.MonkeyPatch
) -> None:
    original = ObjectStore.at_hand

    def failing(store: ObjectStore, wanted: Sequence[str]) -> Any:
        if "a" in wanted:
            raise ConnectorError("store_unreachable", "a cannot be read now.", permanent=False)
        return original(store, wanted)

    monkeypatch.setattr(ObjectStore, "at_hand", failing)
    told, code = found(bucket.connector(), {BOB})
    assert ([unit for unit, *_ in told], code) == (["b"], "store_unreachable")


class TestFormatsWithoutFooters:
    """To tell their rows takes reading them, so that is done once for each version of a file."""

    @pytest.fixture
    def read(self, monkeypatch: pytest.MonkeyPatch) -> list[str]:
        """The names of files that were read for what they say about themselves."""
        names: list[str] = []
        inspect = record_engine.RecordEngine.inspect

        def counted(self: Any, file: DataFile, **options: Any) -> Any:
            names.append(file.name)
            return inspect(self, file, **options)

        monkeypatch.setattr(record_engine.RecordEngine, "inspect", counted)
        return names

    @pytest.fixture
    def posts(self, tmp_path: Path) -> Path:
        (tmp_path / "posts").mkdir()
        for name in ("a", "b"):
            self.put(tmp_path / "posts", name, 2)
        return tmp_path / "posts"

    def put(self, posts: Path, name: str, rows: int) -> None:
        (posts / f"{name}.jsonl").write_text('{"person": "m_alice"}\n' * rows)
        earlier = time.time() - 600 + next(CLOCK)
        os.utime(posts / f"{name}.jsonl", (earlier, earlier))

    def manifest(self, posts: Path, monkeypatch: pytest.MonkeyPatch, **options: Any) -> Any:
        connector = open_connector("jsonl_folder", str(posts), options.pop("key", "person"), {})
        assert isinstance(connector, FileFolder)
        # the file system's own clock of changes cannot be set back
        honest = time.time_ns
        with monkeypatch.context() as later:
            later.setattr(time, "time_ns", lambda: honest() + 600 * 10**9)
            connector.use_index(Place(posts.parent / "index", b"secret", **options))
            return connector.manifest()

    def test_only_what_is_new_or_another_is_read(
        self, posts: Path, read: list[str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        first = self.manifest(posts, monkeypatch)
        assert self.manifest(posts, monkeypatch) == first
        assert read == ["a.jsonl", "b.jsonl"]
        self.put(posts, "b", 3)
        self.put(posts, "c", 1)
        assert [one.rows for one in self.manifest(posts, monkeypatch).units] == [2, 3, 1]
        assert read[2:] == ["b.jsonl", "c.jsonl"]

    def test_a_full_look_or_another_way_of_reading_reads_all(
        self, posts: Path, read: list[str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        self.manifest(posts, monkeypatch)
        self.manifest(posts, monkeypatch, full_look_due=True)
        assert len(read) == 4
        self.manifest(posts, monkeypatch, key="id")
        assert len(read) == 6

    @pytest.mark.parametrize("damage", [b"", b"{}", b'{"make": 1, "files": []}', b"\xff"])
    def test_a_memory_that_is_damaged_is_made_anew(
        self, posts: Path, read: list[str], damage: bytes, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        first = self.manifest(posts, monkeypatch)
        (posts.parent / "index/headers.json").write_bytes(damage)
        assert self.manifest(posts, monkeypatch) == first
        assert len(read) == 4


def meanwhile(connector: FileFolder, monkeypatch: pytest.MonkeyPatch, act: Callable[[], object]) -> None:
    """Somebody does this after every file was looked at again and before the look is over."""
    again = connector._looks.again

    def interrupted(*of: Any) -> Any:
        answer = again(*of)
        act()
        return answer

    monkeypatch.setattr(connector._looks, "again", interrupted)


def test_a_folder_that_keeps_receiving_files_is_verified(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = Folder(tmp_path)
    folder.write("a", ["m_bob"])
    known = folder.connector(by_index=False)
    before = known.manifest()
    meanwhile(known, monkeypatch, lambda: folder.write("b", ["m_alice"]))
    looked = known.verify({"m_alice"})
    assert (looked.files, looked.rows, looked.digest, looked.manifest) == (1, 1, before.digest, before)
    assert known.manifest().files == 2


@pytest.mark.parametrize("is_gone", [True, False])
def test_a_file_that_changes_while_it_is_verified_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, is_gone: bool
) -> None:
    folder = Folder(tmp_path)
    folder.write("a", ["m_bob"])
    folder.write("b", ["m_bob"])
    known = folder.connector(by_index=False)
    meanwhile(known, monkeypatch, lambda: (folder.files / "b").unlink() if is_gone else folder.write("b", ["m_eve"]))
    with pytest.raises(ConnectorError) as told:
        known.verify({"m_alice"})
    assert (told.value.code, told.value.permanent) == ("source_changed", False)


@pytest.mark.parametrize("act", ["manifest", "verify"])
def test_an_error_that_passes_is_nothing_that_a_version_holds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, act: str
) -> None:
    folder = Folder(tmp_path)
    folder.write("a", ["m_bob"])
    known = folder.connector(by_index=False)

    def away(*_: Any) -> None:
        raise ConnectorError("store_away", "The store does not answer.", permanent=False)

    monkeypatch.setattr(known._looks, "_inspect", away)
    with pytest.raises(ConnectorError) as told:
        known.manifest() if act == "manifest" else known.verify({"m_alice"})
    assert told.value.code == "store_away"


def test_a_file_that_cannot_be_read_for_good_is_named_but_never_verified(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = Folder(tmp_path)
    folder.write("a", ["m_bob"])
    known = folder.connector(by_index=False)

    def broken(*_: Any) -> None:
        raise ConnectorError("not_parquet", "a is damaged.", permanent=True)

    monkeypatch.setattr(known._looks, "_inspect", broken)
    assert [unit.digest for unit in known.manifest().units] == ["not_parquet"]
    with pytest.raises(ConnectorError, match="damaged"):
        known.verify({"m_alice"})
