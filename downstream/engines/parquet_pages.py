"""The pages of a column chunk, as far as they have to be looked at to carry the chunk over: headers and dictionaries.

A dictionary page may hold values that no row uses: pyarrow writes an Arrow dictionary whole into every row group,
DuckDB an ENUM. A removed person's values could so stay readable in row groups that hold none of their rows.
"""

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Literal

import pyarrow as pa

from downstream.engines import thrift_compact as thrift
from downstream.engines.held_bytes import Held, Range
from downstream.engines.parquet_footers import Chunk, NotUnderstoodError
from downstream.engines.thrift_compact import Struct, ThriftError

BYTE_ARRAY, FIXED_LENGTH = 6, 7
_WIDTHS = {1: 4, 2: 8}
_CODECS: dict[int, Literal["snappy", "gzip", "brotli", "zstd", "lz4_raw"]] = {
    1: "snappy",
    2: "gzip",
    4: "brotli",
    6: "zstd",
    7: "lz4_raw",
}
_DICTIONARY_PAGE = 2
_PAGE_KINDS = {0, 2, 3}
_PLAIN_ENCODINGS = {0, 2}
_FIRST_LOOK, _LONGEST_HEADER = 256, 16 * 2**20
_LARGEST_DICTIONARY = 256 * 2**20
_FEW = 64


@dataclass(frozen=True)
class Page:
    """One page: its header, and where its body lies."""

    header: Struct
    body: Range

    @property
    def is_dictionary(self) -> bool:
        return thrift.number(self.header, 1) == _DICTIONARY_PAGE


def pages_of(file: Held, chunk: Chunk) -> Iterator[Page]:
    """Every page of the chunk. Raises NotUnderstoodError unless they fill it exactly."""
    position = chunk.pages.start
    while position < chunk.pages.end:
        header, length = _header(file, position, chunk.pages.end)
        size = thrift.number(header, 3, -1)
        kind = thrift.number(header, 1, -1)
        page = Page(header, Range(position + length, size))
        if size < 0 or page.body.end > chunk.pages.end or kind not in _PAGE_KINDS:
            raise NotUnderstoodError("a page is of an unknown kind or does not fit")
        if page.is_dictionary and position != chunk.pages.start:
            raise NotUnderstoodError("a dictionary does not come first")
        yield page
        position = page.body.end


def dictionary_of(file: Held, chunk: Chunk) -> bytes:
    """The chunk's dictionary as it was before compression; empty where there is none. Raises NotUnderstoodError."""
    for page in pages_of(file, chunk):
        return _unpacked(file, chunk, page) if page.is_dictionary else b""
    return b""


def values_in(chunk: Chunk, dictionary: bytes, width: int) -> set[bytes]:
    """The values of a dictionary, each as the file holds it. `width` is of fixed-length bytes, in bytes."""
    width = _WIDTHS.get(thrift.number(chunk.meta, 1), width)
    if thrift.number(chunk.meta, 1) != BYTE_ARRAY:
        return {dictionary[start : start + width] for start in range(0, len(dictionary), width)}
    values, position = set(), 0
    while position < len(dictionary):
        start = position + 4
        position = start + int.from_bytes(dictionary[position:start], "little")
        values.add(dictionary[start:position])
    return values


def found_in(chunk: Chunk, dictionary: bytes, width: int, wanted: Collection[bytes]) -> set[bytes]:
    """Those of the wanted values that the dictionary holds."""
    if len(wanted) > _FEW:
        return values_in(chunk, dictionary, width).intersection(wanted)
    # a search that may find too much comes first: it is far quicker than taking the dictionary apart
    framed = thrift.number(chunk.meta, 1) == BYTE_ARRAY
    likely = [one for one in wanted if (len(one).to_bytes(4, "little") + one if framed else one) in dictionary]
    return values_in(chunk, dictionary, width).intersection(likely) if likely else set()


def _header(file: Held, position: int, end: int) -> tuple[Struct, int]:
    look = _FIRST_LOOK
    while True:
        data = file.read(Range(position, min(look, end - position)))
        try:
            return thrift.read_struct(data)
        except ThriftError:
            if len(data) < look or look > _LONGEST_HEADER:
                raise NotUnderstoodError("a page has no readable header") from None
            look *= 16


def _unpacked(file: Held, chunk: Chunk, page: Page) -> bytes:
    size = thrift.number(page.header, 2, -1)
    about = thrift.struct_of(page.header, 7)
    if thrift.number(about, 2, -1) not in _PLAIN_ENCODINGS or not 0 <= size <= _LARGEST_DICTIONARY:
        raise NotUnderstoodError("a dictionary is of an unknown form")
    body = file.read(page.body)
    codec = thrift.number(chunk.meta, 4)
    if codec == 0:
        return body
    if codec not in _CODECS:
        raise NotUnderstoodError("a codec is unknown")
    if not size:
        return b""
    try:
        return pa.Codec(_CODECS[codec]).decompress(body, size, asbytes=True)
    except (OSError, pa.ArrowException):
        raise NotUnderstoodError("a dictionary cannot be unpacked") from None
