"""From a name to a row number, millions at a time, without keeping any name.

A name is known by 96 bits of two keyed hashes. The table is open addressing with linear probing, laid out in one pass:
keys sorted, each at its own slot or the next free one after it. It is never written to afterwards, so it can be
mapped from a file and read by many at once; what comes later goes to a second, small table.
"""

import hashlib
import hmac
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl
from django.conf import settings

Hashes = npt.NDArray[np.uint64]
Rows = npt.NDArray[np.int64]
_TAG = np.uint64(0xFFFF_FFFF_0000_0000)
_ROW = np.uint64(0x0000_0000_FFFF_FFFF)


class Collision(Exception):
    """Two names share a hash: hash again with another salt."""


@dataclass(frozen=True)
class Seeds:
    """What keys the hashes, derived from the blind-index key and a salt: without the key no name can be tried."""

    name: int
    tag: int
    person: int


def seeds(salt: bytes) -> Seeds:
    """The seeds of a snapshot with this salt, under the current blind-index key."""
    key: bytes = settings.INDEX_KEYS.current[1]
    made = hmac.digest(key, b"bulk-decisions\0" + salt, hashlib.sha256)
    return Seeds(*(int.from_bytes(made[start : start + 8], "big") for start in (0, 8, 16)))


def hashed(texts: pl.Series, seed: int) -> Hashes:
    """A 64-bit hash of each text; never 0, which marks an empty slot."""
    made: Hashes = texts.hash(seed).to_numpy()
    # a null's hash is that of no text we keep, and who asks about null is answered apart
    return np.maximum(made, np.uint64(1))


@dataclass(frozen=True)
class NameTable:
    """Slots of (hash, tag and row); `bits` of the hash say where to look first."""

    slots: Hashes
    bits: int

    def find(self, hashes: Hashes, tags: Hashes) -> Rows:
        """The row of each name, 0 where there is none."""
        shift = np.uint64(64 - self.bits)
        places = (hashes >> shift).astype(np.int64)
        seen = self.slots.take(places, axis=0)
        rows = _matched(seen, hashes, tags)
        # keys are in order: a lesser one means to look further, a greater or none that there is nothing
        pending = np.flatnonzero((seen[:, 0] != 0) & (seen[:, 0] < hashes))
        places = places[pending]
        while len(pending):
            places = places + 1
            seen = self.slots.take(places, axis=0)
            wanted = hashes[pending]
            rows[pending] = _matched(seen, wanted, tags[pending])
            further = np.flatnonzero((seen[:, 0] != 0) & (seen[:, 0] < wanted))
            pending, places = pending[further], places[further]
        return rows


def _matched(seen: Hashes, hashes: Hashes, tags: Hashes) -> Rows:
    same = (seen[:, 0] == hashes) & (((seen[:, 1] ^ tags) & _TAG) == 0)
    return np.where(same, seen[:, 1] & _ROW, np.uint64(0)).astype(np.int64)


def table(hashes: Hashes, tags: Hashes, rows: Rows) -> NameTable:
    """Lay the names out. Raises Collision."""
    order = np.argsort(hashes)
    keys = hashes[order]
    if len(keys) > 1 and bool((keys[1:] == keys[:-1]).any()):
        raise Collision
    bits = max(int(len(keys) * 1.6).bit_length(), 4)
    steps = np.arange(len(keys), dtype=np.int64)
    wanted = (keys >> np.uint64(64 - bits)).astype(np.int64)
    places = np.maximum.accumulate(wanted - steps) + steps
    end = int(places[-1]) + 2 if len(places) else 1
    slots = np.zeros((max((1 << bits) + 1, end), 2), dtype=np.uint64)
    slots[places, 0] = keys
    slots[places, 1] = (tags[order] & _TAG) | rows[order].astype(np.uint64)
    return NameTable(slots, bits)
