"""The Merkle tree of RFC 6962 (and 9162, 2.1), kept in tiles of 256 hashes: pure functions, no database.

A tile at level L holds hashes of complete subtrees of 256**L leaves (C2SP tlog-tiles). What lies between two levels is
hashed from the tile when it is needed. A proof is planned first, as nodes; then the few tiles that hold them are
read at once; then it is computed.
"""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

HASH_BYTES = 32
HEIGHT = 8
WIDTH = 1 << HEIGHT
TILE_BYTES = WIDTH * HASH_BYTES
EMPTY = hashlib.sha256(b"").digest()
"""The root of the tree without leaves."""


class TileId(NamedTuple):
    """Which tile: its level, and its number within the level."""

    level: int
    number: int


class Node(NamedTuple):
    """The complete subtree of 2**height leaves that begins at leaf `number` * 2**height."""

    height: int
    number: int

    @property
    def tile(self) -> TileId:
        level, within = divmod(self.height, HEIGHT)
        return TileId(level, (self.number << within) // WIDTH)


Tiles = Mapping[TileId, bytes]
Part = Sequence[Node]
"""A range of leaves as complete subtrees, the largest first; its hash is one hash of a proof."""


def leaf_hash(entry: bytes) -> bytes:
    return hashlib.sha256(b"\x00" + entry).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    return hashlib.sha256(b"\x01" + left + right).digest()


def fold(hashes: bytes) -> bytes:
    """The root over hashes of equally high subtrees, laid end to end; one without a neighbour moves up as it is."""
    sha256 = hashlib.sha256
    while (length := len(hashes)) > HASH_BYTES:
        pairs = [sha256(b"\x01" + hashes[at : at + 64]).digest() for at in range(0, length - 63, 64)]
        hashes = b"".join(pairs) + hashes[length // 64 * 64 :]
    return hashes or EMPTY


def edge(size: int) -> list[TileId]:
    """The partial tile of each level of a tree of `size` leaves."""
    held = []
    level = 0
    while count := size >> level * HEIGHT:
        if count % WIDTH:
            held.append(TileId(level, count // WIDTH))
        level += 1
    return held


def grow(*, size: int, partial: Tiles, leaves: bytes) -> dict[TileId, bytes]:
    """The tiles that are new or longer once these leaf hashes follow the first `size`; `partial` holds the edge's."""
    changed: dict[TileId, bytes] = {}
    level, new = 0, leaves
    while new:
        number = (size >> level * HEIGHT) // WIDTH
        hashes = partial.get(TileId(level, number), b"") + new
        complete = []
        for start in range(0, len(hashes), TILE_BYTES):
            tile = hashes[start : start + TILE_BYTES]
            changed[TileId(level, number)] = tile
            number += 1
            if len(tile) == TILE_BYTES:
                complete.append(fold(tile))
        level, new = level + 1, b"".join(complete)
    return changed


def part(start: int, end: int) -> Part:
    """The leaves of [start, end) as complete subtrees. `start` is a multiple of the largest of them."""
    nodes = []
    for height in reversed(range((end - start).bit_length())):
        if (end - start) >> height:
            nodes.append(Node(height, start >> height))
            start += 1 << height
    return nodes


def inclusion_parts(index: int, size: int) -> list[Part]:
    """What the proof consists of that leaf `index` is in the tree of `size` leaves (RFC 9162, 2.1.3.1)."""
    parts, start, end = [], 0, size
    while end - start > 1:
        middle = start + _split(end - start)
        if index < middle:
            parts.append(part(middle, end))
            end = middle
        else:
            parts.append(part(start, middle))
            start = middle
    return parts[::-1]


def consistency_parts(old: int, new: int) -> list[Part]:
    """What the proof consists of that the tree of `new` leaves begins with that of `old` (RFC 9162, 2.1.4.1)."""
    if not 0 < old < new:
        return []
    parts, start, end = [], 0, new
    while old != end:
        middle = start + _split(end - start)
        if old <= middle:
            parts.append(part(middle, end))
            end = middle
        else:
            parts.append(part(start, middle))
            start = middle
    if start:
        parts.append(part(start, end))
    return parts[::-1]


def tiles_of(parts: Iterable[Part]) -> set[TileId]:
    """The tiles that hold these parts."""
    return {node.tile for nodes in parts for node in nodes}


def hash_of(nodes: Part, tiles: Tiles) -> bytes:
    """The hash of a range of leaves. Raises KeyError for a tile that is missing or too short."""
    if not nodes:
        return EMPTY
    *left, last = (_subtree(node, tiles) for node in nodes)
    for one in reversed(left):
        last = node_hash(one, last)
    return last


def root(size: int, tiles: Tiles) -> bytes:
    """The root of the tree's first `size` leaves; `tiles` holds those of `tiles_of([part(0, size)])`."""
    return hash_of(part(0, size), tiles)


def includes(*, leaf: bytes, index: int, size: int, proof: Sequence[bytes], root: bytes) -> bool:
    """Whether the proof shows that the leaf hash is at `index` of the tree with this root (RFC 9162, 2.1.3.2)."""
    if not 0 <= index < size:
        return False
    first, last, result = index, size - 1, leaf
    for one in proof:
        if last == 0:
            return False
        if first % 2 or first == last:
            result = node_hash(one, result)
            while first and not first % 2:
                first, last = first >> 1, last >> 1
        else:
            result = node_hash(result, one)
        first, last = first >> 1, last >> 1
    return last == 0 and result == root


def extends(*, old: int, new: int, proof: Sequence[bytes], old_root: bytes, new_root: bytes) -> bool:
    """Whether the proof shows that the new tree begins with the old one (RFC 9162, 2.1.4.2)."""
    if old == new or old == 0:
        return not proof and (old_root == new_root if old == new else old_root == EMPTY)
    if not 0 < old < new or not proof:
        return False
    hashes = list(proof) if old & (old - 1) else [old_root, *proof]
    first, last = old - 1, new - 1
    while first % 2:
        first, last = first >> 1, last >> 1
    before = after = hashes[0]
    for one in hashes[1:]:
        if last == 0:
            return False
        if first % 2 or first == last:
            before, after = node_hash(one, before), node_hash(one, after)
            while first and not first % 2:
                first, last = first >> 1, last >> 1
        else:
            after = node_hash(after, one)
        first, last = first >> 1, last >> 1
    return last == 0 and before == old_root and after == new_root


def _split(count: int) -> int:
    """The largest power of two below `count`."""
    return 1 << (count - 1).bit_length() - 1


def _subtree(node: Node, tiles: Tiles) -> bytes:
    within = node.height % HEIGHT
    start = (node.number << within) % WIDTH * HASH_BYTES
    end = start + (HASH_BYTES << within)
    tile = tiles[node.tile]
    if len(tile) < end:
        raise KeyError(node.tile)
    return fold(tile[start:end])
