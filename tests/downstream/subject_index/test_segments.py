"""A segment answers what was put into it, or says that it cannot be used."""

from pathlib import Path

import numpy as np
import pytest

from downstream.subject_index import filters, segments
from downstream.subject_index.segments import About, Unusable

ABOUT = About("make", "part-0", "1:2:3:4", True, 60_000, 7, "text", "t")
HASHES = np.random.default_rng(3).integers(0, 2**32, 60_000, dtype=np.uint32)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    with segments.writing_to(tmp_path / "one") as writer:
        for group in range(3):
            part = HASHES[group * 20_000 : (group + 1) * 20_000]
            writer.add(group, len(part), filters.build(part))
        writer.finish(ABOUT)
    return tmp_path / "one"


def groups(path: Path, hashes: "filters.Hashes") -> list[int]:
    with segments.opened(path) as segment:
        held = filters.holding(segment, segment.filters, hashes)
        return [int(group) for group in segment.filters["group"][held]]


def test_it_says_what_it_is_of_and_which_groups_hold_a_key(path: Path) -> None:
    with segments.opened(path) as segment:
        assert segment.about == ABOUT
        assert segment.filters["rows"].tolist() == [20_000] * 3
    for at in range(0, len(HASHES), 997):
        assert at // 20_000 in groups(path, HASHES[at : at + 1])


def test_a_file_without_rows_has_a_segment_too(tmp_path: Path) -> None:
    with segments.writing_to(tmp_path / "empty") as writer:
        writer.finish(ABOUT)
    assert groups(tmp_path / "empty", HASHES[:5]) == []


def test_a_missing_one_is_unusable(tmp_path: Path) -> None:
    with pytest.raises(Unusable), segments.opened(tmp_path / "none"):
        pass


def test_one_that_ends_early_is_unusable(path: Path) -> None:
    whole = path.read_bytes()
    for length in [0, 1, 30, 4096, len(whole) // 2, len(whole) - 1]:
        path.write_bytes(whole[:length])
        with pytest.raises(Unusable):
            groups(path, HASHES[:1])
    path.write_bytes(whole + b"x")
    with pytest.raises(Unusable):
        groups(path, HASHES[:1])


def test_whatever_byte_is_damaged_no_key_is_missed(path: Path) -> None:
    whole = path.read_bytes()
    for at in range(0, len(whole), 641):
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 0x55]) + whole[at + 1 :])
        try:
            assert 1 in groups(path, HASHES[30_000:30_001])
        except Unusable:
            continue


def test_a_page_that_was_never_written_is_noticed(path: Path) -> None:
    whole = path.read_bytes()
    path.write_bytes(bytes(8192) + whole[8192:])
    with pytest.raises(Unusable):
        groups(path, HASHES[:4_000])


def test_nothing_is_put_in_place_where_writing_fails(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), segments.writing_to(tmp_path / "one"):
        raise ZeroDivisionError
    assert list(tmp_path.iterdir()) == []
