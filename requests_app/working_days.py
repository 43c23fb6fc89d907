"""Working days of a country or of one part of it, from the `holidays` package, cached by year.

A weekend day never counts as worked, even where a country swaps single Saturdays: Regulation
1182/71 and the laws that count business days do not follow such swaps.
"""

import datetime
from dataclasses import dataclass
from functools import cache

import holidays

from portal.errors import DomainError

# Which calendar stands in where a country has only calendars of its parts.
ASSUMED_PART = {"GB": "ENG"}

_ONE_DAY = datetime.timedelta(days=1)


class NoCalendar(DomainError):
    """No public holidays are known for that place or year."""


@dataclass(frozen=True, slots=True)
class Calendar:
    """Whose holidays count. `assumed` says that the part of the country was not known."""

    country: str
    part: str | None = None
    assumed: bool = False

    @property
    def code(self) -> str:
        return f"{self.country}-{self.part}" if self.part else self.country


@cache
def calendar_of(jurisdiction: str) -> Calendar:
    """The calendar of GB-SCT, of DE for DE-XX, of England for GB. Raises NoCalendar."""
    country, _, part = jurisdiction.partition("-")
    try:
        known = holidays.country_holidays(country).subdivisions
    except NotImplementedError:
        raise NoCalendar("no_calendar", f"No public holidays are known for {jurisdiction}.") from None
    if part in known:
        return Calendar(country, part)
    if country in ASSUMED_PART:
        return Calendar(country, ASSUMED_PART[country], assumed=True)
    return Calendar(country)


def is_working(where: Calendar, day: datetime.date) -> bool:
    """Whether offices are open there on that day."""
    return day.weekday() not in _weekend(where.country) and day not in _free_days(where.country, where.part, day.year)


def is_weekend(where: Calendar, day: datetime.date) -> bool:
    """Whether that day is part of the weekend there."""
    return day.weekday() in _weekend(where.country)


def on_or_after(where: Calendar, day: datetime.date) -> datetime.date:
    """The day itself if it is worked, else the next that is."""
    while not is_working(where, day):
        day += _ONE_DAY
    return day


def later(where: Calendar, day: datetime.date, count: int) -> datetime.date:
    """The `count`th working day after `day`, which itself does not count."""
    for _ in range(count):
        day = on_or_after(where, day + _ONE_DAY)
    return day


def between(where: Calendar, after: datetime.date, until: datetime.date) -> int:
    """How many working days lie after `after`, up to and including `until`."""
    days = (after + _ONE_DAY * n for n in range(1, (until - after).days + 1))
    return sum(is_working(where, day) for day in days)


def holiday_name(where: Calendar, day: datetime.date, language: str) -> str:
    """What the day is called, in `language` where the country's calendar is translated into it."""
    names = holidays.country_holidays(where.country, subdiv=where.part)
    spoken = [tongue for tongue in names.supported_languages if tongue.split("_")[0] == language]
    if spoken:
        names = holidays.country_holidays(where.country, subdiv=where.part, language=spoken[0])
    return names.get(day) or ""


@cache
def _weekend(country: str) -> frozenset[int]:
    return frozenset(holidays.country_holidays(country).weekend)


@cache
def _free_days(country: str, part: str | None, year: int) -> frozenset[datetime.date]:
    known = holidays.country_holidays(country, subdiv=part)
    if not known.start_year <= year <= known.end_year:
        raise NoCalendar("no_calendar", f"No public holidays of {year} are known for {country}.")
    return frozenset(holidays.country_holidays(country, subdiv=part, years=year))
