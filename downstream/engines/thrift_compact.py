"""Thrift's compact protocol, read into plain trees and written back, whatever the fields mean.

Parquet footers and page headers are written in it. A tree keeps every field it met, known or not, so that what is
written again says all that was read. See thrift/doc/specs/thrift-compact-protocol.md.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

TRUE, FALSE, BYTE, I16, I32, I64, DOUBLE, BINARY, LIST, SET, MAP, STRUCT, UUID = range(1, 14)
_INTEGERS = {I16, I32, I64}
_FIXED = {BYTE: 1, DOUBLE: 8, UUID: 16}
_DEEPEST = 64


class ThriftError(ValueError):
    """The bytes are no compact Thrift, or end too early."""


class Field(NamedTuple):
    """A value and its kind on the wire; whole numbers are int, booleans bool, text and fixed widths bytes."""

    kind: int
    value: Any


class Items(NamedTuple):
    """A list or set: all of one kind."""

    kind: int
    values: list[Any]


class Pairs(NamedTuple):
    """A map."""

    keys: int
    kind: int
    values: list[tuple[Any, Any]]


Struct = dict[int, Field]
"""Fields by number, in the order in which they were written."""


def read_struct(data: bytes, start: int = 0) -> tuple[Struct, int]:
    """The struct that begins at `start`, and where it ends. Raises ThriftError."""
    reader = _Reader(data, start)
    try:
        return reader.struct(0), reader.position
    except IndexError:
        raise ThriftError("the data end within a struct") from None


def write_struct(tree: Struct) -> bytes:
    """The bytes of a struct; of one that was read from the shortest form, the same bytes."""
    out = bytearray()
    _write_struct(out, tree)
    return bytes(out)


def number(tree: Struct, field: int, default: int = 0) -> int:
    """A whole number of the struct. Raises ThriftError where it is something else."""
    if field not in tree:
        return default
    if tree[field].kind not in _INTEGERS:
        raise ThriftError("a number was expected")
    return int(tree[field].value)


def structs(tree: Struct, field: int) -> list[Struct]:
    """A list of structs. Raises ThriftError where it is something else, or missing."""
    items = tree[field].value if field in tree and tree[field].kind == LIST else None
    if items is None or (items.values and items.kind != STRUCT):
        raise ThriftError("a list of structs was expected")
    return list(items.values)


def struct_of(tree: Struct, field: int) -> Struct:
    """A struct within. Raises ThriftError where it is something else, or missing."""
    if field not in tree or tree[field].kind != STRUCT:
        raise ThriftError("a struct was expected")
    found: Struct = tree[field].value
    return found


class _Reader:
    def __init__(self, data: bytes, position: int) -> None:
        self.data = data
        self.position = position

    def varint(self) -> int:
        byte = self.data[self.position]
        if byte < 0x80:
            self.position += 1
            return byte
        result = shift = 0
        while True:
            byte = self.data[self.position]
            self.position += 1
            result |= (byte & 0x7F) << shift
            if byte < 0x80:
                return result
            shift += 7
            if shift > 63:
                raise ThriftError("a number is too long")

    def zigzag(self) -> int:
        raw = self.varint()
        return (raw >> 1) ^ -(raw & 1)

    def take(self, length: int) -> bytes:
        end = self.position + length
        if end > len(self.data):
            raise IndexError
        taken = self.data[self.position : end]
        self.position = end
        return bytes(taken)

    def struct(self, depth: int) -> Struct:
        if depth > _DEEPEST:
            raise ThriftError("structs are nested too deeply")
        tree: Struct = {}
        last = 0
        while True:
            head = self.data[self.position]
            self.position += 1
            if head == 0:
                return tree
            kind, step = head & 0x0F, head >> 4
            last = last + step if step else self.zigzag()
            if last in tree:
                raise ThriftError("a field is there twice")
            if kind in _INTEGERS:
                raw = self.varint()
                tree[last] = Field(kind, (raw >> 1) ^ -(raw & 1))
            else:
                tree[last] = Field(kind, kind == TRUE if kind in (TRUE, FALSE) else self.value(kind, depth))

    def value(self, kind: int, depth: int) -> Any:
        if kind in _INTEGERS:
            return self.zigzag()
        if kind == BINARY:
            return self.take(self.varint())
        if kind == STRUCT:
            return self.struct(depth + 1)
        if kind in (LIST, SET):
            return self.items(depth + 1)
        if kind == MAP:
            return self.pairs(depth + 1)
        if kind in (TRUE, FALSE):
            return self.take(1) == b"\1"
        if kind not in _FIXED:
            raise ThriftError("a field is of an unknown kind")
        return self.take(_FIXED[kind])

    def items(self, depth: int) -> Items:
        head = self.take(1)[0]
        count = head >> 4
        count = self.varint() if count == 15 else count
        self._check_room(count)
        return Items(head & 0x0F, [self.value(head & 0x0F, depth) for _ in range(count)])

    def pairs(self, depth: int) -> Pairs:
        count = self.varint()
        self._check_room(count)
        kinds = self.take(1)[0] if count else 0
        return Pairs(
            kinds >> 4,
            kinds & 0x0F,
            [(self.value(kinds >> 4, depth), self.value(kinds & 0x0F, depth)) for _ in range(count)],
        )

    def _check_room(self, count: int) -> None:
        # every element takes a byte or more: a count beyond that would only use up memory
        if count > len(self.data) - self.position:
            raise IndexError


def _write_varint(out: bytearray, value: int) -> None:
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)


def _write_zigzag(out: bytearray, value: int) -> None:
    _write_varint(out, value << 1 if value >= 0 else (-value << 1) - 1)


def _write_struct(out: bytearray, tree: Struct) -> None:
    last = 0
    for field, (kind, value) in tree.items():
        kind = (TRUE if value else FALSE) if kind in (TRUE, FALSE) else kind
        if 0 < field - last <= 15:
            out.append((field - last) << 4 | kind)
        else:
            out.append(kind)
            _write_zigzag(out, field)
        last = field
        if kind not in (TRUE, FALSE):
            _WRITERS[kind](out, value)
    out.append(0)


def _write_binary(out: bytearray, value: bytes) -> None:
    _write_varint(out, len(value))
    out += value


def _write_fixed(out: bytearray, value: bytes) -> None:
    out += value


def _write_boolean(out: bytearray, value: bool) -> None:
    out.append(TRUE if value else FALSE)


def _write_items(out: bytearray, items: Items) -> None:
    count = len(items.values)
    out.append(min(count, 15) << 4 | items.kind)
    if count >= 15:
        _write_varint(out, count)
    for value in items.values:
        _WRITERS[items.kind](out, value)


def _write_pairs(out: bytearray, pairs: Pairs) -> None:
    _write_varint(out, len(pairs.values))
    if pairs.values:
        out.append(pairs.keys << 4 | pairs.kind)
    for key, value in pairs.values:
        _WRITERS[pairs.keys](out, key)
        _WRITERS[pairs.kind](out, value)


_WRITERS: dict[int, Callable[[bytearray, Any], None]] = {
    TRUE: _write_boolean,
    FALSE: _write_boolean,
    BYTE: _write_fixed,
    I16: _write_zigzag,
    I32: _write_zigzag,
    I64: _write_zigzag,
    DOUBLE: _write_fixed,
    BINARY: _write_binary,
    LIST: _write_items,
    SET: _write_items,
    MAP: _write_pairs,
    STRUCT: _write_struct,
    UUID: _write_fixed,
}
