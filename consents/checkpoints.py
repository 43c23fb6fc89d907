"""Sealing the log: sequenced events become leaves of the tree, and each new size is signed.

Only what has a position is sealed, in the order of positions: leaf index = position - 1. Tiles grow in chunks, each a
transaction; then one checkpoint signs the new size. Whoever is stopped in between leaves tiles without a
checkpoint, which the next one signs.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import connection, transaction

from consents import leaves, signed_notes, tree
from consents.models import Checkpoint, Position, Tile
from consents.signed_notes import Head
from consents.tree import HASH_BYTES, WIDTH, Part, TileId
from portal.errors import DomainError

CHUNK = 65_536
"""So many leaves a transaction."""
SEAL_TASK = "consents.tasks.seal"
"""The sequencer's turn nudges this task by name; beat turns it anyway."""

_LOCK = 0x48_45_45_46

_WRITE = """
INSERT INTO consents_tile (level, number, hashes)
SELECT * FROM unnest(%(levels)s::smallint[], %(numbers)s::bigint[], %(hashes)s::bytea[])
    ON CONFLICT (level, number) DO UPDATE SET hashes = excluded.hashes
"""


class LogBroken(DomainError):
    """The ledger or the tree was changed behind the triggers; `manage.py verify_log` says where."""


@dataclass(frozen=True)
class Inclusion:
    """The proof that an event is in the log: its leaf's index, the tree's size, the hashes, and the signed note."""

    index: int
    size: int
    hashes: tuple[bytes, ...]
    checkpoint: str


@dataclass(frozen=True)
class Lag:
    """So many events have a position and are not under a checkpoint; the oldest is `seconds` old."""

    waiting: int
    seconds: float


def seal(*, at: datetime) -> int:
    """Append every event that has a position, and sign the new size; answers how many leaves were added.

    Two at once: the second waits for nobody and answers 0. Raises LogBroken, and signs nothing, where a position or its
    event is missing, or where the tree no longer begins with what was signed last.
    """
    added = 0
    while grown := _grow():
        added += grown
    _sign(at=at)
    return added


def resign(*, at: datetime) -> bool:
    """Sign the present size anew, after a change of the signing key; False where this key signed it already."""
    return _sign(at=at, anew=True)


def latest() -> Checkpoint | None:
    """The newest checkpoint of the largest size."""
    return Checkpoint.objects.order_by("-size", "-id").first()


def proof_of(*, position: int) -> Inclusion | None:
    """The proof that the event at this position is in the log; None while it is not sealed. Two queries."""
    last = latest()
    if last is None or not 0 < position <= last.size:
        return None
    hashes = inclusion(position=position, size=last.size)
    return Inclusion(index=position - 1, size=last.size, hashes=hashes, checkpoint=last.note)


def inclusion(*, position: int, size: int) -> tuple[bytes, ...]:
    """The proof that the event at this position is in the tree of `size` leaves. Raises LogBroken beyond the tree."""
    return tuple(_hashes(tree.inclusion_parts(position - 1, size)))


def leaf_at(position: int) -> bytes:
    """The hash of the leaf at this position, as it was sealed. Raises LogBroken beyond the tree."""
    return _hashes([tree.part(position - 1, position)])[0]


def consistency(*, old: int, new: int) -> tuple[bytes, ...]:
    """The proof that the tree of `new` leaves begins with that of `old` leaves. Raises LogBroken beyond the tree."""
    return tuple(_hashes(tree.consistency_parts(old, new)))


def root_at(size: int) -> bytes:
    """The root over the first `size` leaves, from the tiles. Raises LogBroken beyond the tree."""
    return _hashes([tree.part(0, size)])[0]


def tree_size() -> int:
    """So many leaves are in the tiles; a checkpoint may not yet sign the last of them."""
    last = Tile.objects.filter(level=0).order_by("-number").values_list("number", "hashes").first()
    return last[0] * WIDTH + len(last[1]) // HASH_BYTES if last else 0


def lag(*, at: datetime) -> Lag:
    """What has a position and is not signed yet."""
    last = latest()
    size = last.size if last else 0
    waiting = Position.objects.filter(position__gt=size)
    oldest = waiting.order_by("position").values_list("sequenced_at", flat=True).first()
    newest = Position.objects.order_by("-position").values_list("position", flat=True).first() or 0
    seconds = (at - oldest).total_seconds() if oldest else 0.0
    return Lag(waiting=max(newest - size, 0), seconds=max(seconds, 0.0))


@transaction.atomic
def _grow() -> int:
    with connection.cursor() as cursor:
        if not _locked(cursor):
            return 0
        size = tree_size()
        runs = leaves.runs(after=size, until=size + CHUNK, width=WIDTH)
        added = sum(run.count for run in runs)
        if added != (runs[-1].last - size if runs else _placed_beyond(size)):
            raise LogBroken("gap", f"Beyond position {size} a position or its event is missing: run verify_log.")
        new = b"".join(run.hashes for run in runs)
        partial = _tiles(tree.edge(size))
        _write(cursor, tree.grow(size=size, partial=partial, leaves=new))
    return added


def _placed_beyond(size: int) -> int:
    return Position.objects.filter(position__gt=size)[:1].count()


@transaction.atomic
def _sign(*, at: datetime, anew: bool = False) -> bool:
    with connection.cursor() as cursor:
        if not _locked(cursor):
            return False
    size, last = tree_size(), latest()
    if size == 0 or (last and last.size == size and not anew):
        return False
    now, before = _hashes([tree.part(0, size), tree.part(0, last.size if last else 0)])
    # a log must never sign what does not extend what it signed before
    if last and (last.size > size or bytes(last.root) != before):
        raise LogBroken("forked", f"The tree does not begin with the {last.size} leaves signed last: run verify_log.")
    note, key_id = signed_notes.write(Head(size=size, root=now))
    if last and last.size == size and Checkpoint.objects.filter(size=size, key_id=key_id).exists():
        return False
    Checkpoint.objects.create(size=size, root=now, note=note, key_id=key_id, signed_at=at)
    return True


def _locked(cursor: Any) -> bool:
    cursor.execute("SELECT pg_try_advisory_xact_lock(%s)", [_LOCK])
    return bool(cursor.fetchone()[0])


def _hashes(parts: Sequence[Part]) -> list[bytes]:
    tiles = _tiles(tree.tiles_of(parts))
    try:
        return [tree.hash_of(nodes, tiles) for nodes in parts]
    except KeyError as error:
        raise LogBroken("tile_missing", "A tile of the log is missing or too short: run verify_log.") from error


def _tiles(wanted: Iterable[TileId]) -> dict[TileId, bytes]:
    rows = Tile.objects.filter(pk__in=list(wanted)).values_list("level", "number", "hashes")
    return {TileId(level, number): bytes(hashes) for level, number, hashes in rows}


def _write(cursor: Any, changed: dict[TileId, bytes]) -> None:
    levels, numbers = [one.level for one in changed], [one.number for one in changed]
    cursor.execute(_WRITE, {"levels": levels, "numbers": numbers, "hashes": list(changed.values())})
