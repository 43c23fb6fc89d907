"""The lines of a file of requests: reading them, and what each says (docs/import-requests.md).

CSV (RFC 4180) in UTF-8 with a header, divided by commas, or by semicolons or tabs as spreadsheets do in many countries;
no refusal quotes what a line says. Each line stands by itself, so that a file may be sorted: what is to be corrected
has three columns, and a further thing three more with its number.
"""

import csv
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from itertools import chain
from typing import Any

from consents import subjects
from consents.importing import lines
from consents.importing.lines import Readable
from consents.importing.rows import LONGEST_LINE, InputRefused
from portal.errors import DomainError
from requests_app import taking_down
from requests_app.intake import Asked, Requester
from requests_app.rights import base, rectification
from requests_app.states import BY_STAFF, LIMITED, Capacity, Channel, Right
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
USES = {f"purposes_{right.value}": right for right in LIMITED}
"""What one right is about, where a line asks for several; before `purposes`."""
PARTS = {"correct_what": "what", "correct_wrong": "wrong", "correct_right": "right"}
CORRECTIONS = {
    f"{column}_{number}" if number > 1 else column: (number, part)
    for number in range(1, rectification.MOST + 1)
    for column, part in PARTS.items()
}
"""Which part of which correction a column holds, counted from 1."""
COLUMNS = (*REQUIRED, *OPTIONAL, *USES, *CORRECTIONS)
MOST_ROWS = 20_000
LONGEST_REFERENCE = 120
_CHANNELS = frozenset({*BY_STAFF, Channel.IMPORT})
_LOCALE = re.compile(r"[a-z]{2}(-[A-Za-z0-9]{2,8})?")
_DELIMITERS = ",;\t"
_SEVERAL = re.compile(r"[;|\s]+")
_NOT_WORKED_OUT = frozenset({"#DIV/0!", "#N/A", "#NAME?", "#NULL!", "#NUM!", "#REF!", "#SPILL!", "#VALUE!"})
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

    @property
    def rights(self) -> tuple[str, ...]:
        """What is asked, as far as it can be told."""
        return tuple(_several(self.values["rights"]))

    @property
    def things_to_correct(self) -> int:
        said = [column for column, text in self.values.items() if column in CORRECTIONS and text.strip()]
        return len({CORRECTIONS[column][0] for column in said})


def read(source: Readable) -> Iterator[Row | Refusal]:
    """Every line after the header; empty ones are passed over.

    Raises InputRefused: `empty`, `wrong_columns`, `not_utf8`, `malformed`, `line_too_long`, `too_many_rows`.
    """
    records = _records(source)
    _, header = next(records, (0, None))
    if header is None:
        raise InputRefused("empty", "There is nothing in it, not even a header.")
    names = [one.strip().lower() for one in header]
    # spreadsheets keep columns that were emptied
    while names and not names[-1]:
        names.pop()
    _check_columns(names)
    for number, (line, values) in enumerate(records, start=1):
        if number > MOST_ROWS:
            raise InputRefused("too_many_rows", f"A file has at most {MOST_ROWS:,} rows; divide it.")
        if len(values) < len(names) or any(values[len(names) :]):
            yield Refusal(line, "", "wrong_length", "The line has more or fewer values than there are columns.")
        else:
            yield Row(line, {**dict.fromkeys((*REQUIRED, *OPTIONAL), ""), **dict(zip(names, values, strict=False))})


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
    named, rights = _several(said["purposes"]), row.rights
    asked = Asked(
        rights=rights,
        jurisdiction=said["jurisdiction"],
        note=said["note"],
        scope={"purposes": named} if named else {},
        scopes=_scopes(said, rights),
        particulars=_particulars(said, rights),
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


def _scopes(said: Mapping[str, str], rights: Sequence[str]) -> dict[str, dict[str, Any]]:
    """What the line names for one right alone. Raises DomainError with its column."""
    scopes: dict[str, dict[str, Any]] = {}
    for column, right in USES.items():
        named = _several(said.get(column, ""))
        if not named:
            continue
        if right not in rights:
            raise _unasked(right, column)
        try:
            scopes[right] = base.purposes_scope({"purposes": named})
        except DomainError as error:
            raise DomainError(error.code, error.message, field=column) from error
    return scopes


def _particulars(said: Mapping[str, str], rights: Sequence[str]) -> dict[str, dict[str, Any]]:
    """What is to be corrected. Raises DomainError with the column of the correction that cannot be taken."""
    listed: dict[int, dict[str, str]] = {}
    for column, text in said.items():
        if column not in CORRECTIONS or not text:
            continue
        if text.startswith("=") or text in _NOT_WORKED_OUT:
            message = "This is a spreadsheet's formula, not a text; put the text itself there."
            raise DomainError("a_formula", message, field=column)
        number, part = CORRECTIONS[column]
        listed.setdefault(number, dict.fromkeys(PARTS.values(), ""))[part] = text
    if not listed:
        return {}
    numbers = sorted(listed)
    if Right.RECTIFICATION not in rights:
        raise _unasked(Right.RECTIFICATION, _column(numbers[0], "what"))
    details = {"corrections": [listed[number] for number in numbers]}
    try:
        return {Right.RECTIFICATION: rectification.details(details)}
    except rectification.CorrectionError as error:
        column = _column(numbers[error.number], error.part)
        raise DomainError(error.code, error.message, field=column) from error


def _unasked(right: Right, column: str) -> DomainError:
    message = f"The line does not ask for {right.value}: add that to rights, or leave this empty."
    return DomainError("right_not_asked", message, field=column)


def _column(number: int, part: str) -> str:
    return next(column for column, place in CORRECTIONS.items() if place == (number, part))


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
        known = (
            f"{', '.join(REQUIRED)}, and perhaps {', '.join((*OPTIONAL, *USES, *PARTS))}; for a further correction "
            f"correct_what_2, correct_wrong_2, correct_right_2 and so on, up to {rectification.MOST}"
        )
        raise InputRefused("wrong_columns", f"The header {', '.join(wrong)}. The columns are {known}.")


def _records(source: Readable) -> Iterator[tuple[int, Any]]:
    """(the line on which a record begins, its values)."""
    csv.field_size_limit(LONGEST_LINE)
    texts, first = _texts(source), list[str]()
    for text in texts:
        first.append(text)
        if text.strip():
            break
    # by what the header has most of; its names hold none of these
    delimiter = max(_DELIMITERS, key="".join(first).count)
    reader = csv.reader(chain(first, texts), delimiter=delimiter, strict=True)
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


def _texts(source: Readable) -> Iterator[str]:
    try:
        for number, line in lines.split(source):
            yield lines.decode(number, line)
    except InputRefused as error:
        hint = " Save it as “CSV UTF-8”." if error.code == "not_utf8" else ""
        raise InputRefused(error.code, error.message + hint) from error
