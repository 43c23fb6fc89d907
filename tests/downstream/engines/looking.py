"""Everything that a Parquet file says, as bytes: for tests that look for what should not be there."""

import os
from pathlib import Path

import pyarrow as pa

from downstream.engines import thrift_compact as thrift
from downstream.engines.held_bytes import InFile, Range
from downstream.engines.parquet_footers import Chunk, Layout, layout_of
from downstream.engines.parquet_pages import _CODECS, pages_of


def layout(path: Path | str) -> Layout:
    handle = os.open(path, os.O_RDONLY)
    try:
        found = layout_of(InFile.all_of(handle))
    finally:
        os.close(handle)
    assert found is not None
    return found


def everything_in(path: Path | str) -> bytes:
    """The file's bytes, and each page's as they were before compression."""
    data = Path(path).read_bytes()
    handle = os.open(path, os.O_RDONLY)
    try:
        held = InFile.all_of(handle)
        pages = [_unpacked(held, chunk) for group in layout(path).groups for chunk in group.chunks]
    finally:
        os.close(handle)
    return b"\n".join([data, *pages])


def _unpacked(held: InFile, chunk: Chunk) -> bytes:
    codec = thrift.number(chunk.meta, 4)
    bodies = []
    for page in pages_of(held, chunk):
        plain = 0
        if 8 in page.header:
            second = thrift.struct_of(page.header, 8)
            plain = thrift.number(second, 5) + thrift.number(second, 6)
        body = held.read(page.body)
        bodies.append(body)
        if codec:
            size = thrift.number(page.header, 2) - plain
            if size and body[plain:]:
                bodies.append(pa.Codec(_CODECS[codec]).decompress(body[plain:], size, asbytes=True))
    return b"\n".join(bodies)


def covered(path: Path | str) -> int:
    """How many bytes of the file its footer accounts for, itself and the magic words included."""
    data = Path(path).read_bytes()
    footer = int.from_bytes(data[-8:-4], "little") + 8
    places: list[Range] = [
        place for group in layout(path).groups for chunk in group.chunks for place in (chunk.pages, *chunk.extras)
    ]
    return 4 + sum(place.length for place in places) + footer
