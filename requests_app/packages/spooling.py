"""The rows of one part between being read once and written three times: in an encrypted file without a name.

Whoever dies leaves nothing: the file is gone with the process, and its key was only in memory.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, BinaryIO

import orjson

from portal import sealed_files
from requests_app.file_contents.reader import Reader
from requests_app.packages import file_words
from requests_app.packages.parts import Column, Content, Part, Row, Unreadable, plain
from requests_app.packages.redaction import File, InForce, Redactor

KIND = "packages"
Keep = Callable[[str, Iterator[bytes]], object]
_MOST_COLUMNS = 1_000
_LOOKED_FOR = 1_800.0
"""Seconds that taking apart the files of one part may take altogether."""
OTHERS = "_others"
"""The column that takes in what has no column of its own any more."""
_TYPES = {bool: "boolean", int: "integer", float: "number", str: "string", list: "array", dict: "object"}


@dataclass
class Spooled:
    """What was read: how many rows, their columns and types, what was left out, and why it ends early if it does."""

    part: Part
    redactor: Redactor
    columns: dict[str, Column]
    types: dict[str, set[str]]
    count: int = 0
    unread: Unreadable | None = None
    file: BinaryIO | None = field(default=None, repr=False)
    key: bytes = field(default=b"", repr=False)

    def rows(self) -> Iterator[Row]:
        """The rows as the person gets them, from the first on each time."""
        assert self.file is not None  # noqa: S101 -- `spool` gives it one
        self.file.seek(0)
        rest = b""
        for chunk in sealed_files.opened(self.file, key=self.key):
            *whole, rest = (rest + chunk).split(b"\n")
            for line in whole:
                yield orjson.loads(line)


@contextmanager
def spool(part: Part, redactions: Sequence[InForce], *, keep: Keep) -> Iterator[Spooled]:
    """Read the part once, take out what is to be left out, and have the rows at hand. Memory stays flat.

    What a row that stays has beside its values is handed to `keep` at once, because it cannot be read later.
    """
    known = {column.name: column for column in part.columns}
    with Reader(seconds=_LOOKED_FOR) as reader, sealed_files.nameless(KIND) as file:
        redactor = Redactor(part.name, part.is_open, redactions, reader)
        read = Spooled(part, redactor, known, {name: set() for name in known}, key=sealed_files.new_key())
        read.file = file
        with sealed_files.SealedWriter(file, key=read.key) as writer:
            _read(read, writer, keep)
        yield read


def _read(read: Spooled, writer: sealed_files.SealedWriter, keep: Keep) -> None:
    try:
        for gathered in read.part.rows():
            before = {name: plain(value) for name, value in gathered.items()}
            row = read.redactor.apply(before)
            if row is not None:
                row = without_files(read.part, read.redactor, gathered, before, row)
                for name, value in gathered.items():
                    # where anything of it was made unreadable, the file is left out as well
                    if isinstance(value, Content) and row.get(name) == before[name]:
                        keep(value.file, value.read())
                row = _known(read, row)
                writer.write(orjson.dumps(row) + b"\n")
                read.count += 1
    except Unreadable as unread:
        read.unread = unread


def without_files(part: Part, redactor: Redactor, gathered: Row, before: Row, row: Row) -> Row:
    """The row without those of its files that hold words which have to go; `before` is `gathered`, made plain."""
    if redactor.seeks_words:
        for found in _files_of(part, gathered, before):
            # what was taken out already brings no file
            if row.get(found.column) == before[found.column]:
                row = redactor.look_into(row, before, found)
    return row


def _files_of(part: Part, gathered: Row, before: Row) -> Iterator[File]:
    named, opened = before.get("file"), part.file
    if opened is not None and isinstance(named, str):
        yield File("file", str(before.get("name") or named), named, lambda: opened(named) or iter(()))
    for name, value in gathered.items():
        if isinstance(value, Content):
            yield File(name, value.name, value.file, value.read)
        else:
            yield from _files_in(name, before[name])


def _files_in(column: str, value: Any) -> Iterator[File]:
    """Pictures, PDFs and archives that are kept in the row itself, as bytes or the base64 of them, at any depth."""
    match value:
        case str():
            content = file_words.file_in(value)
            if content is not None:
                yield File(column, column, "", lambda: iter([content]))
        case list():
            for one in value:
                yield from _files_in(column, one)
        case dict():
            for one in value.values():
                yield from _files_in(column, one)


def _known(read: Spooled, row: Row) -> Row:
    """The row with columns that are all known; a part that is not open has none but its own."""
    fresh = row.keys() - read.columns.keys()
    if fresh:
        if not read.part.is_open:
            raise ValueError(f"part {read.part.name} has no column for what it gives")
        for name in row:
            if name not in read.columns and len(read.columns) < _MOST_COLUMNS:
                _add(read, name)
        others = {name: value for name, value in row.items() if name not in read.columns}
        if others:
            _add(read, OTHERS)
            row = {**{name: value for name, value in row.items() if name in read.columns}, OTHERS: others}
    for name, value in row.items():
        if value is not None:
            read.types[name].add(_TYPES[type(value)])
    return row


def _add(read: Spooled, name: str) -> None:
    read.columns.setdefault(name, Column(name, name, "any"))
    read.types.setdefault(name, set())


def told(counts: Counter[str]) -> list[tuple[str, int]]:
    """Counts by ground, in a steady order."""
    return sorted((str(ground), count) for ground, count in counts.items())
