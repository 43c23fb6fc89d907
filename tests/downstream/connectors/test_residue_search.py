"""Searching texts for many keys: what counts as a mention, and what does not."""

import gzip
from pathlib import Path

import pytest

from downstream.connectors import residue_search
from downstream.connectors.residue_search import Search

SEARCH = Search.of({"m_alice", "42", "a-b.c@d", ""})


@pytest.mark.parametrize("text", ["m_alice", "'m_alice'", "of m_alice.", "x=m_alice/y", '"a-b.c@d"', "ü m_alice ü"])
def test_a_key_that_stands_by_itself_is_found(text: str) -> None:
    assert SEARCH.in_text(text)


@pytest.mark.parametrize("text", ["", "m_alice2", "xm_alice", "m_alic", "42", "a-b.c"])
def test_a_part_of_a_longer_word_and_a_number_are_no_key(text: str) -> None:
    assert not SEARCH.in_text(text)


def test_a_number_is_found_where_values_stand() -> None:
    assert SEARCH.in_statistics({"add": {"size": 1, "stats": {"minValues": {"person": 42}}}})
    assert SEARCH.in_statistics([{"partitionValues": {"person": "42"}}])
    assert not SEARCH.in_statistics({"add": {"size": 42, "stats": {"numRecords": 42}}})
    assert SEARCH.in_condition("person = 42 AND n > 7")
    assert not SEARCH.in_condition("person = 421")


@pytest.mark.parametrize(
    ("path", "held"),
    [
        ("person=42/part-0.parquet", True),
        ("n=42/part-0.parquet", False),
        ("person=m_alice/x", True),
        ("person=a-b.c%40d/x", True),
    ],
)
def test_a_partitions_folder_tells_its_key(path: str, held: bool) -> None:
    assert SEARCH.in_path(Path(path), "person") == held


def test_only_what_stands_in_a_text_is_looked_for_in_its_parts() -> None:
    assert SEARCH.narrowed("of m_alice") == Search(frozenset({"m_alice", "42"}))


def test_a_key_across_two_pieces_of_a_file_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(residue_search, "_CHUNK", 10)
    (tmp_path / "log").write_bytes(b"12345 m_alice and \xff\xfe more")
    assert SEARCH.in_file(tmp_path / "log")
    (tmp_path / "other").write_bytes(b"12345 m_alicia and more")
    assert not SEARCH.in_file(tmp_path / "other")


def test_a_packed_file_is_searched_unpacked(tmp_path: Path) -> None:
    (tmp_path / "v1.metadata.json.gz").write_bytes(gzip.compress(b'{"note": "m_alice"}'))
    assert SEARCH.in_file(tmp_path / "v1.metadata.json.gz")


def test_what_is_printed_shows_no_key() -> None:
    assert "m_alice" not in repr(SEARCH)
