"""The lines of a file of requests: reading them, and what each says (docs/import-requests.md).

CSV (RFC 4180) in UTF-8 with a header; no refusal quotes what a line says.
"""

import csv
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

from consents import subjects
from consents.importing import lines
from consents.importing.lines import Readable
from consents.importing.rows import LONGEST_LINE, InputRefused
from portal.errors import DomainError
from requests_app import taking_down
from requests_app.intake import Asked, Requester
from requests_app.states import BY_STAFF, Capacity, Channel
from requests_app.taking_down import TakenDown

REQUIRED = ("reference", "received_on", "rights", "scheme", "identifier")
OPTIONAL = (
    "jurisdiction",
    "channel",
    "capacity",
    "requester_name",
    "requester_contact",
    "note",
    "purposes",
    "shown",
    "locale",
)
COLUMNS = REQUIRED + OPTIONAL
MOST_ROWS = 20_000
LONGEST_REFERENCE = 120
_CHANNELS = frozenset({*BY_STAFF, Channel.IMPORT})
_LOCALE = re.compile(r"[a-z]{2}(-[A-Za-z0-9]{2,8})?")
_SEVERAL = re.compile(r"[;|\s]+")
_COLUMN_OF = {
    "received_at": "received_on",
    "right": "rights",
    "scope": "purposes",
    "purpose": "purposes",
    "subject": "identifier",
    "requester": "requester_name",
    "about": "rights",
}
"""What domain refusals name, as the columns are called."""


@dataclass(frozen=True)
class Refusal:
    """Why one line is not taken in, and which column is to be looked at (empty: the line)."""

    line: int
    column: str
    code: str
    message: str


@dataclass(frozen=True)
class Row:
    """One line, by column; what was left out is empty."""

    line: int
    values: dict[str, str] = field(repr=False)

    @property
    def reference(self) -> str:
        return self.values["reference"].strip()


def read(source: Readable) -> Iterator[Row | Refusal]:
    """Every line after the header; empty ones are passed over.

    Raises InputRefused: `empty`, `wrong_columns`, `not_utf8`, `malformed`, `line_too_long`, `too_many_rows`.
    """
    records = _records(source)
    _, header = next(records, (0, None))
    if header is None:
        raise InputRefused("empty", "There is nothing in it, not even a header.")
    names = [one.strip().lower() for one in header]
    _check_columns(names)
    for number, (line, values) in enumerate(records, start=1):
        if number > MOST_ROWS:
            raise InputRefused("too_many_rows", f"A file has at most {MOST_ROWS:,} rows; divide it.")
        if len(values) != len(names):
            yield Refusal(line, "", "wrong_length", "The line has more or fewer values than there are columns.")
        else:
            yield Row(line, {**dict.fromkeys(COLUMNS, ""), **dict(zip(names, values, strict=True))})


def taken(row: Row, *, at: datetime) -> TakenDown:
    """What the line says, as far as it can be read without looking anybody up. Raises DomainError with its field."""
    said = {name: value.strip() for name, value in row.values.items()}
    if not said["reference"] or len(said["reference"]) > LONGEST_REFERENCE:
        raise _wrong("reference", f"A reference has 1 to {LONGEST_REFERENCE} characters.")
    channel = said["channel"].lower() or Channel.IMPORT
    if channel not in _CHANNELS:
        raise _wrong("channel", f"A channel is one of: {', '.join(sorted(_CHANNELS))}, or empty.")
    locale = said["locale"] or "en"
    if not _LOCALE.fullmatch(locale):
        raise _wrong("locale", "Write the language as en, de or fr.")
    named = _several(said["purposes"])
    asked = Asked(
        rights=tuple(_several(said["rights"])),
        jurisdiction=said["jurisdiction"],
        note=said["note"],
        scope={"purposes": named} if named else {},
        locale=locale,
        channel=channel,
        capacity=said["capacity"].lower() or Capacity.SELF,
        requester=_requester(said),
        received_at=taking_down.received(_day(said["received_on"]), at=at),
    )
    return TakenDown(asked, subjects.name(said["scheme"].lower(), said["identifier"]), said["shown"].lower())


def refusal(row: Row, error: DomainError) -> Refusal:
    """A domain refusal, at its line and column."""
    named = error.field or ""
    column = _COLUMN_OF.get(named, named)
    return Refusal(row.line, column if column in COLUMNS else "", error.code, error.message[:300])


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise _wrong("received_on", "Write the day as 2026-03-02.") from error


def _requester(said: dict[str, str]) -> Requester | None:
    if not said["requester_name"] and not said["requester_contact"]:
        return None
    if len(said["requester_name"]) > 200 or len(said["requester_contact"]) > 255:
        raise _wrong("requester_name", "A name has at most 200 characters, an address 255.")
    return Requester(said["requester_name"], said["requester_contact"])


def _several(text: str) -> list[str]:
    return [one.lower() for one in _SEVERAL.split(text) if one]


def _wrong(column: str, message: str) -> DomainError:
    return DomainError(f"wrong_{column}", message, field=column)


def _check_columns(names: list[str]) -> None:
    wrong = [f"lacks {column}" for column in REQUIRED if column not in names]
    # by its place: without a header, these are somebody's values
    wrong += [f"has an unknown column at place {n}" for n, name in enumerate(names, start=1) if name not in COLUMNS]
    wrong += [f"has {name} twice" for name, count in Counter(names).items() if count > 1 and name in COLUMNS]
    if wrong:
        known = f"{', '.join(REQUIRED)}, and perhaps {', '.join(OPTIONAL)}"
        raise InputRefused("wrong_columns", f"The header {', '.join(wrong)}. The columns are {known}.")


def _records(source: Readable) -> Iterator[tuple[int, Any]]:
    """(the line on which a record begins, its values)."""
    csv.field_size_limit(LONGEST_LINE)
    reader = csv.reader((lines.decode(number, line) for number, line in lines.split(source)), strict=True)
    while True:
        start = reader.line_num + 1
        try:
            values = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            raise InputRefused("malformed", f"The quotes on line {start} do not match.") from error
        if any(value.strip() for value in values):
            yield start, values
