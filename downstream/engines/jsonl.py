"""Files of JSON lines: one JSON text a line, plain or packed. Lines that stay are copied, never written anew.

A line ends with a newline; the last one may lack it. Blank lines and a byte-order mark are kept and are no records.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from functools import partial
from io import BufferedReader
from typing import Any

from downstream.engines import packing
from downstream.engines.base import DataFile
from downstream.engines.errors import ConnectorError, writing
from downstream.engines.json_values import NotJson, Paths, names, whole
from downstream.engines.options import flag
from downstream.engines.record_engine import RecordEngine
from downstream.engines.records import LONGEST, Record, Values

_MARK = b"\xef\xbb\xbf"


class JsonLines:
    """Implements `downstream.engines.record_engine.Format`: orjson reads, Python's own reader reads again."""

    def read(self, file: DataFile, columns: Sequence[str]) -> Iterator[Record]:
        return _records(file, packing.read(file), Paths(columns).read)

    def read_again(self, file: DataFile, columns: Sequence[str]) -> Iterator[Record]:
        return _records(file, packing.read_again(file), Paths(columns).read_again)

    def rows(self, file: DataFile) -> int:
        with packing.read(file) as stream:
            found = lines(file, stream)
            first = next(found, b"").removeprefix(_MARK)
            return bool(first.strip()) + sum(not line.isspace() for line in found)

    def schema(self, file: DataFile) -> str:
        for record in _records(file, packing.read(file), lambda text: (text,)):
            if record.values is not None:
                return ", ".join(names(record.values[0]))
        return ""

    def whole(
        self, file: DataFile, columns: Sequence[str], wanted: Callable[[Values], bool]
    ) -> Iterator[dict[str, Any]]:
        for record in self.read(file, columns):
            if record.values is not None and wanted(record.values):
                yield whole(record.raw)

    def rewrite(self, source: DataFile, target: str, columns: Sequence[str], goes: Callable[[Values], bool]) -> None:
        copy(source, target, self.read(source, columns), goes)


def copy(source: DataFile, target: str, pieces: Iterator[Record], goes: Callable[[Values], bool]) -> None:
    """Write the pieces that stay to `target`, packed as `source` is."""
    kind = packing.packing_of(source)
    with writing(source.name), packing.write(target, kind) as out:
        for piece in pieces:
            if piece.values is None or not goes(piece.values):
                out.write(piece.raw)


def lines(file: DataFile, stream: BufferedReader) -> Iterator[bytes]:
    """The lines with their ends. Raises ConnectorError for one that is too long to be held."""
    for number, line in enumerate(iter(partial(stream.readline, LONGEST + 1), b""), start=1):
        if len(line) > LONGEST:
            raise ConnectorError(
                "record_too_long",
                f"{file.name}: line {number} is longer than {LONGEST >> 20} MiB; have its owner divide it.",
                permanent=True,
            )
        yield line


def _records(
    file: DataFile, opened: AbstractContextManager[BufferedReader], read: Callable[[bytes], Values]
) -> Iterator[Record]:
    with opened as stream:
        number = 0
        for number, line in enumerate(lines(file, stream), start=1):
            if number == 1 and line.startswith(_MARK):
                yield Record(_MARK, None)
                line = line[len(_MARK) :]
            if not line.strip():
                if line:
                    yield Record(line, None)
                continue
            try:
                values = read(line)
            except NotJson:
                raise ConnectorError(
                    "not_jsonl",
                    f"{file.name}: line {number} is not JSON; have its owner repair or remove it.",
                    permanent=True,
                ) from None
            yield Record(line, values)


def from_options(options: Mapping[str, Any]) -> RecordEngine:
    """Set up by `key_lists` and `key_optional`. Raises ConnectorError for values that cannot be."""
    return RecordEngine(JsonLines(), lists=flag(options, "key_lists"), key_optional=flag(options, "key_optional"))
