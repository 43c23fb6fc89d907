"""What every format has in common: the columns, a row, and the two ways of refusing."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from portal.errors import DomainError

REQUIRED = ("scheme", "value", "purpose", "action", "occurred_at")
OPTIONAL = ("recipient", "category", "notice", "evidence", "key", "is_minor")
COLUMNS = REQUIRED + OPTIONAL

LONGEST_LINE = 1 << 20
"""Bytes of one line, or of one quoted record, of a text file. Evidence, the longest field, has 4,000 characters."""


class Row(NamedTuple):
    """One choice as it was sent; what was left out is empty."""

    scheme: str
    value: str
    purpose: str
    action: str
    occurred_at: str | datetime
    recipient: str
    category: str
    notice: str
    evidence: str
    key: str
    is_minor: str


@dataclass(frozen=True)
class Refused:
    """Why one line was not taken; neither part quotes the line."""

    code: str
    message: str


Numbered = tuple[int, Row | Refused]
Rows = Iterator[Numbered]


class InputRefused(DomainError):
    """The file or stream cannot be read (on); the message names the place."""


def check_columns(names: Sequence[str], *, what: str) -> None:
    """Refuse columns that are missing, unknown or there twice. Raises InputRefused(`wrong_columns`)."""
    wrong = [f"lacks {column}" for column in REQUIRED if column not in names]
    unknown = [position for position, name in enumerate(names, start=1) if name not in COLUMNS]
    # by its place: without a header, these are somebody's values
    wrong += [f"has an unknown column at place {position}" for position in unknown]
    wrong += [f"has {name} twice" for name, count in Counter(names).items() if count > 1 and name in COLUMNS]
    if wrong:
        known = f"{', '.join(REQUIRED)}, and perhaps {', '.join(OPTIONAL)}"
        raise InputRefused("wrong_columns", f"{what} {', '.join(wrong)}. The columns are {known}.")
