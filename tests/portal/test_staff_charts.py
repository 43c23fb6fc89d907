"""Bars for the staff: as high as they should be, and said in words."""

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portal import staff_charts
from portal.staff_charts import HEIGHT, STEP, Chart

FIRST = date(2026, 10, 28)


def chart(*counts: int) -> Chart:
    days = [FIRST + timedelta(days=number) for number in range(len(counts))]
    return staff_charts.by_day("received", "Requests received", days, counts)


def test_the_highest_bar_fills_the_height_and_nothing_has_none() -> None:
    drawn = chart(0, 3, 6)
    assert [bar.height for bar in drawn.bars] == [0, HEIGHT / 2, HEIGHT]
    assert [bar.left for bar in drawn.bars] == [0, STEP, 2 * STEP]


def test_a_small_number_beside_a_large_one_is_still_seen() -> None:
    assert chart(1, 100_000).bars[0].height > 1


def test_only_the_last_bar_is_todays() -> None:
    assert [bar.is_today for bar in chart(1, 2, 3).bars] == [False, False, True]


@pytest.mark.parametrize(
    ("counts", "says"),
    [((0, 0, 0), "none in 3 days"), ((1, 4, 2), "7 in 3 days, most on 29 October: 4")],
)
def test_the_whole_of_it_is_said_in_words(counts: tuple[int, ...], says: str) -> None:
    assert chart(*counts).says == says
    assert chart(*counts).bars[0].says == f"28 Oct: {counts[0]}"


@given(st.lists(st.integers(0, 10**9), min_size=1, max_size=30))
def test_every_bar_stands_on_the_line_and_within_the_drawing(counts: list[int]) -> None:
    drawn = chart(*counts)
    for bar, count in zip(drawn.bars, counts, strict=True):
        assert bar.top + bar.height == HEIGHT
        assert 0 <= bar.top <= HEIGHT
        assert (bar.height > 0) == (count > 0)
