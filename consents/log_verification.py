"""Verifying the whole log: each row against its leaf, each tile against those below, each checkpoint against the tree.

It goes through the log once, in chunks, and holds one chunk in memory. What is appended meanwhile is left to the next
run. Nothing is repaired: an edit behind the triggers is for people to explain.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime

from django.db import connection

from consents import leaves, log_derivations, log_differences, signed_notes, tree
from consents.checkpoints import CHUNK, latest, tree_size
from consents.log_differences import LISTED, Differences, Findings
from consents.models import Checkpoint, SequencerState, Tile
from consents.signed_notes import Head, NoteError
from consents.tree import HASH_BYTES, HEIGHT, TILE_BYTES, WIDTH, TileId

_UNPLACED = """
SELECT event.id::text, event.kind FROM consents_ledgerevent AS event
 WHERE event.transaction_id < %(horizon)s::xid8
   AND NOT EXISTS (SELECT FROM consents_position AS place WHERE place.event_id = event.id)
 LIMIT %(limit)s
"""
_WITHOUT = """
SELECT step.position, place.event_id::text
  FROM generate_series(%(first)s::bigint, %(last)s::bigint) AS step(position)
  LEFT JOIN consents_position AS place ON place.position = step.position
  LEFT JOIN consents_ledgerevent AS event ON event.id = place.event_id
 WHERE event.id IS NULL ORDER BY step.position LIMIT %(limit)s
"""

Progress = Callable[[int, int], None]


@dataclass
class Report:
    """What was looked at, and what was found."""

    leaves: int
    placed: int
    checkpoints: int
    findings: Findings


def verify(*, against: str = "", progress: Progress = lambda done, of: None) -> Report:
    """Look at everything; `against` is a checkpoint that an outsider kept. Raises NoteError for one that is none."""
    outside = signed_notes.read(against) if against else None
    # in this order, so that each covers the one before while the log goes on growing
    last_checkpoint = Checkpoint.objects.order_by("-id").values_list("id", flat=True).first() or 0
    state = SequencerState.objects.filter(id=1).first() or SequencerState(horizon=0, head=0)
    size = tree_size()
    run = _Run(size=size, last_checkpoint=last_checkpoint, outside=outside)
    for done in run.through():
        progress(done, size)
    _unsealed(size, state.head, run.findings)
    _unplaced(state.horizon, run.findings)
    log_derivations.compare_preferences(run.findings)
    log_derivations.compare_rulebook(run.findings)
    return Report(leaves=size, placed=state.head, checkpoints=run.checkpoints, findings=run.findings)


class _Run:
    """One pass over the log: what the tree must be, as it grows, beside what is stored."""

    def __init__(self, *, size: int, last_checkpoint: int, outside: Head | None) -> None:
        self.size = size
        self.checkpoints = 0
        self.findings = Findings()
        self.differences = Differences()
        self.edge: dict[TileId, bytes] = {}
        self.named: set[TileId] = set()
        self.outside = outside
        kept = Checkpoint.objects.filter(id__lte=last_checkpoint).order_by("size", "id")
        self.pending = kept.iterator(chunk_size=1_000)
        self.next = next(self.pending, None)
        self.forked: tuple[int, datetime] | None = None
        self.forked_count = 0

    def through(self) -> Iterator[int]:
        """Go through chunk by chunk; answers how many leaves are done."""
        for start in range(0, self.size, CHUNK):
            end = min(start + CHUNK, self.size)
            hashes = self._leaves(start, end)
            changed = tree.grow(size=start, partial=self.edge, leaves=hashes)
            self._upper_tiles(changed)
            self._signed(until=end, tiles={**self.edge, **changed})
            self.edge = {one: changed.get(one) or self.edge[one] for one in tree.edge(end)}
            yield end
        self.differences.name(self.findings)
        self._name_fork()
        self._beyond()

    def _leaves(self, start: int, end: int) -> bytes:
        """The leaf hashes of a chunk as they were sealed, differences from the ledger's rows noted."""
        stored = _stored(0, start // WIDTH, (end - 1) // WIDTH)
        rows = {run.tile: run for run in leaves.runs(after=start, until=end, width=WIDTH)}
        sealed = []
        for number in range(start // WIDTH, (end - 1) // WIDTH + 1):
            width = min(end - number * WIDTH, WIDTH)
            tile = stored.get(number, b"")[: width * HASH_BYTES]
            run = rows.get(number)
            sealed.append(tile if run and run.hashes == tile else self._differing(number, width, tile, run))
        return b"".join(sealed)

    def _differing(self, number: int, width: int, tile: bytes, run: "leaves.Run | None") -> bytes:
        """Which of the two was changed: what the level above, or the last checkpoint, was made over."""
        by_rows = run.hashes if run and run.count == width else b""
        length = width * HASH_BYTES
        if len(tile) < length or (by_rows and not _vouched(number, tile) and _vouched(number, by_rows)):
            self._note_tile(TileId(0, number), tile, f"positions {number * WIDTH + 1} to {number * WIDTH + width}")
            if by_rows:
                return by_rows
        first = number * WIDTH + 1
        self.differences.add(log_differences.between(first, first + width - 1, sealed=tile))
        return tile.ljust(length, b"\0")

    def _upper_tiles(self, changed: dict[TileId, bytes]) -> None:
        for level in {one.level for one in changed} - {0}:
            numbers = [one.number for one in changed if one.level == level]
            stored = _stored(level, min(numbers), max(numbers))
            for number in numbers:
                expected, held = changed[TileId(level, number)], stored.get(number, b"")
                if held[: len(expected)] != expected:
                    self._note_tile(TileId(level, number), held, "it is not what the tiles below it give")

    def _note_tile(self, tile: TileId, held: bytes, where: str) -> None:
        if tile not in self.named:
            self.named.add(tile)
            what = "altered" if held else "gone"
            self.findings.note(f"tile_{what}", f"Tile {tile.level}/{tile.number} of the tree is {what}: {where}.")

    def _signed(self, *, until: int, tiles: dict[TileId, bytes]) -> None:
        while self.next and self.next.size <= until:
            self._check(self.next, tiles)
            self.next = next(self.pending, None)
        if self.outside and self.outside.size <= until:
            if self.outside.root != tree.root(self.outside.size, tiles):
                self._note_outside()
            self.outside = None

    def _check(self, one: Checkpoint, tiles: dict[TileId, bytes]) -> None:
        self.checkpoints += 1
        try:
            head = signed_notes.read(one.note)
        except NoteError as error:
            self.findings.note("checkpoint_signature", f"The checkpoint of size {one.size}: {error.message}")
            return
        if head != Head(size=one.size, root=bytes(one.root)):
            message = f"The checkpoint of size {one.size} does not say what its signed note says."
            self.findings.note("checkpoint_altered", message)
        elif head.root != tree.root(head.size, tiles):
            self.forked = self.forked or (one.size, one.signed_at)
            self.forked_count += 1

    def _name_fork(self) -> None:
        if self.forked:
            also = f", and {self.forked_count - 1:,} more after it" if self.forked_count > 1 else ""
            size, signed_at = self.forked
            message = (
                f"The tree was forked: the checkpoint of size {size}, signed {signed_at.isoformat()}, has another root"
            )
            self.findings.note("checkpoint_forked", f"{message}{also}.")

    def _note_outside(self) -> None:
        size = self.outside.size if self.outside else 0
        message = (
            f"The log was forked: it does not begin with the {size} leaves of the checkpoint that was kept outside."
        )
        self.findings.note("outside_forked", message)

    def _beyond(self) -> None:
        """What is left over once the tree has ended: checkpoints of leaves that are gone, tiles of none."""
        while self.next:
            message = f"A checkpoint signs {self.next.size} leaves, and the tree has {self.size}: the end was cut off."
            self.findings.note("checkpoint_beyond", message)
            self.next = next(self.pending, None)
        if self.outside and (self.outside.size or self.outside.root != tree.EMPTY):
            self._note_outside()
        now = tree_size()
        for level in range(1, 64 // HEIGHT + 1):
            beyond = Tile.objects.filter(level=level, number__gte=-(-(now >> level * HEIGHT) // WIDTH))
            for number in beyond.values_list("number", flat=True)[:LISTED]:
                self.findings.note("tile_extra", f"Tile {level}/{number} of the tree stands over no leaves.")


def _vouched(number: int, hashes: bytes) -> bool:
    """Whether the level above, or for the last tile the last checkpoint, was made over these hashes."""
    if len(hashes) == TILE_BYTES:
        above = _stored(1, number // WIDTH, number // WIDTH).get(number // WIDTH, b"")
        at = number % WIDTH * HASH_BYTES
        return above[at : at + HASH_BYTES] == tree.fold(hashes)
    last = latest()
    if last is None or last.size > number * WIDTH + len(hashes) // HASH_BYTES:
        return False
    wanted = tree.tiles_of([tree.part(0, last.size)])
    tiles = {one: _stored(one.level, one.number, one.number).get(one.number, b"") for one in wanted}
    try:
        return tree.root(last.size, {**tiles, TileId(0, number): hashes}) == bytes(last.root)
    except KeyError:
        return False


def _stored(level: int, first: int, last: int) -> dict[int, bytes]:
    rows = Tile.objects.filter(level=level, number__gte=first, number__lte=last).values_list("number", "hashes")
    return {number: bytes(hashes) for number, hashes in rows}


def _unsealed(size: int, head: int, findings: Findings) -> None:
    """Positions beyond the tree that are missing, or whose event is."""
    with connection.cursor() as cursor:
        cursor.execute(_WITHOUT, {"first": size + 1, "last": head, "limit": LISTED})
        for position, event_id in cursor.fetchall():
            if event_id:
                findings.note("event_missing", f"The event of position {position} is gone: event {event_id}.")
            else:
                findings.note("position_missing", f"Position {position} is gone.")


def _unplaced(horizon: int | None, findings: Findings) -> None:
    """Rows that the sequencer has passed by: each event before the horizon had a position once."""
    with connection.cursor() as cursor:
        cursor.execute(_UNPLACED, {"horizon": str(horizon or 0), "limit": LISTED})
        for event_id, kind in cursor.fetchall():
            findings.note("not_in_log", f"Event {event_id} ({kind}) is in the ledger and not in the log.")
