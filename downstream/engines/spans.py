"""When a row was made, for people of whom only rows made in some spans of time have to go.

A file may hold the time as a timestamp of any unit, with a zone or without (then it is UTC), as a date (its
midnight, UTC) or as ISO 8601 text. A time that is missing or cannot be read counts as inside every span: whether
the row may stay cannot be told, so it goes.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import types

from downstream.engines.errors import ConnectorError
from downstream.engines.key_columns import quote

# Both readers take exactly these for times, so that they agree on every row: no year that one of them does not
# know, and no digit beyond the microsecond.
_ISO = (
    r"[12]\d{3}-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])"
    r"([T ]([01]\d|2[0-3]):[0-5]\d(:[0-5]\d(\.\d{1,6})?)?(Z|[+-](0\d|1[0-4]):[0-5]\d)?)?"
)
_ISO_PATTERN = re.compile(_ISO, re.ASCII)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


@dataclass(frozen=True, order=True)
class Span:
    """From `start` on and before `end`; None is open."""

    start: datetime | None = None
    end: datetime | None = None

    def bounds(self, per_microsecond: int) -> tuple[int | None, int | None]:
        """Both ends, counted from 1970 in the column's unit."""
        start = None if self.start is None else (self.start - _EPOCH) // _MICROSECOND * per_microsecond
        end = None if self.end is None else (self.end - _EPOCH) // _MICROSECOND * per_microsecond
        return start, end


@dataclass(frozen=True)
class Part:
    """People of whom the same spans go. The keys are personal data: not for logs."""

    spans: tuple[Span, ...]
    keys: frozenset[str] = field(repr=False)


@dataclass(frozen=True)
class Spans:
    """Of whom only rows made in spans of time go; a key is in one part, and not among those whose every row goes."""

    parts: tuple[Part, ...] = ()
    column: str = ""
    """Which column tells when a row was made; the connector knows."""

    def __bool__(self) -> bool:
        return bool(self.parts)

    @property
    def keys(self) -> frozenset[str]:
        return frozenset().union(*(part.keys for part in self.parts))

    def by(self, column: str) -> "Spans":
        """The same, about this column. Raises ConnectorError(`created_column_missing`) where nobody has named one."""
        if not self:
            return WHOLE
        if not column:
            raise ConnectorError(
                "created_column_missing",
                "Nobody has said which column tells when a row was made; name it, and try again.",
                permanent=True,
            )
        return replace(self, column=column)


WHOLE = Spans()
"""Nobody's rows go by their time."""


@dataclass(frozen=True)
class TimeForm:
    """One way of holding times, and how both readers turn it into a number from 1970 on."""

    duckdb: str
    arrow: "pa.DataType | None"
    per_microsecond: int = 1

    def condition(self, column: str, spans: Iterable[Span]) -> str:
        """SQL that is true for a row made in one of the spans, or nobody knows when."""
        time = self.duckdb.replace("{}", quote(column))
        inside = (_between(time, *span.bounds(self.per_microsecond)) for span in spans)
        return f"coalesce({' OR '.join(inside)}, true)"

    def inside(self, column: "pa.ChunkedArray[Any]", spans: Iterable[Span]) -> "np.ndarray[Any, Any]":
        """The same by pyarrow, for the rows of the column."""
        numbers = self._numbers(column)
        found = np.zeros(len(column), dtype=bool)
        for span in spans:
            start, end = span.bounds(self.per_microsecond)
            within = [
                number is None or ((start is None or start <= number) and (end is None or number < end))
                for number in numbers
            ]
            found |= np.array(within, dtype=bool)
        return found

    def _numbers(self, column: "pa.ChunkedArray[Any]") -> list[int | None]:
        if self.arrow is None:
            return [_number(text) for text in column.to_pylist()]
        times: Any = pc.cast(column, self.arrow)
        numbers: list[int | None] = pc.cast(times, pa.int64()).to_pylist()
        return numbers


def time_form(name: str, column: str, column_type: pa.DataType) -> TimeForm:
    """The form of times in this file. Raises ConnectorError where Heed cannot compare them."""
    if types.is_dictionary(column_type):
        column_type = column_type.value_type
    if types.is_timestamp(column_type):
        if column_type.unit == "ns":
            return TimeForm("epoch_ns({})", column_type, 1_000)
        return TimeForm("epoch_us({})", pa.timestamp("us", column_type.tz))
    if types.is_date(column_type):
        return TimeForm("epoch_us({})", pa.timestamp("us"))
    if types.is_string(column_type) or types.is_large_string(column_type) or types.is_string_view(column_type):
        # the session's zone is UTC, so that a text without one is taken as UTC
        return TimeForm(
            f"epoch_us(CASE WHEN regexp_full_match({{}}, '{_ISO}') THEN TRY_CAST({{}} AS TIMESTAMPTZ) END)", None
        )
    raise ConnectorError(
        "created_column_unsupported",
        f"{name}: the column {column} is of type {column_type}; it has to be a timestamp, a date or ISO 8601 text.",
        permanent=True,
    )


def text_inside(text: str | None, spans: Iterable[Span]) -> bool:
    """Whether a record whose time is this text was made in one of the spans, or nobody knows when."""
    number = _number(text)
    if number is None:
        return True
    for span in spans:
        start, end = span.bounds(1)
        if (start is None or start <= number) and (end is None or number < end):
            return True
    return False


def _between(time: str, start: int | None, end: int | None) -> str:
    bounds = [f"{time} >= {start}"] if start is not None else []
    bounds += [f"{time} < {end}"] if end is not None else []
    return f"({' AND '.join(bounds)})" if bounds else "true"


def _number(text: str | None) -> int | None:
    if text is None or not _ISO_PATTERN.fullmatch(text):
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        # the 31st of a month that has none
        return None
    return ((moment if moment.tzinfo else moment.replace(tzinfo=UTC)) - _EPOCH) // _MICROSECOND
