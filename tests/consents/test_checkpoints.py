"""Sealing: every placed event is a leaf, every new size is signed, and no checkpoint contradicts an earlier one."""

import threading
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection, connections, transaction
from django.db.utils import InternalError, ProgrammingError
from django.test.utils import CaptureQueriesContext

from consents import checkpoints, leaves, signed_notes, tree
from consents.checkpoints import LogBroken
from consents.models import Checkpoint, LedgerEvent, Position, Tile
from consents.tree import TileId
from tests.conftest import AT, sequenced
from tests.consents.sealing import ALTER_TILE, behind_the_triggers, fill, placed, ring, sealed

pytestmark = pytest.mark.django_db(transaction=True)


def leaf(event: LedgerEvent) -> bytes:
    return tree.leaf_hash(leaves.entry(kind=event.kind, salt=event.salt, content=leaves.content(event)))


def leaf_hashes() -> list[bytes]:
    return [leaf(place.event) for place in Position.objects.order_by("position").select_related("event")]


def tiles() -> dict[TileId, bytes]:
    return {TileId(one.level, one.number): bytes(one.hashes) for one in Tile.objects.all()}


def test_the_empty_log_has_nothing_to_sign() -> None:
    assert checkpoints.seal(at=AT) == 0
    assert checkpoints.latest() is None
    assert checkpoints.proof_of(position=1) is None
    assert (checkpoints.tree_size(), checkpoints.root_at(0)) == (0, tree.EMPTY)


def test_what_is_sealed_is_signed_with_its_root() -> None:
    last = sealed(5)
    assert (last.size, last.signed_at) == (5, AT)
    assert bytes(last.root) == tree.fold(b"".join(leaf_hashes()))
    head = signed_notes.read(last.note)
    assert (head.size, head.root) == (5, bytes(last.root))


def test_one_call_signs_once_and_a_turn_without_news_nothing() -> None:
    fill(3)
    sequenced()
    assert checkpoints.seal(at=AT) == 3
    assert checkpoints.seal(at=AT) == 0
    assert Checkpoint.objects.count() == 1


def test_the_tree_is_the_same_however_it_grew(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checkpoints, "CHUNK", 300)
    for count in (1, 254, 1, 1, 700, 43):
        sealed(count)
    hashes = leaf_hashes()
    assert tiles() == tree.grow(size=0, partial={}, leaves=b"".join(hashes))
    assert [one.size for one in Checkpoint.objects.order_by("id")] == [1, 255, 256, 257, 957, 1000]
    for one in Checkpoint.objects.all():
        assert bytes(one.root) == tree.fold(b"".join(hashes[: one.size]))


def test_every_event_has_a_proof_that_an_outsider_can_check() -> None:
    last = sealed(300)
    for position in (1, 2, 255, 256, 257, 300):
        proof = checkpoints.proof_of(position=position)
        assert proof is not None
        head = signed_notes.read(proof.checkpoint)
        assert (proof.index, proof.size) == (position - 1, 300) == (proof.index, head.size)
        leaf_of = leaf(placed(position))
        shows = tree.includes(leaf=leaf_of, index=proof.index, size=proof.size, proof=proof.hashes, root=head.root)
        assert shows
    assert checkpoints.proof_of(position=last.size + 1) is None
    assert checkpoints.proof_of(position=0) is None


def test_a_proof_costs_two_queries() -> None:
    sealed(300)
    with CaptureQueriesContext(connection) as queries:
        checkpoints.proof_of(position=7)
    assert len(queries) == 2


def test_one_checkpoint_is_shown_to_begin_the_next() -> None:
    old, new = sealed(77), sealed(300)
    proof = checkpoints.consistency(old=old.size, new=new.size)
    roots = {"old_root": bytes(old.root), "new_root": bytes(new.root)}
    assert tree.extends(old=77, new=377, proof=proof, **roots)
    with pytest.raises(LogBroken):
        checkpoints.consistency(old=77, new=1000)


def test_what_has_no_position_is_not_sealed() -> None:
    sealed(2)
    fill(2)
    assert checkpoints.seal(at=AT) == 0
    assert checkpoints.tree_size() == 2


def test_a_second_sealer_does_not_wait_for_the_first() -> None:
    fill(2)
    sequenced()
    answers: list[int] = []

    def run() -> None:
        answers.append(checkpoints.seal(at=AT))
        connections.close_all()

    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [checkpoints._LOCK])
        thread = threading.Thread(target=run)
        thread.start()
        thread.join(30)
        assert answers == [0]
    assert checkpoints.seal(at=AT) == 2


def test_leaves_of_a_sealer_that_died_before_signing_are_signed_next() -> None:
    fill(3)
    sequenced()
    checkpoints._grow()
    assert checkpoints.latest() is None
    assert checkpoints.seal(at=AT) == 0
    last = checkpoints.latest()
    assert last is not None
    assert last.size == 3


def test_after_a_change_of_key_the_next_size_is_signed_by_the_new_one(settings: Any) -> None:
    settings.SIGNING_KEYS = ring("one")
    assert sealed(2).key_id == "one"
    settings.SIGNING_KEYS = ring("two", "one")
    assert sealed(1).key_id == "two"
    for one in Checkpoint.objects.all():
        assert signed_notes.read(one.note).size == one.size


def test_the_same_size_is_signed_anew_once_by_a_new_key(settings: Any) -> None:
    settings.SIGNING_KEYS = ring("one")
    old = sealed(2)
    assert not checkpoints.resign(at=AT)
    settings.SIGNING_KEYS = ring("two", "one")
    assert checkpoints.resign(at=AT)
    assert not checkpoints.resign(at=AT)
    new = checkpoints.latest()
    assert new is not None
    assert (new.size, bytes(new.root), new.key_id) == (old.size, bytes(old.root), "two")
    proof = checkpoints.proof_of(position=1)
    assert proof is not None
    assert proof.checkpoint == new.note


def test_before_the_first_seal_there_is_nothing_to_sign_anew() -> None:
    assert not checkpoints.resign(at=AT)


def test_a_position_that_is_gone_stops_the_seal() -> None:
    sealed(2)
    fill(3)
    sequenced()
    behind_the_triggers("DELETE FROM consents_position WHERE position = 4")
    with pytest.raises(LogBroken, match="position 2"):
        checkpoints.seal(at=AT)
    assert checkpoints.tree_size() == 2


def test_an_event_that_is_gone_stops_the_seal() -> None:
    fill(3)
    sequenced()
    behind_the_triggers("DELETE FROM consents_ledgerevent WHERE id = %s", [placed(2).pk])
    with pytest.raises(LogBroken, match="missing"):
        checkpoints.seal(at=AT)
    assert Checkpoint.objects.count() == 0


def test_a_tree_that_was_forked_is_never_signed() -> None:
    sealed(3)
    behind_the_triggers(ALTER_TILE)
    with pytest.raises(LogBroken, match="3 leaves"):
        sealed(2)
    assert Checkpoint.objects.count() == 1


def test_a_tree_that_was_cut_short_is_never_signed() -> None:
    sealed(3)
    behind_the_triggers("UPDATE consents_tile SET hashes = substring(hashes FROM 1 FOR 32)")
    behind_the_triggers("DELETE FROM consents_position WHERE position > 1")
    with pytest.raises(LogBroken):
        checkpoints.seal(at=AT)


@pytest.mark.parametrize(
    "change",
    [
        f"{ALTER_TILE} WHERE level = 0",
        "UPDATE consents_tile SET hashes = substring(hashes FROM 1 FOR 32) WHERE level = 0",
        f"{ALTER_TILE} || hashes WHERE level = 0",
        "UPDATE consents_tile SET number = 9",
        "UPDATE consents_tile SET level = 9",
        "DELETE FROM consents_tile",
        "DELETE FROM consents_checkpoint",
        "UPDATE consents_checkpoint SET size = size + 1",
    ],
)
def test_tiles_only_grow_and_checkpoints_stay(change: str) -> None:
    sealed(3)
    with (
        pytest.raises((ProgrammingError, InternalError), match="pgtrigger"),
        transaction.atomic(),
        connection.cursor() as cursor,
    ):
        cursor.execute(change)


@pytest.mark.parametrize("hashes", [b"", b"x" * 31, b"x" * 8224])
def test_a_tile_is_whole_hashes_up_to_256(hashes: bytes) -> None:
    with pytest.raises(Exception, match="a_tile_holds_1_to_256_hashes"):
        Tile.objects.create(level=0, number=0, hashes=hashes)


def test_the_lag_is_what_is_placed_and_not_signed() -> None:
    assert checkpoints.lag(at=AT).waiting == 0
    sealed(2)
    fill(3)
    sequenced()
    lag = checkpoints.lag(at=AT + timedelta(seconds=90))
    assert (lag.waiting, lag.seconds) == (3, 90)
    sealed()
    assert checkpoints.lag(at=AT) == checkpoints.Lag(waiting=0, seconds=0)
