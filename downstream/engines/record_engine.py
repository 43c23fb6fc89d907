"""The engine for files of records that stand for themselves: lines of JSON, records of CSV, samples of a tar.

It works in the worker's own process, one record at a time, and copies those that stay byte for byte. What a format
adds is how a file falls into records, told twice: by the reader that the new version is written with, and by another
one that compares the two versions.
"""

import hashlib
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from downstream.engines.base import Comparison, DataFile, Shape, Tally
from downstream.engines.errors import ConnectorError, reading
from downstream.engines.records import (
    MISSING,
    FractionAsKey,
    Leaving,
    ListOfKeys,
    Record,
    Seen,
    Values,
    as_statement,
    fraction,
    keys_in,
)
from downstream.engines.spans import WHOLE, Spans

_128_BITS = 2**128
_TALLIED_AT_ONCE = 10_000
_KEYS_AT_ONCE = 10_000


class Format(Protocol):
    """What a format adds. Each method raises ConnectorError and names the file, and the place in it, never its text."""

    def read(self, file: DataFile, columns: Sequence[str]) -> Iterator[Record]:
        """The file's pieces in their order, with the values of these columns. Refuses what is not of the format."""

    def read_again(self, file: DataFile, columns: Sequence[str]) -> Iterator[Record]:
        """The same by another reader. What is not part of what readers read is left out."""

    def rows(self, file: DataFile) -> int:
        """How many records there are, as cheaply as can be."""

    def schema(self, file: DataFile) -> str:
        """The columns of the first record, in words."""

    def whole(
        self, file: DataFile, columns: Sequence[str], wanted: Callable[[Values], bool]
    ) -> Iterator[dict[str, Any]]:
        """Everything that each record holds of which `wanted` is true, by name."""

    def rewrite(self, source: DataFile, target: str, columns: Sequence[str], goes: Callable[[Values], bool]) -> None:
        """Write `source` to `target` without the records of which `goes` is true."""


@dataclass(frozen=True)
class RecordEngine:
    """Implements `downstream.engines.base.Engine` for one format."""

    format: Format
    lists: bool = False
    """Whether a record may name several people."""
    key_optional: bool = False
    """Whether a file may name nobody at all."""

    def inspect(self, file: DataFile, *, key_column: str, created_column: str = "") -> Shape:
        seen = Seen(key_column, created_column)
        for piece in self.format.read(file, _columns(key_column, created_column)):
            if piece.values is not None:
                seen.look(piece.values)
            if seen.enough:
                break
        seen.check_key(file, optional=self.key_optional)
        if created_column:
            seen.check_time(file)
        with reading(file.name), Path(file.path).open("rb") as stream:
            return Shape(
                rows=self.format.rows(file),
                size=Path(file.path).stat().st_size,
                schema=self.format.schema(file) or f"{key_column}: (no records)",
                key_family="text",
                key_type="text",
                token=hashlib.file_digest(stream, "sha256").hexdigest(),
            )

    def check_rewritable(self, file: DataFile) -> None:
        for _ in self.format.read(file, ()):
            pass

    def locate(
        self, files: Sequence[DataFile], *, key_column: str, keys: Collection[str], spans: Spans = WHOLE
    ) -> Mapping[str, int]:
        found = {file.name: self._look(file, key_column, keys, spans)[0] for file in files}
        return {name: rows for name, rows in found.items() if rows}

    def keys(self, file: DataFile, *, key_column: str) -> Iterator[list[str]]:
        distinct: set[str] = set()
        with _one_key_each(file, key_column):
            for piece in self.format.read(file, (key_column,)):
                if piece.values is not None:
                    distinct.update(keys_in(piece.values[0], lists=self.lists))
                if len(distinct) >= _KEYS_AT_ONCE:
                    yield sorted(distinct)
                    distinct.clear()
        yield sorted(distinct)

    def count(self, file: DataFile, *, key_column: str, keys: Collection[str], spans: Spans = WHOLE) -> dict[str, int]:
        return dict(self._look(file, key_column, keys, spans)[1])

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
        look = _Look(self, source, key_column, keys, spans)
        with _one_key_each(source, key_column):
            self.format.rewrite(source, target, look.columns, look.goes)
        look.check()

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
        leaving = Leaving.of(keys, spans, lists=self.lists)
        columns = _columns(key_column, spans.column)
        with _one_key_each(source, key_column):
            before = _Version.of(self.format.read_again(source, columns), leaving)
            new = DataFile(f"the new version of {source.name}", target)
            after = _Version.of(self.format.read_again(new, columns), leaving)
        if after.leaving:
            raise _failed(source, "it still holds rows that have to go")
        if after.staying != before.staying:
            raise _failed(source, f"it holds {after.staying} rows, not {before.staying}")
        if (after.digest, after.order) != (before.digest, before.order):
            raise _failed(source, "what has to stay differs")
        return Comparison(rows_before=before.leaving + before.staying, rows_after=after.staying, digest=after.digest)

    def rows(
        self, file: DataFile, *, key_column: str, keys: Collection[str], groups: Collection[int] | None = None
    ) -> Iterator[dict[str, Any]]:
        look = _Look(self, file, key_column, keys, WHOLE)
        with _one_key_each(file, key_column):
            yield from self.format.whole(file, look.columns, look.goes)
        look.check()

    def check_statements(self, file: DataFile, *, columns: Sequence[str]) -> None:
        if columns:
            for _ in self._said(file, columns[0], columns):
                pass

    def tally(
        self, files: Sequence[DataFile], *, columns: Sequence[str], key_column: str, keys: Collection[str]
    ) -> Iterator[Tally]:
        leaving = Leaving.of(keys, WHOLE, lists=self.lists)
        rows: Counter[tuple[str | None, ...]] = Counter()
        of_keys: Counter[tuple[str | None, ...]] = Counter()
        for file in files:
            for values, said in self._said(file, key_column, columns):
                rows[said] += 1
                with _one_key_each(file, key_column):
                    of_keys[said] += bool(leaving.by(values))
                if len(rows) >= _TALLIED_AT_ONCE:
                    yield from (Tally(one, count, of_keys[one]) for one, count in rows.items())
                    rows.clear()
                    of_keys.clear()
        yield from (Tally(one, count, of_keys[one]) for one, count in rows.items())

    def _look(self, file: DataFile, key_column: str, keys: Collection[str], spans: Spans) -> tuple[int, Counter[str]]:
        look = _Look(self, file, key_column, keys, spans)
        rows = 0
        with _one_key_each(file, key_column):
            for piece in self.format.read(file, look.columns):
                if piece.values is not None:
                    rows += look.goes(piece.values)
        look.check()
        return rows, look.rows_per_key

    def _said(
        self, file: DataFile, key_column: str, columns: Sequence[str]
    ) -> Iterator[tuple[Values, tuple[str | None, ...]]]:
        """Each record's values, and what it says in these columns. Raises ConnectorError where they say nothing."""
        rows, present = 0, [False] * len(columns)
        for piece in self.format.read(file, (key_column, *columns)):
            if piece.values is None:
                continue
            rows += 1
            told = piece.values[1:]
            present = [was or value is not MISSING for was, value in zip(present, told, strict=True)]
            try:
                said = tuple(as_statement(value) for value in told)
            except TypeError:
                raise ConnectorError(
                    "statement_column_unsupported",
                    f"A record of {file.name} holds a list, an object or a fraction in {' or '.join(columns)}; "
                    "a statement is text, a whole number, or true or false.",
                    permanent=True,
                ) from None
            yield piece.values, said
        missing = [name for name, was in zip(columns, present, strict=True) if not was]
        if rows and missing:
            raise ConnectorError(
                "statement_column_missing",
                f"{file.name} has no {' and no '.join(missing)} in any of its records; leave it out.",
                permanent=True,
            )


class _Look:
    """One pass over a file's records: which go, of whom, and whether the columns tell it."""

    def __init__(
        self, engine: RecordEngine, file: DataFile, key_column: str, keys: Collection[str], spans: Spans
    ) -> None:
        self.columns = _columns(key_column, spans.column)
        self.rows_per_key: Counter[str] = Counter()
        self._file, self._optional = file, engine.key_optional
        self._leaving = Leaving.of(keys, spans, lists=engine.lists)
        self._seen = Seen(key_column, spans.column)

    def goes(self, values: Values) -> bool:
        """Whether the record has to go."""
        if not self._seen.enough:
            self._seen.look(values)
        keys = self._leaving.by(values)
        if not keys:
            return False
        self.rows_per_key.update(keys)
        return True

    def check(self) -> None:
        """Raises ConnectorError where the file could not tell what was asked of it."""
        self._seen.check_key(self._file, optional=self._optional)
        # a file that holds nobody whose rows go by their time need not tell it
        if any(key in self._leaving.spans for key in self.rows_per_key):
            self._seen.check_time(self._file)


@dataclass(frozen=True)
class _Version:
    """One version of a file, read for the comparison."""

    leaving: int
    staying: int
    digest: str
    """Of the records that stay, whatever their order."""
    order: str
    """Of everything that stays, in its order."""

    @classmethod
    def of(cls, pieces: Iterator[Record], leaving: Leaving) -> "_Version":
        gone = staying = total = 0
        order = hashlib.blake2b()
        for piece in pieces:
            if piece.values is not None and leaving.by(piece.values):
                gone += piece.rows
                continue
            digest = hashlib.blake2b(piece.raw, digest_size=16).digest()
            order.update(digest)
            if piece.values is not None:
                staying += piece.rows
                total += int.from_bytes(digest)
        return cls(gone, staying, f"{staying}:{total % _128_BITS:032x}", order.hexdigest())


def _columns(key_column: str, created_column: str) -> tuple[str, ...]:
    return (key_column, created_column) if created_column else (key_column,)


@contextmanager
def _one_key_each(file: DataFile, key_column: str) -> Iterator[None]:
    try:
        yield
    except ListOfKeys:
        raise ConnectorError(
            "list_of_keys",
            f"{file.name} holds records of which {key_column} is a list of people; set the option key_lists where "
            "a record has to go with any of them.",
            permanent=True,
        ) from None
    except FractionAsKey:
        raise fraction(file, key_column) from None


def _failed(source: DataFile, why: str) -> ConnectorError:
    return ConnectorError(
        "verification_failed",
        f"The new version of {source.name} was thrown away: {why}. The old one is untouched; report this.",
        permanent=True,
    )
