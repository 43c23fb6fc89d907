"""Files of records with one separator: CSV, TSV and their like, plain or packed. Records that stay are copied.

The rules are RFC 4180's: a field in quotes holds separators, line ends and doubled quotes. What readers take for
different things is refused with its line: a quote that opens late or closes early, a lone carriage return,
a record of more or fewer fields than the others. Blank lines are kept and are no records.
"""

import csv
import io
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NoReturn

from downstream.engines import packing
from downstream.engines.arrow_values import distinct
from downstream.engines.base import DataFile
from downstream.engines.errors import ConnectorError
from downstream.engines.jsonl import copy, lines
from downstream.engines.options import choice, flag, invalid, text
from downstream.engines.record_engine import RecordEngine
from downstream.engines.records import LONGEST, MISSING, Fraction, Record, Values

# in all of them a byte below 128 is that letter, wherever it stands
ENCODINGS = ("utf-8", "latin-1", "cp1252", "ascii")
_MARK = b"\xef\xbb\xbf"
_FRACTION = re.compile(r"-?[0-9]{1,20}\.[0-9]{1,20}")
_WHOLE = re.compile(r"0|-?[1-9][0-9]{0,18}")
_BLANK = (b"\n", b"\r\n", b"\r", b"")


@dataclass(frozen=True)
class Csv:
    """Implements `downstream.engines.record_engine.Format`: the splitter here reads, Python's own reads again."""

    delimiter: str = ""
    """One ASCII letter; empty: a tab in .tsv files, a comma elsewhere."""
    quote: str = '"'
    """The quote, or empty where none means anything."""
    encoding: str = "utf-8"
    header: bool = True
    """Whether the first record names the columns; else they are named by their number, from 0."""

    def read(self, file: DataFile, columns: Sequence[str]) -> Iterator[Record]:
        with packing.read(file) as stream:
            yield from self._records(file, columns, _Splitter(self, file).split(lines(file, stream)))

    def read_again(self, file: DataFile, columns: Sequence[str]) -> Iterator[Record]:
        with packing.read_again(file) as stream:
            yield from self._records(file, columns, _split_again(self, file, lines(file, stream)))

    def rows(self, file: DataFile) -> int:
        return sum(piece.values is not None for piece in self.read(file, ()))

    def schema(self, file: DataFile) -> str:
        with packing.read(file) as stream:
            for raw, fields in _Splitter(self, file).split(lines(file, stream)):
                if raw not in (*_BLANK, _MARK):
                    return ", ".join(self._names(file, fields))
        return ""

    def whole(
        self, file: DataFile, columns: Sequence[str], wanted: Callable[[Values], bool]
    ) -> Iterator[dict[str, Any]]:
        """Fields are texts, an empty one nothing; bytes where they are not in the file's encoding."""
        names: list[str] | None = None
        for record in self.read(file, columns):
            if record.raw in (*_BLANK, _MARK):
                continue
            if names is None:
                names = distinct(self._names(file, self._fields(file, record)))
            if record.values is not None and wanted(record.values):
                told = map(self._told, self._fields(file, record))
                yield dict(zip(names, told, strict=True))

    def rewrite(self, source: DataFile, target: str, columns: Sequence[str], goes: Callable[[Values], bool]) -> None:
        copy(source, target, self.read(source, columns), goes)

    def separator(self, file: DataFile) -> str:
        """What stands between two fields of this file."""
        return self.delimiter or ("\t" if packing.bare(file.name).endswith(".tsv") else ",")

    def _records(
        self, file: DataFile, columns: Sequence[str], split: Iterator[tuple[bytes, list[bytes]]]
    ) -> Iterator[Record]:
        places: list[int] | None = None
        width = number = 0
        for raw, fields in split:
            number += raw.count(b"\n")
            if raw in (*_BLANK, _MARK):
                if raw:
                    yield Record(raw, None)
                continue
            if places is None:
                width = len(fields)
                places = self._places(file, self._names(file, fields), columns)
                if self.header:
                    yield Record(raw, None)
                    continue
            if len(fields) != width:
                refuse(file, number, f"has {len(fields)} fields, not {width}")
            try:
                yield Record(raw, self._values(fields, places))
            except UnicodeDecodeError:
                refuse(file, number, f"is not {self.encoding} where it is looked at; set the option encoding")

    def _values(self, fields: Sequence[bytes], places: Sequence[int]) -> Values:
        """The fields at these places; the first is the key, of which every digit counts."""
        told: list[Any] = [MISSING if place < 0 else fields[place].decode(self.encoding) for place in places]
        return tuple(
            value if value is MISSING else _meant(value, is_key=number == 0) for number, value in enumerate(told)
        )

    def _fields(self, file: DataFile, record: Record) -> list[bytes]:
        _, fields = next(_Splitter(self, file).split(lines(file, io.BufferedReader(io.BytesIO(record.raw)))))
        return fields

    def _told(self, field: bytes) -> str | bytes | None:
        try:
            return field.decode(self.encoding) or None
        except UnicodeDecodeError:
            return field

    def _names(self, file: DataFile, fields: Sequence[bytes]) -> list[str]:
        if not self.header:
            return [str(number) for number in range(len(fields))]
        try:
            return [field.decode(self.encoding) for field in fields]
        except UnicodeDecodeError:
            refuse(file, 1, f"is not {self.encoding}; set the option encoding")

    def _places(self, file: DataFile, names: Sequence[str], columns: Sequence[str]) -> list[int]:
        for column in columns:
            if names.count(column) > 1:
                raise ConnectorError(
                    "column_ambiguous",
                    f"{file.name} has more than one column {column}; have the others renamed.",
                    permanent=True,
                )
        return [names.index(column) if column in names else -1 for column in columns]


def _meant(value: str, *, is_key: bool) -> Any:
    """The value that was written: nothing, a fraction, a whole number where digits do not count, or a text.

    A key is always its text. Where every key is a fraction, who wrote the file has lost what its keys were.
    """
    if not value:
        return None
    if "." in value and _FRACTION.fullmatch(value):
        return Fraction(value) if is_key else float(value)
    if not is_key and _WHOLE.fullmatch(value):
        return int(value)
    return value


class _Splitter:
    """Splits lines into records and fields, over bytes."""

    def __init__(self, rules: Csv, file: DataFile) -> None:
        self._separator = rules.separator(file).encode("ascii")
        self._quote = rules.quote.encode("ascii")
        self._file = file
        self._number = 0

    def split(self, found: Iterator[bytes]) -> Iterator[tuple[bytes, list[bytes]]]:
        """Each record's bytes and its fields without their quotes; a blank line and the mark have none."""
        for line in found:
            self._number += 1
            if self._number == 1 and line.startswith(_MARK):
                yield _MARK, []
                line = line[len(_MARK) :]
            if not self._quote or self._quote not in line:
                yield line, self._bare(line).split(self._separator)
            else:
                yield self._quoted(line, found)

    def _bare(self, line: bytes) -> bytes:
        ended = line.removesuffix(b"\n").removesuffix(b"\r")
        if b"\r" in ended:
            refuse(self._file, self._number, "holds a carriage return that is no line end and not in quotes")
        return ended

    def _quoted(self, raw: bytes, found: Iterator[bytes]) -> tuple[bytes, list[bytes]]:
        """A record whose first line is `raw`; it takes more lines while a quote is open."""
        fields, at, taken = [], 0, [raw]
        line = raw
        while True:
            if line.startswith(self._quote, at):
                value, line, at = self._in_quotes(line, at + 1, found, taken)
                fields.append(value)
            else:
                end = line.find(self._separator, at)
                value = self._bare(line[at:]) if end < 0 else line[at:end]
                self._check_bare(value)
                fields.append(value)
                at = len(line) if end < 0 else end
            if not line.startswith(self._separator, at):
                break
            at += 1
        if line[at:] not in _BLANK:
            refuse(self._file, self._number, "goes on behind a closing quote")
        return b"".join(taken), fields

    def _in_quotes(self, line: bytes, at: int, found: Iterator[bytes], taken: list[bytes]) -> tuple[bytes, bytes, int]:
        """The field that opens before `at`; with it the line that it closes on, and the place behind."""
        first, parts, size = self._number, [], 0
        while True:
            close = line.find(self._quote, at)
            if close < 0:
                parts.append(line[at:])
                size += len(line)
                line, at = next(found, b""), 0
                if not line or size > LONGEST:
                    refuse(self._file, first, "opens a quote that is not closed")
                taken.append(line)
                self._number += 1
            elif line.startswith(self._quote, close + 1):
                parts.append(line[at : close + 1])
                at = close + 2
            else:
                parts.append(line[at:close])
                return b"".join(parts), line, close + 1

    def _check_bare(self, value: bytes) -> None:
        if b"\r" in value:
            refuse(self._file, self._number, "holds a carriage return that is no line end and not in quotes")
        if value.lstrip(b" ").startswith(self._quote):
            refuse(self._file, self._number, "has spaces before a quote, which readers take differently")


def _split_again(rules: Csv, file: DataFile, found: Iterator[bytes]) -> Iterator[tuple[bytes, list[bytes]]]:
    """The same by Python's reader; a record is the lines that it took."""
    csv.field_size_limit(max(LONGEST, csv.field_size_limit()))
    taken: list[bytes] = []

    def told() -> Iterator[str]:
        for line in found:
            taken.append(line)
            yield line.decode("latin-1")

    quoting: Literal[0, 3] = csv.QUOTE_MINIMAL if rules.quote else csv.QUOTE_NONE
    reader = csv.reader(
        _without_mark(told(), taken), delimiter=rules.separator(file), quotechar=rules.quote or None,
        quoting=quoting, strict=True,
    )  # fmt: skip
    try:
        for number, fields in enumerate(reader):
            raw = b"".join(taken)
            taken.clear()
            if number == 0 and raw.startswith(_MARK):
                yield _MARK, []
                raw = raw[len(_MARK) :]
            yield raw, [field.encode("latin-1") for field in fields]
    except csv.Error:
        refuse(file, reader.line_num, "is not CSV by these rules")


def _without_mark(found: Iterator[str], taken: list[bytes]) -> Iterator[str]:
    for number, line in enumerate(found):
        yield line[len(_MARK) :] if number == 0 and taken[0].startswith(_MARK) else line


def refuse(file: DataFile, number: int, why: str) -> NoReturn:
    """A record that cannot be taken in one way only."""
    raise ConnectorError(
        "not_csv",
        f"{file.name}: the record that ends on line {number} {why}; have its owner repair it, "
        "or correct the options delimiter, quote, encoding and header.",
        permanent=True,
    )


def from_options(options: Mapping[str, Any]) -> RecordEngine:
    """Set up by `delimiter`, `quote`, `encoding`, `header`. Raises ConnectorError for values that cannot be."""
    delimiter = text(options, "delimiter", "")
    if len(delimiter) > 1 or not delimiter.isascii() or (delimiter and delimiter in "\r\n\"'\0 "):
        raise invalid("delimiter", "one ASCII letter that is no quote, space or line end")
    return RecordEngine(
        Csv(
            delimiter,
            choice(options, "quote", ('"', "'", ""), '"'),
            choice(options, "encoding", ENCODINGS, "utf-8"),
            flag(options, "header", default=True),
        )
    )
