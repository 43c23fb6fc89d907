"""Searching texts for any of many keys at once: logs, statistics, names of files.

A key counts where it stands by itself, not as a part of a longer word. Keys that are numbers are looked for only
where values of the key column stand, because sizes and times are numbers as well.
"""

import gzip
import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import polars as pl

from downstream.engines.byte_search import stands_alone
from downstream.engines.errors import reading

_CHUNK = 1 << 24
_OVERLAP = 1 << 12
SHORTENED = 16
"""Bounds of texts are cut to so many letters unless a table says otherwise."""
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

    @cached_property
    def words(self) -> list[str]:
        """Keys that can be told from other numbers."""
        return sorted(key for key in self.keys if not key.lstrip("-").isdigit())

    @cached_property
    def starts(self) -> frozenset[str]:
        """What is left of the keys where bounds of texts are cut, without their last letter."""
        return frozenset(word[: SHORTENED - 1] for word in self.words)

    def narrowed(self, text: str) -> "Search":
        """Only what stands somewhere in the text, and numbers: to look at its parts one by one."""
        return Search(frozenset({*(self.keys - set(self.words)), *self._words_in(text)}))

    def in_text(self, text: str) -> bool:
        """Whether a key stands in it by itself."""
        return any(stands_alone(text, word) for word in self._words_in(text))

    def in_path(self, path: Path, column: str) -> bool:
        """Whether the name of a file or folder holds a key, also a number where it is the column's partition."""
        values = [unquote(part.partition("=")[2]) for part in path.parts if part.startswith(f"{column}=")]
        return self.in_text(str(path)) or not self.keys.isdisjoint(values)

    def in_file(self, path: Path) -> bool:
        """Whether a key stands in the bytes of the file, read as UTF-8; of a gzip file, in what is packed."""
        with reading(path.name), (gzip.open if path.suffix == ".gz" else open)(path, "rb") as stream:
            rest = b""
            while chunk := stream.read(_CHUNK):
                if self.in_text((rest + chunk).decode(errors="replace")):
                    return True
                rest = chunk[-_OVERLAP:]
        return False

    def _words_in(self, text: str) -> set[str]:
        if not self.words or not text:
            return set()
        return set(pl.Series([text]).str.extract_many(self.words, overlapping=True)[0])

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


def _leaves(value: Any) -> Iterator[Any]:
    if isinstance(value, dict):
        for one in value.values():
            yield from _leaves(one)
    elif isinstance(value, list | tuple):
        for one in value:
            yield from _leaves(one)
    elif value is not None:
        yield value
