"""The index is kept current, never hides a row, and may be deleted, torn or foreign."""

import os
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from downstream.engines.base import Grouped
from downstream.engines.embedded import EmbeddedEngine
from downstream.engines.errors import ConnectorError
from downstream.engines.spans import WHOLE
from downstream.stores.base import Stored
from downstream.stores.local import LocalStore
from downstream.subject_index import Index, Place, building
from downstream.subject_index.confirming import Hit

SECOND = 1_000_000_000


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two files, of three and of two row groups; Alice is in the second group of the first."""
    place = tmp_path / "posts"
    place.mkdir()
    write(place / "a", ["m_bob", "m_bob", "m_alice", None, "m_bob"])
    write(place / "b", ["m_bob", "m_eve", "m_eve"])
    return place


def write(path: Path, people: list[str | None]) -> None:
    """A file in row groups of two."""
    pq.write_table(pa.table({"person": pa.array(people, pa.string())}), path, row_group_size=2)


class OldStore(LocalStore):
    """Its files seem to have changed a minute ago, unless told otherwise."""

    def __init__(self, location: str) -> None:
        super().__init__(location)
        self.age = 60 * SECOND

    def walk(self, *, unfinished: bool = False) -> list[Stored]:
        return [
            replace(one, changed_ns=(one.changed_ns or 0) - self.age) for one in super().walk(unfinished=unfinished)
        ]


@pytest.fixture
def store(folder: Path) -> OldStore:
    return OldStore(str(folder))


def index_of(store: OldStore, *, secret: bytes = b"s" * 32, key_column: str = "person") -> Index:
    engine = EmbeddedEngine()
    assert isinstance(engine, Grouped)
    return Index(Place(Path(store.location).with_name("index"), secret), store, engine, key_column)


def segments_in(store: OldStore) -> list[Path]:
    return sorted(Path(store.location).with_name("index").iterdir())


def names(store: OldStore, key: str, *, made: set[str] | None = None) -> dict[str, list[int] | None]:
    return index_of(store).candidates(store.walk(), {key}, made or set())


def test_every_file_is_read_once_and_then_only_what_changed(store: OldStore, folder: Path) -> None:
    index = index_of(store)
    assert sorted(index.refresh(store.walk())) == ["a", "b"]
    assert index_of(store).refresh(store.walk()) == {}
    write(folder / "b", ["m_alice"])
    assert sorted(index.refresh(store.walk())) == ["b"]


def test_it_names_the_row_groups_of_a_key(store: OldStore) -> None:
    index_of(store).refresh(store.walk())
    assert names(store, "m_alice") == {"a": [1], "b": []}
    assert names(store, "m_bob") == {"a": [0, 2], "b": [0]}
    assert names(store, "m_nobody") == {"a": [], "b": []}


def test_of_a_file_that_changed_it_knows_nothing(store: OldStore, folder: Path) -> None:
    index_of(store).refresh(store.walk())
    write(folder / "b", ["m_alice"])
    assert names(store, "m_alice") == {"a": [1], "b": None}


def test_a_file_of_the_same_size_and_time_is_told_by_its_inode(store: OldStore, folder: Path) -> None:
    index_of(store).refresh(store.walk())
    stat = (folder / "b").stat()
    write(folder / "new", ["m_bob", "m_alf", "m_alf"])
    os.utime(folder / "new", ns=(stat.st_atime_ns, stat.st_mtime_ns))
    (folder / "new").replace(folder / "b")
    assert (folder / "b").stat().st_mtime_ns == stat.st_mtime_ns
    assert names(store, "m_alf")["b"] is None


def test_who_left_a_file_is_in_no_segment_any_more(store: OldStore, folder: Path) -> None:
    index = index_of(store)
    index.refresh(store.walk())
    before = [path.read_bytes() for path in segments_in(store)]
    write(folder / "a", ["m_bob", "m_bob", "m_bob"])
    (folder / "b").unlink()
    index.refresh(store.walk())
    (left,) = segments_in(store)
    assert left.read_bytes() not in before


def test_of_a_file_that_cannot_be_read_any_more_no_segment_stays(store: OldStore, folder: Path) -> None:
    index = index_of(store)
    index.refresh(store.walk())
    (folder / "a").write_bytes(b"PAR1 is what it begins with, and no more")
    assert index.refresh(store.walk()) == {}
    assert len(segments_in(store)) == 1
    assert names(store, "m_alice")["a"] is None


def test_a_file_that_changed_a_moment_ago_is_read_again_later(store: OldStore) -> None:
    store.age = 0
    index = index_of(store)
    assert sorted(index.refresh(store.walk())) == ["a", "b"]
    assert [index.about(one) for one in store.walk()] == [None, None]
    assert names(store, "m_alice") == {"a": None, "b": None}
    assert names(store, "m_alice", made={"a", "b"}) == {"a": [1], "b": []}
    store.age = 60 * SECOND
    assert sorted(index.refresh(store.walk())) == ["a", "b"]
    assert all(index.about(one) for one in store.walk())


@pytest.mark.parametrize(
    ("age", "settled"),
    [(SECOND // 100, False), (SECOND, True), (None, True)],
)
def test_a_fingerprint_of_finer_times_is_trusted_sooner(age: int | None, settled: bool) -> None:
    now = 1_000 * SECOND + 7
    stored = Stored("a", 1, "print", None if age is None else now - age)
    assert building.is_settled(stored, now_ns=now) == settled


def test_a_clock_that_ticks_in_seconds_is_given_time() -> None:
    stored = Stored("a", 1, "print", 1_000 * SECOND)
    assert not building.is_settled(stored, now_ns=1_002 * SECOND)
    assert building.is_settled(stored, now_ns=1_004 * SECOND)


@pytest.mark.parametrize("damage", [b"", b"something else", None])
def test_torn_and_missing_segments_are_made_anew(store: OldStore, damage: bytes | None) -> None:
    index = index_of(store)
    index.refresh(store.walk())
    for path in segments_in(store):
        path.unlink() if damage is None else path.write_bytes(damage)
    assert names(store, "m_alice") == {"a": None, "b": None}
    assert sorted(index.refresh(store.walk())) == ["a", "b"]
    assert names(store, "m_alice") == {"a": [1], "b": []}


def test_a_segment_of_another_secret_or_file_is_foreign(store: OldStore) -> None:
    index_of(store, secret=b"t" * 32).refresh(store.walk())
    assert names(store, "m_alice") == {"a": None, "b": None}
    index_of(store).refresh(store.walk())
    one, other = segments_in(store)
    one.write_bytes(other.read_bytes())
    assert sorted(found is None for found in names(store, "m_alice").values()) == [False, True]


def test_what_builders_that_died_left_goes_after_a_while(store: OldStore) -> None:
    index = index_of(store)
    index.refresh(store.walk())
    place = segments_in(store)[0].parent
    for name, when in [("old.segment.1.tmp", 0), ("new.segment.2.tmp", None)]:
        (place / name).touch()
        if when is not None:
            os.utime(place / name, (when, when))
    index.refresh(store.walk())
    assert [path.name for path in segments_in(store) if path.suffix == ".tmp"] == ["new.segment.2.tmp"]


def test_where_nothing_can_be_written_it_knows_nothing(store: OldStore, folder: Path) -> None:
    folder.with_name("index").write_text("not a folder")
    assert index_of(store).refresh(store.walk()) == {}
    assert names(store, "m_alice") == {"a": None, "b": None}


def test_what_it_names_is_read(store: OldStore) -> None:
    index, files = index_of(store), store.walk()
    looked = dict(index.confirm(files, {"a": [0, 1], "b": [1]}, {"m_alice", "m_bob"}, WHOLE))
    assert looked[files[0]] == Hit(3, {"m_alice": 1, "m_bob": 2}, (0, 1))
    assert looked[files[1]] == Hit(0, {}, ())
    everything = dict(index.confirm(files, None, {"m_bob"}, WHOLE))
    assert [hit.groups for hit in everything.values() if isinstance(hit, Hit)] == [(0, 2), (0,)]


def test_what_it_names_and_cannot_be_read_is_told(store: OldStore, folder: Path) -> None:
    index, files = index_of(store), store.walk()
    (folder / "a").write_bytes(b"")
    looked = dict(index.confirm(files, None, {"m_bob"}, WHOLE))
    assert isinstance(looked[files[0]], ConnectorError)
    assert looked[files[1]] == Hit(1, {"m_bob": 1}, (0,))


def test_a_hit_that_is_printed_shows_no_key() -> None:
    assert "m_alice" not in repr(Hit(1, {"m_alice": 1}, (0,)))


def test_it_says_what_it_holds_and_may_be_made_from_nothing(store: OldStore, folder: Path) -> None:
    index = index_of(store)
    held = index.holdings(store.walk(), rebuild=False)
    assert (held.asked, held.files, held.groups, held.entries, held.built) == (2, 2, 5, 6, 2)
    assert held.size == sum(path.stat().st_size for path in segments_in(store))
    assert index.holdings(store.walk(), rebuild=False).built == 0
    assert index.holdings(store.walk(), rebuild=True).built == 2
    (folder / "b").write_bytes(b"")
    assert index.holdings(store.walk(), rebuild=False).files == 1


def test_no_key_and_no_name_of_a_person_is_on_disk(store: OldStore) -> None:
    index_of(store).refresh(store.walk())
    assert all(key not in path.read_bytes() for path in segments_in(store) for key in (b"m_alice", b"m_bob", b"m_eve"))


def test_a_group_of_very_many_rows_has_several_filters(
    store: OldStore, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("downstream.subject_index.filters.MOST", 300)
    pq.write_table(pa.table({"person": [f"m_{n}" for n in range(1_000)] + [None] * 7}), folder / "a")
    held = index_of(store).holdings(store.walk(), rebuild=False)
    assert (held.groups, held.files) == (3, 2)
    for number in (0, 299, 300, 999):
        assert names(store, f"m_{number}")["a"] == [0]
