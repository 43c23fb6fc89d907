"""Lengths of time as laws write them ("1 month", "10 business days"), and days of the calendar.

Knows no rule and no holidays.
"""

import calendar
import datetime
import enum
import re
from dataclasses import dataclass
from functools import cache
from zoneinfo import ZoneInfo

from portal.errors import DomainError

Moment = datetime.date | datetime.datetime
"""A day where the person lives, or an aware instant that is turned into one."""

_SHAPE = re.compile(r"([1-9][0-9]{0,3}) (month|day|business day|working day)s?")


class NaiveTime(DomainError):
    """A time of day without its time zone names no day."""


class Unit(enum.Enum):
    """What a period counts. Laws say business or working day and mean the same."""

    MONTH = "month"
    DAY = "day"
    BUSINESS_DAY = "business day"
    WORKING_DAY = "working day"


@dataclass(frozen=True, slots=True)
class Period:
    """So many of one unit."""

    count: int
    unit: Unit

    def __str__(self) -> str:
        return f"{self.count} {self.unit.value}{'' if self.count == 1 else 's'}"

    @property
    def in_working_days(self) -> bool:
        return self.unit in (Unit.BUSINESS_DAY, Unit.WORKING_DAY)

    def plus(self, more: "Period") -> "Period":
        """Both together. Raises ValueError for different units: a month is no number of days."""
        if more.unit is not self.unit:
            raise ValueError(f"{self} and {more} count different things")
        return Period(self.count + more.count, self.unit)


def parse(text: str) -> Period:
    """'1 month', '45 days', '10 business days', '20 working days'. Raises ValueError."""
    found = _SHAPE.fullmatch(text)
    if found is None:
        raise ValueError(f"{text!r} is no period such as '1 month' or '10 business days'")
    return Period(int(found[1]), Unit(found[2]))


def months_later(day: datetime.date, months: int) -> datetime.date:
    """The same-numbered day of a later month, or that month's last day where it has none."""
    years, month = divmod(day.month - 1 + months, 12)
    year = day.year + years
    return datetime.date(year, month + 1, min(day.day, calendar.monthrange(year, month + 1)[1]))


@cache
def zone(name: str) -> ZoneInfo:
    """The time zone. ZoneInfo's own cache holds eight and reads the file again for the ninth."""
    return ZoneInfo(name)


def local_date(moment: Moment, where: ZoneInfo) -> datetime.date:
    """The day on the wall calendar of `where`. A plain date is one already."""
    if not isinstance(moment, datetime.datetime):
        return moment
    if moment.tzinfo is None:
        raise NaiveTime("naive_time", "Give a date, or a time together with its time zone.")
    return moment.astimezone(where).date()
