"""Bars for the staff's pages, drawn by the server: no script, read at any width, in the light and in the dark."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from django.utils.formats import date_format
from django.utils.translation import gettext as _

STEP, BAR, HEIGHT = 10, 7, 48
"""Of the drawing: from bar to bar, a bar's width, and the height of the highest, in its own units."""
_LEAST = 2
"""So high is the bar of the smallest number, which would not be seen beside a large one."""


@dataclass(frozen=True)
class Bar:
    """One day: where its bar stands, how high it is, and what it says."""

    left: int
    top: float
    height: float
    says: str
    is_today: bool = False


@dataclass(frozen=True)
class Chart:
    """Bars of the last days; `says` is the whole of it in words, for those who do not see it."""

    name: str
    title: str
    total: int
    says: str
    bars: tuple[Bar, ...]
    first_day: date

    @property
    def width(self) -> int:
        return len(self.bars) * STEP

    @property
    def height(self) -> int:
        return HEIGHT


def by_day(name: str, title: str, days: Sequence[date], counts: Sequence[int]) -> Chart:
    """One bar for each day, of which the last is today. The highest fills the height."""
    most = max(counts)
    bars = tuple(
        _bar(number, day, count, most, is_today=number == len(days) - 1)
        for number, (day, count) in enumerate(zip(days, counts, strict=True))
    )
    return Chart(name, title, sum(counts), _in_words(days, counts), bars, days[0])


def _bar(number: int, day: date, count: int, most: int, *, is_today: bool) -> Bar:
    height = max(round(HEIGHT * count / most, 1), _LEAST) if count else 0
    says = f"{date_format(day, 'j M')}: {count}"
    return Bar(number * STEP, HEIGHT - height, height, says, is_today)


def _in_words(days: Sequence[date], counts: Sequence[int]) -> str:
    total, most = sum(counts), max(counts)
    if not total:
        return _("none in %d days") % len(days)
    highest = date_format(days[counts.index(most)], "j F")
    words = _("%(total)d in %(days)d days, most on %(day)s: %(most)d")
    return words % {"total": total, "days": len(days), "day": highest, "most": most}
