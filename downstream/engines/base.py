"""What an engine does for a connector: the work on the data of files, wherever it runs.

A connector knows which files a dataset has and how one is swapped atomically; an engine finds rows in files,
writes a file's new version and compares the two. Everything that goes in or comes out is plain data, so that an
engine may carry it to another machine. An engine never renames, deletes or syncs anything.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import pyarrow as pa

from downstream.engines.columns import Column
from downstream.engines.spans import WHOLE, Spans


@dataclass(frozen=True)
class DataFile:
    """A file by the name people know it by (used in messages) and by where it is."""

    name: str
    path: str


@dataclass(frozen=True)
class Shape:
    """What a file's own header says about it."""

    rows: int
    size: int
    schema: str
    key_family: str
    key_type: str
    token: str
    """A digest of the header: equal for equal files, cheap because no data is read."""
    columns: tuple[Column, ...] = ()


@dataclass(frozen=True)
class Comparison:
    """An old and a new file, looked at afresh and found to differ by the keys' rows only."""

    rows_before: int
    rows_after: int
    digest: str
    """Over all rows that stay, and equal in both: their number, and two sums over them.

    It does not depend on the order of rows: every row adds its hashes. Only where a row group of the new file is byte
    for byte one of the old file's, the hash of its bytes is added in place of its rows'.
    """


@dataclass(frozen=True)
class Tally:
    """Rows that hold these values, as text, in the columns that were asked for; null is None."""

    values: tuple[str | None, ...]
    rows: int
    of_keys: int
    """How many of them are of the keys."""


class Engine(Protocol):
    """Each method raises ConnectorError, and names the file in it.

    `keys` lose every row, the keys of `spans` only rows made in their spans.
    """

    def inspect(self, file: DataFile, *, key_column: str, created_column: str = "") -> Shape:
        """Look at one file's header and check that keys, and times where asked for, can be found in it."""

    def check_rewritable(self, file: DataFile) -> None:
        """Refuse a file whose new version could not be the same but for its rows."""

    def locate(
        self, files: Sequence[DataFile], *, key_column: str, keys: Collection[str], spans: Spans = WHOLE
    ) -> Mapping[str, int]:
        """Scan the key column of all files; rows that have to go by file name, where there are any."""

    def keys(self, file: DataFile, *, key_column: str) -> Iterator[list[str]]:
        """The distinct keys of one file as text, some thousands at a time; a key may come more than once."""

    def count(self, file: DataFile, *, key_column: str, keys: Collection[str], spans: Spans = WHOLE) -> dict[str, int]:
        """Rows that have to go of each key that is in this file."""

    def rewrite(
        self,
        source: DataFile,
        target: str,
        *,
        key_column: str,
        keys: Collection[str],
        spans: Spans = WHOLE,
        groups: Collection[int] | None = None,
    ) -> None:
        """Write `source` without the rows that have to go to `target`, and change nothing else.

        `groups` are the numbers of the row groups that hold such rows, where the caller knows; None looks for them.
        Where they are not all, rows that have to go stay in `target`, and `compare` says so.
        """

    def compare(
        self,
        source: DataFile,
        target: str,
        *,
        key_column: str,
        keys: Collection[str],
        spans: Spans = WHOLE,
        groups: Collection[int] | None = None,
    ) -> Comparison:
        """Read both afresh, by another reader than the writer's; raises `verification_failed`.

        `groups` may be what `rewrite` was given; nothing is taken for true because of it.
        """

    def rows(
        self, file: DataFile, *, key_column: str, keys: Collection[str], groups: Collection[int] | None = None
    ) -> Iterator[dict[str, Any]]:
        """Every row of the keys with all that it holds, one after the other; memory does not grow with their number.

        `groups` are the row groups that hold such rows, where the caller knows; None looks for them.
        """

    def check_statements(self, file: DataFile, *, columns: Sequence[str]) -> None:
        """Refuse a file without these columns, or in which they cannot be read as text."""

    def tally(
        self, files: Sequence[DataFile], *, columns: Sequence[str], key_column: str, keys: Collection[str]
    ) -> Iterator[Tally]:
        """Scan all files; rows by the values of the columns. Equal values may come more than once."""


@runtime_checkable
class Grouped(Engine, Protocol):
    """An engine whose files the subject index can be made of. Other files are looked at whole."""

    def columns_by_group(
        self, file: DataFile, *, columns: Sequence[str], groups: Collection[int] | None = None
    ) -> Iterator[tuple[int, pa.Table]]:
        """These columns, group by group of rows that can be read by themselves, or of `groups` alone.

        Groups are numbered from 0; a format without any has but the group 0. A group may come in several tables of
        bounded length. Raises ConnectorError.
        """
