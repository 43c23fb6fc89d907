"""Filters miss nobody, are seldom wrong about others, and are small."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from downstream.subject_index import filters
from downstream.subject_index.filters import LAYOUT, Bytes, Directory, Numbers
from downstream.subject_index.hashes import Hashes


class Whole:
    """A body of which everything is at hand."""

    def __init__(self, data: Bytes) -> None:
        self.data = data

    def read(self, first: Numbers, last: Numbers) -> Bytes:
        assert first.min(initial=0) >= 0
        assert last.max(initial=-1) < len(self.data)
        return self.data


def laid_out(*groups: Hashes) -> tuple[Whole, Directory]:
    made = [filters.build(one) for one in groups]
    offsets = np.cumsum([0, *(len(one.data) for one in made)])
    directory = np.array(
        [(number, one.bits, one.entries, 0, offsets[number]) for number, one in enumerate(made)], LAYOUT
    )
    return Whole(np.concatenate([one.data for one in made])), directory


def some(count: int, *, seed: int = 0) -> Hashes:
    return np.random.default_rng(seed).integers(0, 2**32, count, dtype=np.uint32)


@settings(max_examples=60)
@given(st.lists(st.lists(st.integers(0, 2**32 - 1), max_size=80), min_size=1, max_size=4))
def test_whoever_is_there_is_found_whatever_the_hashes(groups: list[list[int]]) -> None:
    body, directory = laid_out(*(np.array(one, dtype=np.uint32) for one in groups))
    for number, hashes in enumerate(groups):
        for one in hashes:
            assert filters.holding(body, directory, np.array([one], dtype=np.uint32))[number]


@pytest.mark.parametrize("count", [1, 15, 16, 17, 1_000, 62_500, 200_000])
def test_of_any_size_nobody_is_missed_and_few_are_taken_for_somebody(count: int) -> None:
    here = some(count)
    body, directory = laid_out(here, some(1_000, seed=1))
    assert all(filters.holding(body, directory, here[at : at + 1])[0] for at in range(0, count, max(1, count // 500)))
    others = some(4_000, seed=2)
    wrong = sum(filters.holding(body, directory, others[at : at + 1])[0] for at in range(len(others)))
    assert wrong / len(others) <= 0.01


def test_all_of_some_keys_are_asked_for_at_once() -> None:
    here = some(50_000)
    body, directory = laid_out(here[:25_000], here[25_000:])
    assert filters.holding(body, directory, here[24_900:25_000]).tolist()[0]
    assert filters.holding(body, directory, here[25_000:]).tolist()[1]
    assert filters.holding(body, directory, here[:0]).tolist() == [False, False]


@pytest.mark.parametrize("count", [5_000, 62_500, 65_537])
def test_an_entry_takes_less_than_two_bytes(count: int) -> None:
    assert len(filters.build(some(count)).data) / count <= 1.8


def test_a_key_that_is_there_often_is_kept_once() -> None:
    once, often = filters.build(some(1_000)), filters.build(np.repeat(some(1_000), 50))
    assert (often.entries, often.bits, len(often.data)) == (once.entries, once.bits, len(once.data))


def test_hashes_that_are_not_spread_at_all_are_refused() -> None:
    with pytest.raises(OverflowError):
        filters.build(np.arange(400_000, dtype=np.uint32) << np.uint32(8))


def test_looking_reads_a_few_bytes_of_each_filter() -> None:
    read: list[Numbers] = []

    class Watched(Whole):
        def read(self, first: Numbers, last: Numbers) -> Bytes:
            read.append(last - first + 1)
            return super().read(first, last)

    whole, directory = laid_out(some(62_500), some(62_500, seed=1))
    filters.holding(Watched(whole.data), directory, some(1))
    assert sum(int(one.sum()) for one in read) < 200
