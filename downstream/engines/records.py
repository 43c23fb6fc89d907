"""Records of files that have no columns of one type: which of them have to go, by the values that each holds.

Keys are compared as text: a text is its own, a whole number its digits, also where it is written as a fraction (`7.0`).
Any other fraction has lost what it told, so its file is refused; no other value names anybody. A format tells
each record's values by `Fields`; whatever is no record (a header, a blank line) has none, and always stays.
"""

import math
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from downstream.engines.base import DataFile
from downstream.engines.errors import ConnectorError
from downstream.engines.spans import Span, Spans, text_inside

LONGEST = 100 * 1024 * 1024
"""Bytes of one record; a longer one is refused, because it would have to be held in memory."""

_EXACT = 2**53 - 1
"""Above it, numbers that are held as fractions lose digits (RFC 8259, section 6)."""

Values = tuple[Any, ...]
"""What one record holds in the columns that were asked for, in their order."""


class Missing:
    """The type of `MISSING`."""

    def __repr__(self) -> str:
        return "MISSING"


MISSING = Missing()
"""The value of a column that a record does not have."""


class Several(tuple[Any, ...]):
    """The values of a column that one record gives more than once; readers differ on which of them counts."""


class Fraction(str):
    """A text that is written as fractions are: it may be a key as it stands, or one that has lost its digits."""


class Record(NamedTuple):
    """A piece of a file: its bytes, or others that name them; without values, it is no record."""

    raw: bytes
    values: Values | None
    rows: int = 1
    """0 for a further piece of a record that was told before."""


def keys_in(value: Any, *, lists: bool) -> Iterator[str]:
    """The keys that a record's value names.

    Raises ListOfKeys for a list of people where there may be none, and FractionAsKey.
    """
    if isinstance(value, str) or (isinstance(value, int) and not isinstance(value, bool)):
        yield str(value)
    elif isinstance(value, float):
        if _is_whole(value):
            yield str(int(value))
        elif not math.isnan(value):
            raise FractionAsKey
    elif isinstance(value, list | Several):
        if isinstance(value, list) and not lists:
            raise ListOfKeys
        for one in value:
            yield from keys_in(one, lists=lists)


def _is_whole(value: Any) -> bool:
    """Whether it is a fraction that still tells the whole number that it was."""
    return isinstance(value, float) and value.is_integer() and abs(value) <= _EXACT


@dataclass(frozen=True)
class Leaving:
    """Which records have to go: those of a key, and those of a key of `spans` that were made in its spans."""

    keys: frozenset[str] = field(repr=False)
    spans: dict[str, tuple[Span, ...]] = field(repr=False)
    lists: bool = False
    """Whether a record may be of several people; it goes with any of them."""

    @classmethod
    def of(cls, keys: Collection[str], spans: Spans, *, lists: bool = False) -> "Leaving":
        return cls(frozenset(keys), {key: part.spans for part in spans.parts for key in part.keys}, lists)

    def by(self, values: Values) -> list[str]:
        """The keys for whom the record has to go: none where it stays. The first value is the key, the second the time.

        Raises ListOfKeys where a record names a list of people and the dataset's options do not say that it may, and
        FractionAsKey.
        """
        value = values[0]
        if type(value) is str:
            if value not in self.keys and value not in self.spans:
                return []
        elif value is None or value is MISSING:
            return []
        return [key for key in dict.fromkeys(keys_in(value, lists=self.lists)) if self._goes(key, values)]

    def _goes(self, key: str, values: Values) -> bool:
        if key in self.keys:
            return True
        spans = self.spans.get(key)
        return spans is not None and text_inside(values[1] if isinstance(values[1], str) else None, spans)


class ListOfKeys(Exception):
    """A record names a list of people."""


class FractionAsKey(Exception):
    """A record's key is a number that is not whole, or too large to be known in all its digits."""


@dataclass
class Column:
    """What a look at a file's records has told of one column."""

    name: str
    present: bool = False
    usable: bool = False
    strange: bool = False

    def look(self, value: Any, usable: tuple[type, ...]) -> None:
        """Take in one record's value; once one could be used there is nothing more to know."""
        if self.usable or value is MISSING:
            return
        self.present = True
        self.usable = isinstance(value, (*usable, Several)) and not isinstance(value, bool | Fraction)
        # numbers that lost what they told; other values are taken for none
        self.strange |= not self.usable and isinstance(value, int | float | Fraction) and not isinstance(value, bool)


class Seen:
    """What a look at a file's records has told of the columns for the key and the time."""

    def __init__(self, key_column: str, created_column: str = "") -> None:
        self.rows = 0
        self.key = Column(key_column)
        self.time = Column(created_column)
        self.enough = False
        """Whether nothing more has to be known."""

    def look(self, values: Values) -> None:
        """Take in one record."""
        self.rows += 1
        if not self.key.usable:
            self.key.look(int(values[0]) if _is_whole(values[0]) else values[0], (str, int, list))
        if self.time.name and not self.time.usable:
            self.time.look(values[1], (str,))
        self.enough = self.key.usable and (self.time.usable or not self.time.name)

    def check_key(self, file: DataFile, *, optional: bool) -> None:
        """Raises ConnectorError unless the file holds keys, or is known to hold none; a file without rows may."""
        if self.rows and not self.key.present and not optional:
            raise ConnectorError(
                "key_column_missing",
                f"{file.name} has no {self.key.name} in any of its records; correct the name, or set the option "
                "key_optional where files may name nobody.",
                permanent=True,
            )
        if self.key.strange and not self.key.usable:
            raise fraction(file, self.key.name)

    def check_time(self, file: DataFile) -> None:
        """Raises ConnectorError unless the file says when records were made; a file without rows need not."""
        if self.rows and not self.time.present:
            raise ConnectorError(
                "created_column_missing",
                f"{file.name} has no {self.time.name} in any of its records; correct the name.",
                permanent=True,
            )
        if self.time.strange and not self.time.usable:
            raise ConnectorError(
                "created_column_unsupported",
                f"{file.name}: {self.time.name} is a number in every record; it has to be ISO 8601 text.",
                permanent=True,
            )


def fraction(file: DataFile, key_column: str) -> ConnectorError:
    """What a file is refused with whose keys are numbers that lost what they told."""
    return ConnectorError(
        "key_column_unsupported",
        f"{file.name}: the key {key_column} is a fraction; it has to be text or a whole number.",
        permanent=True,
    )


def as_statement(value: Any) -> str | None:
    """What a record says in a column, as the standards write it. Raises TypeError for what says nothing."""
    if value is None or value is MISSING or isinstance(value, str):
        return value if isinstance(value, str) else None
    if isinstance(value, int):
        # true and false are told as 1 and 0
        return str(int(value))
    raise TypeError
