"""Filters: which keys may be in a row group, in about 1.7 bytes a key, answered without decoding anything.

The hashes of a group are spread over buckets by their first bits, 8 to 16 to a bucket, and a bucket keeps the next
twelve bits of each. A key that is there is never missed; one that is not is taken for one in 0.2 to 0.4 % of looks.
Where a bucket begins is told by how far it is from where it would begin were all buckets alike.

In bytes: `buckets + 1` signed 16 bit numbers (that distance), then the entries in the order of hashes, two in three
bytes.
"""

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from downstream.subject_index.hashes import Hashes

Bytes = np.ndarray[Any, np.dtype[np.uint8]]
Flags = np.ndarray[Any, np.dtype[np.bool_]]
Numbers = np.ndarray[Any, np.dtype[np.int64]]

MOST = 4_000_000
"""Rows of one filter at most: what 32 bit hashes can tell apart well, and what may be in memory at once."""

LAYOUT = np.dtype([("group", "<u4"), ("bits", "<u4"), ("entries", "<u8"), ("rows", "<u8"), ("offset", "<u8")])
Directory = np.ndarray[Any, np.dtype[np.void]]
"""Of `LAYOUT`: the filters of a file, and where in its body they begin. A group may have several."""

_FULLEST = 16
_BITS = 12
_REST = (1 << _BITS) - 1
_FARTHEST = np.iinfo(np.int16).max
_AT_ONCE = 20_000


@dataclass(frozen=True)
class Filter:
    """One filter as it is stored, of 2^bits buckets; equal entries of a bucket are one."""

    entries: int
    bits: int
    data: Bytes


class Body(Protocol):
    """The filters of one file, one behind the other."""

    def read(self, first: Numbers, last: Numbers) -> Bytes:
        """All bytes, of which those from each first to each last are sure to be as they were written."""


def build(hashes: Hashes) -> Filter:
    """The filter of these hashes, in any order and with doubles; at most `MOST`.

    Raises OverflowError for hashes that are not spread at all.
    """
    hashes = np.sort(hashes)
    bits = _bits_for(len(hashes))
    places = _without_doubles(hashes >> np.uint32(32 - _BITS - bits))
    if _bits_for(len(places)) < bits:
        # a filter for as many as there are
        bits = _bits_for(len(places))
        places = _without_doubles(hashes >> np.uint32(32 - _BITS - bits))
    buckets = np.arange((1 << bits) + 1)
    starts = np.searchsorted(places, (buckets[:-1] << _BITS).astype(np.uint32))
    drift = np.append(starts, len(places)) - (buckets * len(places) >> bits)
    if np.abs(drift).max() > _FARTHEST:
        raise OverflowError("hashes that are not spread")
    packed = _packed((places & np.uint32(_REST)).astype(np.uint16))
    return Filter(len(places), bits, np.concatenate([drift.astype("<i2").view(np.uint8), packed]))


def holding(body: Body, filters: Directory, hashes: Hashes) -> Flags:
    """Which filters may hold one of these hashes; those that do not, hold none."""
    found = np.zeros(len(filters), dtype=bool)
    step = max(1, _AT_ONCE // max(len(filters), 1))
    for start in range(0, len(hashes), step):
        found |= _probe(body, filters, hashes[start : start + step])
    return found


def _bits_for(entries: int) -> int:
    return max(0, ((entries - 1) // _FULLEST).bit_length()) if entries else 0


def _without_doubles(ordered: Hashes) -> Hashes:
    return ordered[np.concatenate([[True], ordered[1:] != ordered[:-1]])] if len(ordered) else ordered


def _packed(rests: np.ndarray[Any, np.dtype[np.uint16]]) -> Bytes:
    pairs = np.zeros((len(rests) + 1) // 2 * 2, dtype=np.uint16)
    pairs[: len(rests)] = rests
    low, high = pairs[0::2], pairs[1::2]
    packed = np.empty((len(low), 3), dtype=np.uint8)
    packed[:, 0] = low & 0xFF
    packed[:, 1] = low >> 8 | (high & 0xF) << 4
    packed[:, 2] = high >> 4
    return packed.reshape(-1)


def _probe(body: Body, filters: Directory, hashes: Hashes) -> Flags:
    """One filter in each row of the arrays, one hash in each column."""
    bits, entries, offset = (filters[name].astype(np.int64)[:, None] for name in ("bits", "entries", "offset"))
    places = hashes.astype(np.int64)[None, :] >> (32 - _BITS - bits)
    bucket, rest = places >> _BITS, places & _REST
    at = offset + 2 * bucket
    data = body.read(at, at + 3)
    start = (bucket * entries >> bits) + _int16(data, at)
    end = ((bucket + 1) * entries >> bits) + _int16(data, at + 2)
    begin = offset + 2 * ((1 << bits) + 1)
    used = start < end
    found: Flags = np.zeros(len(filters), dtype=bool)
    if not used.any():
        return found
    # of an empty bucket there is nothing to read
    row = used.nonzero()[0]
    begin, start, end, rest = begin.ravel()[row], start[used], end[used], rest[used]
    data = body.read(begin + (start >> 1) * 3, begin + (end - 1 >> 1) * 3 + 2)
    # as many columns as the fullest bucket has entries; the last of others is looked at again and again
    entry = np.minimum(start[:, None] + np.arange((end - start).max()), end[:, None] - 1)
    same = _twelve_bits(data, begin[:, None] + (entry >> 1) * 3, entry & 1) == rest[:, None]
    found[row[same.any(axis=1)]] = True
    return found


def _int16(data: Bytes, at: Numbers) -> Numbers:
    value: Numbers = data[at].astype(np.int64) | data[at + 1].astype(np.int64) << 8
    signed: Numbers = (value ^ 0x8000) - 0x8000
    return signed


def _twelve_bits(data: Bytes, at: Numbers, is_odd: Numbers) -> Numbers:
    first, second = data[at + is_odd].astype(np.int64), data[at + is_odd + 1].astype(np.int64)
    value: Numbers = np.where(is_odd == 1, first >> 4 | second << 4, first | (second & 0xF) << 8)
    return value
