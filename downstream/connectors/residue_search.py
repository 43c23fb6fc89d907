"""Searching texts for any of many keys at once: logs, statistics, names of files.

A key counts where it stands by itself, not as a part of a longer word. Keys that are numbers are looked for only
where values of the key column stand, because sizes and times are numbers as well.
"""

import gzip
import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import polars as pl

from downstream.engines.errors import reading

_CHUNK = 1 << 24
_OVERLAP = 1 << 12
_VALUES = frozenset(
    {"minValues", "maxValues", "partitionValues", "partition", "stats_parsed", "partitionValues_parsed"}
)


@dataclass(frozen=True)
class Search:
    """The keys to look for. They are personal data: not for logs."""

    keys: frozenset[str] = field(repr=False)

    @classmethod
    def of(cls, keys: Collection[str]) -> "Search":
        return cls(frozenset(key for key in keys if key))

    @property
    def words(self) -> list[str]:
        """Keys that can be told from other numbers."""
        return sorted(key for key in self.keys if not key.lstrip("-").isdigit())

    def in_text(self, text: str) -> bool:
        """Whether a key stands in it by itself."""
        words = self.words
        if not words or not text:
            return False
        found = pl.Series([text]).str.extract_many(words, overlapping=True)[0]
        return any(_alone(word, text) for word in set(found))

    def in_file(self, path: Path) -> bool:
        """Whether a key stands in the bytes of the file, read as UTF-8; of a gzip file, in what is packed."""
        with reading(path.name), (gzip.open if path.suffix == ".gz" else open)(path, "rb") as stream:
            rest = b""
            while chunk := stream.read(_CHUNK):
                if self.in_text((rest + chunk).decode(errors="replace")):
                    return True
                rest = chunk[-_OVERLAP:]
        return False

    def in_values(self, value: Any) -> bool:
        """Whether a value is a key, where a JSON document tells values of columns."""
        return any(str(one) in self.keys for one in _leaves(value))

    def in_statistics(self, value: Any) -> bool:
        """The same, anywhere below a name that holds values of columns."""
        if isinstance(value, dict):
            return any(
                self.in_values(one) if name in _VALUES else self.in_statistics(one) for name, one in value.items()
            )
        return isinstance(value, list) and any(map(self.in_statistics, value))

    def in_condition(self, text: str) -> bool:
        """Whether a condition, such as of a DELETE, names a key."""
        return self.in_text(text) or not self.keys.isdisjoint(re.findall(r"-?\w+", text))


def _alone(word: str, text: str) -> bool:
    # a letter, a digit or a low line beside it makes another word of it
    return re.search(rf"(?<!\w){re.escape(word)}(?!\w)", text) is not None


def _leaves(value: Any) -> Iterator[Any]:
    if isinstance(value, dict):
        for one in value.values():
            yield from _leaves(one)
    elif isinstance(value, list | tuple):
        for one in value:
            yield from _leaves(one)
    elif value is not None:
        yield value
