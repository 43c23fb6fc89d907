"""What lies where in a Parquet file: row groups, column chunks, Bloom filters and page indexes, by the footer.

`layout_of` decides whether row groups of a file can be carried over without decoding them. It knows every field of
the format's structs that may hold a place in the file (parquet.thrift of format 2.12); a field that it does not know
there might hold one too, and then the file is not understood. Unknown fields elsewhere are carried along.
"""

from dataclasses import dataclass

from downstream.engines import thrift_compact as thrift
from downstream.engines.held_bytes import NOWHERE, EndsEarlyError, Held, Range
from downstream.engines.thrift_compact import Field, Items, Struct, ThriftError

MAGIC = b"PAR1"
_TAIL = 8
# FileMetaData, RowGroup, ColumnChunk, ColumnMetaData, by field; encryption is left out: such files are not understood
_FILE_FIELDS = range(1, 8)
_GROUP_FIELDS = range(1, 8)
_CHUNK_FIELDS = range(1, 8)
_META_FIELDS = range(1, 18)
_LOCATION_FIELDS = range(1, 4)
_INDEX_FIELDS = range(1, 3)
_FILTER_HEADER = 64


class NotUnderstoodError(Exception):
    """Something about the file is of a kind that is not known here; it has to be rewritten wholly."""


NOT_UNDERSTOOD = (NotUnderstoodError, ThriftError)
"""What reading a file's structs may raise, besides OSError."""


@dataclass(frozen=True)
class Chunk:
    """One column of a row group."""

    tree: Struct
    pages: Range
    bloom: Range | None
    column_index: Range | None
    offset_index: Range | None

    @property
    def meta(self) -> Struct:
        return thrift.struct_of(self.tree, 3)

    @property
    def extras(self) -> list[Range]:
        return [one for one in (self.bloom, self.column_index, self.offset_index) if one]


@dataclass(frozen=True)
class Group:
    """One row group: its chunks, its rows, and the number of the first of them in the file."""

    tree: Struct
    chunks: tuple[Chunk, ...]
    rows: int
    first_row: int


@dataclass(frozen=True)
class Layout:
    """A file's footer, and its row groups in order."""

    footer: bytes
    tree: Struct
    groups: tuple[Group, ...]


def layout_of(file: Held) -> Layout | None:
    """Where everything of a file is; None where not all of that is understood. Raises OSError."""
    try:
        footer = _footer(file)
        tree, end = thrift.read_struct(footer)
        if end != len(footer):
            return None
        layout = _layout(file, footer, tree)
        _check_places(layout, file.size - _TAIL - len(footer))
    except (*NOT_UNDERSTOOD, EndsEarlyError):
        return None
    return layout


def comes_out_as_it_went_in(layout: Layout) -> bool:
    """Whether the footer is in the form in which it would be written again; else a rewrite would change that."""
    return thrift.write_struct(layout.tree) == layout.footer


def relative(chunk: Chunk) -> Struct:
    """The chunk's entry with the places of pages counted from where they begin, and nothing said about other places.

    The offset index has another length where its numbers are smaller or larger, so that is left out too.
    """
    return moved(chunk, pages=0, bloom=0, column_index=0, offset_index=NOWHERE)


def moved(chunk: Chunk, *, pages: int, bloom: int, column_index: int, offset_index: Range) -> Struct:
    """The chunk's entry as it has to read when its parts begin at these places."""
    shift = pages - chunk.pages.start
    meta = dict(chunk.meta)
    for field in (9, 11):
        # some writers say 0 for "none"
        if thrift.number(meta, field) > 0:
            _put(meta, field, thrift.number(meta, field) + shift)
    tree = dict(chunk.tree)
    # a copy of the metadata behind the chunk, which old writers made, is left out; 0 says so
    begins = chunk.pages.start <= thrift.number(tree, 2) < chunk.pages.end
    _put(tree, 2, thrift.number(tree, 2) + shift if begins else 0)
    for owner, field, there, place in (
        (meta, 14, chunk.bloom, bloom),
        (tree, 4, chunk.offset_index, offset_index.start),
        (tree, 5, chunk.offset_index, offset_index.length),
        (tree, 6, chunk.column_index, column_index),
    ):
        if there:
            _put(owner, field, place)
    tree[3] = Field(thrift.STRUCT, meta)
    return tree


def moved_locations(index: bytes, shift: int) -> bytes:
    """An offset index whose pages lie `shift` bytes further on. Raises NotUnderstoodError, ThriftError."""
    tree, _ = thrift.read_struct(index)
    _check_fields(tree, _INDEX_FIELDS)
    pages = []
    for location in thrift.structs(tree, 1):
        _check_fields(location, _LOCATION_FIELDS)
        page = dict(location)
        _put(page, 1, thrift.number(page, 1) + shift)
        pages.append(page)
    tree[1] = Field(thrift.LIST, Items(thrift.STRUCT, pages))
    return thrift.write_struct(tree)


def _put(tree: Struct, field: int, value: int) -> None:
    if field in tree:
        tree[field] = Field(tree[field].kind, value)


def _footer(file: Held) -> bytes:
    size = file.size
    tail = file.read(Range(size - _TAIL, _TAIL)) if size > _TAIL else b""
    length = int.from_bytes(tail[:4], "little")
    if tail[4:] != MAGIC or length + _TAIL + len(MAGIC) > size:
        raise NotUnderstoodError("it does not end as a plain Parquet file does")
    return file.read(Range(size - _TAIL - length, length))


def _layout(file: Held, footer: bytes, tree: Struct) -> Layout:
    _check_fields(tree, _FILE_FIELDS)
    _check_orders(tree)
    groups: list[Group] = []
    rows = 0
    for found in thrift.structs(tree, 4):
        _check_fields(found, _GROUP_FIELDS)
        chunks = tuple(_chunk(file, one) for one in thrift.structs(found, 1))
        groups.append(Group(found, chunks, thrift.number(found, 3), rows))
        rows += groups[-1].rows
    if rows != thrift.number(tree, 3) or any(group.rows < 0 for group in groups):
        raise NotUnderstoodError("the row groups do not hold as many rows as the file")
    return Layout(footer, tree, tuple(groups))


def _check_orders(tree: Struct) -> None:
    # pyarrow would fill in statistics by the order of the type, whatever other order the old ones are in
    for order in thrift.structs(tree, 7) if 7 in tree else []:
        if list(order) != [1]:
            raise NotUnderstoodError("a column is in an unknown order")


def _chunk(file: Held, tree: Struct) -> Chunk:
    _check_fields(tree, _CHUNK_FIELDS)
    if 1 in tree:
        raise NotUnderstoodError("a column lies in another file")
    meta = thrift.struct_of(tree, 3)
    _check_fields(meta, _META_FIELDS)
    if 10 in meta:
        raise NotUnderstoodError("index pages are not known to any reader")
    data, dictionary = thrift.number(meta, 9), thrift.number(meta, 11)
    start = dictionary if 0 < dictionary < data else data
    return Chunk(
        tree=tree,
        pages=Range(start, thrift.number(meta, 7)),
        bloom=_bloom(file, meta),
        column_index=_range(tree, 6, 7),
        offset_index=_range(tree, 4, 5),
    )


def _range(tree: Struct, place: int, length: int) -> Range | None:
    if place not in tree and length not in tree:
        return None
    if thrift.number(tree, place) <= 0 or thrift.number(tree, length) <= 0:
        raise NotUnderstoodError("a page index has no place or no length")
    return Range(thrift.number(tree, place), thrift.number(tree, length))


def _bloom(file: Held, meta: Struct) -> Range | None:
    """The Bloom filter; older writers do not say how long it is, but its header does."""
    if 14 not in meta:
        return None
    start = thrift.number(meta, 14)
    room = file.size - start
    if start <= 0 or room <= 0:
        raise NotUnderstoodError("a Bloom filter lies outside the file")
    header, end = thrift.read_struct(file.read(Range(start, min(room, _FILTER_HEADER))))
    length = end + thrift.number(header, 1)
    if thrift.number(header, 1) <= 0 or thrift.number(meta, 15, length) != length:
        raise NotUnderstoodError("a Bloom filter is not as long as is said")
    return Range(start, length)


def _check_fields(tree: Struct, known: range) -> None:
    if any(field not in known for field in tree):
        raise NotUnderstoodError("a field is unknown and may hold a place in the file")


def _check_places(layout: Layout, end: int) -> None:
    """Everything lies between the magic and the footer, and nothing lies in anything else."""
    places = [place for group in layout.groups for chunk in group.chunks for place in (chunk.pages, *chunk.extras)]
    free = len(MAGIC)
    for place in sorted(places, key=lambda place: (place.start, place.length)):
        if place.start < free or place.length < 0:
            raise NotUnderstoodError("parts of the file overlap")
        free = place.end
    if free > end:
        raise NotUnderstoodError("parts of the file lie outside it")
