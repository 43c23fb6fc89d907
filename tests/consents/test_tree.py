"""The tree is RFC 6962's: by its published vectors, and against the RFC's own recursive definitions."""

import hashlib
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from consents import tree
from consents.tree import TileId

# The vectors of certificate-transparency's and trillian's merkle tests.
INPUTS = [
    bytes.fromhex(one)
    for one in (
        "",
        "00",
        "10",
        "2021",
        "3031",
        "40414243",
        "5051525354555657",
        "606162636465666768696a6b6c6d6e6f",
    )
]
ROOTS = [
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]
INCLUSION = {
    (0, 8): [
        "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
        "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
        "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
    ],
    (5, 8): [
        "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
        "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    ],
    (2, 3): ["fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125"],
    (1, 5): [
        "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
        "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
        "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
    ],
    (0, 1): [],
}
CONSISTENCY = {
    (1, 1): [],
    (1, 8): [
        "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
        "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
        "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
    ],
    (6, 8): [
        "0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a",
        "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    ],
    (2, 5): [
        "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
        "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
    ],
}


def naive_root(leaves: Sequence[bytes]) -> bytes:
    """MTH of RFC 6962, 2.1, word for word; `leaves` are leaf hashes."""
    if len(leaves) < 2:
        return leaves[0] if leaves else hashlib.sha256(b"").digest()
    k = split(len(leaves))
    return hashlib.sha256(b"\x01" + naive_root(leaves[:k]) + naive_root(leaves[k:])).digest()


def naive_path(m: int, leaves: Sequence[bytes]) -> list[bytes]:
    """PATH of RFC 6962, 2.1.1."""
    if len(leaves) == 1:
        return []
    k = split(len(leaves))
    if m < k:
        return [*naive_path(m, leaves[:k]), naive_root(leaves[k:])]
    return [*naive_path(m - k, leaves[k:]), naive_root(leaves[:k])]


def naive_proof(m: int, leaves: Sequence[bytes], *, whole: bool = True) -> list[bytes]:
    """SUBPROOF of RFC 6962, 2.1.2."""
    if m == len(leaves):
        return [] if whole else [naive_root(leaves)]
    k = split(len(leaves))
    if m <= k:
        return [*naive_proof(m, leaves[:k], whole=whole), naive_root(leaves[k:])]
    return [*naive_proof(m - k, leaves[k:], whole=False), naive_root(leaves[:k])]


def split(count: int) -> int:
    k = 1
    while k * 2 < count:
        k *= 2
    return k


def leaves(count: int) -> list[bytes]:
    return [tree.leaf_hash(number.to_bytes(4, "big")) for number in range(count)]


def tiles(hashes: Sequence[bytes], steps: Sequence[int] = ()) -> dict[TileId, bytes]:
    """The tiles of a tree that grew in these steps, and then at once."""
    held: dict[TileId, bytes] = {}
    ends = sorted({step for step in steps if step < len(hashes)} | {len(hashes)})
    size = 0
    for end in ends:
        partial = {one: held[one] for one in tree.edge(size)}
        held |= tree.grow(size=size, partial=partial, leaves=b"".join(hashes[size:end]))
        size = end
    return held


def proof(parts: list[tree.Part], held: dict[TileId, bytes]) -> list[bytes]:
    return [tree.hash_of(nodes, held) for nodes in parts]


@pytest.mark.parametrize("size", range(1, 9))
def test_the_published_roots_come_out(size: int) -> None:
    hashes = [tree.leaf_hash(one) for one in INPUTS[:size]]
    assert tree.root(size, tiles(hashes)).hex() == tree.fold(b"".join(hashes)).hex() == ROOTS[size - 1]


def test_the_tree_without_leaves_has_the_published_root() -> None:
    assert tree.root(0, {}).hex() == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"


@pytest.mark.parametrize(("index", "size"), INCLUSION)
def test_the_published_inclusion_proofs_come_out_and_verify(index: int, size: int) -> None:
    hashes = [tree.leaf_hash(one) for one in INPUTS[:size]]
    path = proof(tree.inclusion_parts(index, size), tiles(hashes))
    assert [one.hex() for one in path] == INCLUSION[index, size]
    assert tree.includes(leaf=hashes[index], index=index, size=size, proof=path, root=bytes.fromhex(ROOTS[size - 1]))


@pytest.mark.parametrize(("old", "new"), CONSISTENCY)
def test_the_published_consistency_proofs_come_out_and_verify(old: int, new: int) -> None:
    path = proof(tree.consistency_parts(old, new), tiles([tree.leaf_hash(one) for one in INPUTS[:new]]))
    assert [one.hex() for one in path] == CONSISTENCY[old, new]
    old_root, new_root = bytes.fromhex(ROOTS[old - 1]), bytes.fromhex(ROOTS[new - 1])
    assert tree.extends(old=old, new=new, proof=path, old_root=old_root, new_root=new_root)


def test_every_proof_of_a_small_tree_is_the_rfcs() -> None:
    for size in range(1, 40):
        hashes = leaves(size)
        held = tiles(hashes)
        for index in range(size):
            assert proof(tree.inclusion_parts(index, size), held) == naive_path(index, hashes)
            assert proof(tree.consistency_parts(index + 1, size), held) == naive_proof(index + 1, hashes)


@settings(deadline=None, max_examples=60)
@given(size=st.integers(1, 1_700), data=st.data())
def test_large_trees_agree_with_the_rfc_however_they_grew(size: int, data: st.DataObject) -> None:
    hashes = leaves(size)
    held = tiles(hashes, data.draw(st.lists(st.integers(1, size), max_size=6)))
    assert held == tiles(hashes)
    index, old = data.draw(st.integers(0, size - 1)), data.draw(st.integers(1, size))
    root = naive_root(hashes)
    assert tree.root(size, held) == root
    assert tree.root(old, held) == naive_root(hashes[:old])
    path = proof(tree.inclusion_parts(index, size), held)
    assert path == naive_path(index, hashes)
    assert tree.includes(leaf=hashes[index], index=index, size=size, proof=path, root=root)
    bridge = proof(tree.consistency_parts(old, size), held)
    assert bridge == naive_proof(old, hashes)
    assert tree.extends(old=old, new=size, proof=bridge, old_root=naive_root(hashes[:old]), new_root=root)


@settings(deadline=None, max_examples=100)
@given(size=st.integers(2, 300), data=st.data())
def test_a_proof_that_was_altered_in_any_way_shows_nothing(size: int, data: st.DataObject) -> None:
    hashes = leaves(size)
    held, root = tiles(hashes), naive_root(hashes)
    index, old = data.draw(st.integers(0, size - 1)), data.draw(st.integers(1, size - 1))
    path = proof(tree.inclusion_parts(index, size), held)
    bridge = proof(tree.consistency_parts(old, size), held)
    old_root = naive_root(hashes[:old])
    for wrong in (*altered(path), [*path, root], path[:-1]):
        assert not tree.includes(leaf=hashes[index], index=index, size=size, proof=wrong, root=root)
    for wrong in (*altered(bridge), [*bridge, root], bridge[:-1], []):
        assert not tree.extends(old=old, new=size, proof=wrong, old_root=old_root, new_root=root)
    other = data.draw(st.integers(0, size - 1).filter(lambda one: one != index))
    assert not tree.includes(leaf=hashes[other], index=index, size=size, proof=path, root=root)
    assert not tree.extends(old=old, new=size, proof=bridge, old_root=naive_root(hashes[1 : old + 1]), new_root=root)


def altered(path: Sequence[bytes]) -> list[list[bytes]]:
    """The path with one bit of one hash turned, for each of its hashes."""
    return [[*path[:at], bytes([one[0] ^ 1, *one[1:]]), *path[at + 1 :]] for at, one in enumerate(path)]


def test_what_lies_outside_the_tree_is_not_included() -> None:
    hashes = leaves(4)
    root = naive_root(hashes)
    for index, size in ((4, 4), (-1, 4), (0, 0)):
        assert not tree.includes(leaf=hashes[0], index=index, size=size, proof=[], root=root)
    assert not tree.extends(old=5, new=4, proof=[root], old_root=root, new_root=root)
    assert tree.extends(old=0, new=4, proof=[], old_root=tree.EMPTY, new_root=root)


def test_tiles_are_laid_out_as_tlog_tiles_says() -> None:
    # the example of the specification: a tree of 70,000
    sizes = {one: len(hashes) // 32 for one, hashes in tiles(leaves(70_000), [300, 65_536]).items()}
    full = {TileId(0, number): 256 for number in range(273)} | {TileId(1, 0): 256}
    assert sizes == full | {TileId(0, 273): 112, TileId(1, 1): 17, TileId(2, 0): 1}
    assert tree.edge(70_000) == [TileId(0, 273), TileId(1, 1), TileId(2, 0)]
    assert tree.edge(256) == [TileId(1, 0)]
    assert tree.edge(0) == []


def test_a_proof_in_a_large_tree_needs_few_tiles() -> None:
    assert len(tree.tiles_of(tree.inclusion_parts(1_234_567, 100_000_000))) <= 8
