"""A folder tells what has changed in it."""

from pathlib import Path

import pytest

from downstream.stores.local import LocalStore


@pytest.fixture
def store(tmp_path: Path) -> LocalStore:
    (tmp_path / "a").write_text("one")
    return LocalStore(str(tmp_path))


def test_a_file_is_told_with_its_size_its_fingerprint_and_when_it_changed(store: LocalStore, tmp_path: Path) -> None:
    (stored,) = store.walk()
    assert (stored.name, stored.size, stored.fingerprint) == ("a", 3, store.fingerprint("a"))
    assert stored.changed_ns == (tmp_path / "a").stat().st_ctime_ns


def test_a_new_file_of_the_same_size_and_an_older_time_is_told_apart(store: LocalStore, tmp_path: Path) -> None:
    before = store.walk()
    (tmp_path / "b").write_text("two")
    (tmp_path / "b").replace(tmp_path / "a")
    after = store.walk()
    assert after != before
    assert (after[0].changed_ns or 0) >= (before[0].changed_ns or 0)
