"""Whatever a superuser does behind the triggers is found, and named with its place."""

import io
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connection

from consents import checkpoints, leaves, log_differences, log_verification, signed_notes, tree
from consents.models import Checkpoint, Position, Preference, SequencerState, Subject, Tile
from consents.signed_notes import Head, NoteError
from consents.tree import TileId
from consents.vocabulary import Action
from tests.conftest import AT, sequenced
from tests.consents.asking import say
from tests.consents.sealing import ALTER_TILE, behind_the_triggers, fill, placed, ring, sealed

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Several chunks already in a small log."""
    for module in (checkpoints, log_verification):
        monkeypatch.setattr(module, "CHUNK", 512)


def found(against: str = "") -> list[tuple[str, str]]:
    return [(one.code, one.message) for one in log_verification.verify(against=against).findings]


def codes(against: str = "") -> list[str]:
    return [code for code, _ in found(against)]


def the_message(code: str) -> str:
    """The one finding there is, which must be of this kind."""
    ((only, message),) = found()
    assert only == code
    return message


def edit(position: int, what: str = "action = 'grant'") -> None:
    behind_the_triggers(f"UPDATE consents_ledgerevent SET {what} WHERE id = %s", [placed(position).pk])


def swap(one: int, other: int) -> None:
    """Exchange the events of two positions."""
    first, second = placed(one).pk, placed(other).pk
    behind_the_triggers("DELETE FROM consents_position WHERE position IN (%s, %s)", [one, other])
    for position, event in ((one, second), (other, first)):
        Position.objects.create(position=position, event_id=event, sequenced_at=AT)


def rewrite_tiles() -> None:
    """Make the whole tree anew over what the ledger says now, as a thorough forger would."""
    behind_the_triggers("DELETE FROM consents_tile")
    runs = leaves.runs(after=0, until=10**6, width=256)
    for one, hashes in tree.grow(size=0, partial={}, leaves=b"".join(run.hashes for run in runs)).items():
        Tile.objects.create(level=one.level, number=one.number, hashes=hashes)


def rewrite_checkpoints() -> None:
    """Sign every size anew over the tree as it is now, with the real key."""
    kept = list(Checkpoint.objects.order_by("id"))
    behind_the_triggers("DELETE FROM consents_checkpoint")
    for one in kept:
        root = checkpoints.root_at(one.size)
        note, key_id = signed_notes.write(Head(size=one.size, root=root))
        Checkpoint.objects.create(size=one.size, root=root, note=note, key_id=key_id, signed_at=one.signed_at)


def test_a_log_that_nobody_touched_is_intact() -> None:
    for count in (1, 255, 1, 900, 600):
        sealed(count)
    report = log_verification.verify()
    assert (report.leaves, report.placed, report.checkpoints, report.findings) == (1757, 1757, 5, [])


def test_an_empty_log_is_intact() -> None:
    assert found() == []


def test_what_waits_to_be_placed_or_sealed_is_no_fault() -> None:
    sealed(3)
    fill(2)
    assert found() == []
    checkpoints_before = Checkpoint.objects.count()

    sequenced()
    assert found() == []
    assert Checkpoint.objects.count() == checkpoints_before


@pytest.mark.parametrize(
    "what",
    [
        "action = 'grant'",
        "subject_id = gen_random_uuid()",
        "details = '{\"quietly\": true}'",
        "evidence = '\\x00'",
        "actor = 'nobody'",
        "occurred_at = occurred_at - interval '1 microsecond'",
        "salt = gen_random_uuid()",
        "kind = 'notice'",
        "notice = ''",
    ],
)
def test_an_edited_row_is_named(what: str) -> None:
    sealed(700)
    event = placed(300)
    edit(300, what)
    message = the_message("event_edited")
    assert "position 300 " in message
    assert str(event.pk) in message


def test_an_edited_row_of_the_last_partial_tile_is_named() -> None:
    sealed(300)
    edit(299)
    assert "position 299 " in the_message("event_edited")


def test_several_edits_are_each_named() -> None:
    sealed(700)
    for position in (1, 256, 257, 700):
        edit(position)
    assert codes() == ["event_edited"] * 4


def test_a_dropped_event_is_named() -> None:
    sealed(300)
    event = placed(17)
    behind_the_triggers("DELETE FROM consents_ledgerevent WHERE id = %s", [event.pk])
    assert the_message("event_missing") == f"The event of position 17 is gone: event {event.pk}."


def test_a_dropped_position_is_named_and_its_event_too() -> None:
    sealed(300)
    event = placed(300)
    behind_the_triggers("DELETE FROM consents_position WHERE position = 300")
    assert found() == [
        ("position_missing", "Position 300 is gone."),
        ("not_in_log", f"Event {event.pk} (amendment) is in the ledger and not in the log."),
    ]


def test_an_event_that_was_dropped_with_its_position_is_named() -> None:
    sealed(300)
    event = placed(5)
    behind_the_triggers("DELETE FROM consents_position WHERE position = 5")
    behind_the_triggers("DELETE FROM consents_ledgerevent WHERE id = %s", [event.pk])
    assert the_message("position_missing") == "Position 5 is gone."


def test_the_end_that_was_dropped_whole_is_named() -> None:
    sealed(300)
    gone = [placed(position).pk for position in (299, 300)]
    behind_the_triggers("DELETE FROM consents_position WHERE position > 298")
    behind_the_triggers("DELETE FROM consents_ledgerevent WHERE id = ANY(%s)", [gone])
    SequencerState.objects.update(head=298)
    assert [message for _, message in found()] == ["Position 299 is gone.", "Position 300 is gone."]


def test_what_was_dropped_before_it_was_sealed_is_named() -> None:

    sealed(3)
    fill(3)
    sequenced()
    behind_the_triggers("DELETE FROM consents_ledgerevent WHERE id = %s", [placed(5).pk])
    behind_the_triggers("DELETE FROM consents_position WHERE position = 6")
    assert codes() == ["event_missing", "position_missing", "not_in_log"]


@pytest.mark.parametrize(("one", "other"), [(3, 4), (10, 290), (1, 700)])
def test_two_that_changed_places_are_named_together(one: int, other: int) -> None:
    sealed(700)
    swap(one, other)
    message = the_message("events_swapped")
    assert f"position {one} (event {placed(one).pk}" in message
    assert f"position {other} (event {placed(other).pk}" in message


def test_three_that_changed_places_are_named_with_where_each_belongs() -> None:
    sealed(20)
    swap(3, 9)
    swap(9, 15)
    assert codes() == ["events_moved"] * 3
    assert "sealed at position 9" in found()[0][1]


def test_a_gap_that_was_closed_by_renumbering_is_seen_through() -> None:
    sealed(20)
    event = placed(5)
    behind_the_triggers("DELETE FROM consents_position WHERE position = 5")
    behind_the_triggers("DELETE FROM consents_ledgerevent WHERE id = %s", [event.pk])
    for position in range(6, 21):
        behind_the_triggers("UPDATE consents_position SET position = position - 1 WHERE position = %s", [position])
    assert found() == [
        ("position_missing", "Position 20 is gone."),
        ("events_moved", "What stands at positions 5 to 19 was sealed 1 later: it was renumbered."),
    ]


def test_an_event_that_was_slipped_in_before_the_horizon_is_named() -> None:
    sealed(5)
    fill(1)
    behind_the_triggers(
        "UPDATE consents_ledgerevent SET transaction_id = '3' WHERE id NOT IN (SELECT event_id FROM consents_position)"
    )
    assert "is in the ledger and not in the log" in the_message("not_in_log")


def test_many_differences_are_counted_and_not_all_written_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(log_differences, "LISTED", 3)
    monkeypatch.setattr(log_differences, "KEPT", 10)
    sealed(30)
    behind_the_triggers("UPDATE consents_ledgerevent SET actor = 'nobody'")
    report = log_verification.verify()
    assert (len(report.findings), report.findings.unlisted()) == (3, 27)


@pytest.mark.parametrize("number", [0, 2])
def test_an_altered_tile_is_named_and_the_rows_are_not_blamed(number: int) -> None:
    sealed(600)
    behind_the_triggers(f"{ALTER_TILE} WHERE level = 0 AND number = %s", [number])
    last = (number + 1) * 256 if number == 0 else 600
    expected = f"Tile 0/{number} of the tree is altered: positions {number * 256 + 1} to {last}."
    assert the_message("tile_altered") == expected


def test_an_altered_tile_of_an_upper_level_is_named() -> None:
    sealed(600)
    behind_the_triggers(f"{ALTER_TILE} WHERE level = 1")
    assert "Tile 1/0 " in the_message("tile_altered")


@pytest.mark.parametrize("level", [0, 1])
def test_a_tile_that_is_gone_is_named(level: int) -> None:
    sealed(600)
    behind_the_triggers("DELETE FROM consents_tile WHERE level = %s AND number = 0", [level])
    assert f"Tile {level}/0 of the tree is gone" in the_message("tile_gone")


def test_a_tile_over_no_leaves_is_named() -> None:
    sealed(600)
    Tile.objects.create(level=2, number=0, hashes=b"x" * 32)
    assert the_message("tile_extra") == "Tile 2/0 of the tree stands over no leaves."


def test_a_tree_that_was_rewritten_over_a_forged_event_is_found_by_its_checkpoints() -> None:
    for count in (100, 200, 300, 50):
        sealed(count)
    edit(250)
    rewrite_tiles()
    message = the_message("checkpoint_forked")
    assert "the checkpoint of size 300," in message
    assert "and 2 more after it" in message


def test_a_tree_that_was_cut_short_is_found_by_its_checkpoints() -> None:
    sealed(100)
    sealed(100)
    for statement in (
        "DELETE FROM consents_ledgerevent WHERE id IN (SELECT event_id FROM consents_position WHERE position > 150)",
        "DELETE FROM consents_position WHERE position > 150",
    ):
        behind_the_triggers(statement)
    SequencerState.objects.update(head=150)
    rewrite_tiles()
    assert "signs 200 leaves, and the tree has 150" in the_message("checkpoint_beyond")


def test_a_checkpoint_that_was_altered_is_named() -> None:
    sealed(10)
    behind_the_triggers("UPDATE consents_checkpoint SET root = decode(repeat('00', 32), 'hex')")
    assert "size 10 does not say" in the_message("checkpoint_altered")


def test_a_checkpoint_without_a_key_of_ours_is_named(settings: Any) -> None:
    settings.SIGNING_KEYS = ring("stolen")
    sealed(10)
    settings.SIGNING_KEYS = ring("ours")
    assert "No key of this house" in the_message("checkpoint_signature")


def test_a_forger_with_the_real_key_is_found_by_what_somebody_else_kept() -> None:
    sealed(100)
    kept = sealed(200).note
    sealed(50)
    edit(250)
    rewrite_tiles()
    rewrite_checkpoints()
    # all that the house itself holds agrees with the forgery
    assert found() == []
    assert [code for code, _ in found(kept)] == ["outside_forked"]
    assert "the 300 leaves" in found(kept)[0][1]


def test_an_honest_log_begins_with_what_somebody_else_kept() -> None:
    kept = sealed(300).note
    sealed(700)
    assert found(kept) == []


def test_a_log_shorter_than_what_somebody_else_kept_is_found() -> None:
    sealed(10)
    note, _ = signed_notes.write(Head(size=11, root=b"x" * 32))
    assert codes(note) == ["outside_forked"]


def test_an_outside_note_that_we_never_signed_is_refused() -> None:
    note = sealed(10).note
    with pytest.raises(NoteError):
        log_verification.verify(against=note.replace("\n10\n", "\n11\n"))


def test_a_preference_that_no_choice_made_is_named(alice: Subject, charlie: Subject) -> None:
    for who in (alice, charlie):
        say(who, Action.DENY)
    assert found() == []
    Preference.objects.filter(subject=alice).update(action=Action.GRANT)
    message = the_message("preference")
    assert str(alice.pk) in message
    assert "is not the latest choice" in message


def test_preferences_that_are_gone_or_were_never_said_are_named(alice: Subject) -> None:
    say(alice, Action.DENY)
    Preference.objects.filter(subject=alice).update(purpose="marketing")
    assert sorted(message.rpartition(")")[2] for _, message in found()) == [" is gone.", " was never said."]


@pytest.mark.parametrize("first", [Action.DENY, Action.GRANT])
def test_choices_of_one_moment_and_late_ones_leave_preferences_intact(alice: Subject, first: Action) -> None:
    say(alice, first)
    for action in (Action.OBJECT, Action.GRANT, Action.WITHDRAW, Action.RESTRICT, Action.SIGNAL_ON, Action.SIGNAL_OFF):
        say(alice, action)
    say(alice, Action.GRANT, occurred_at=AT.replace(year=2025))
    assert found() == []


def run(*arguments: str) -> tuple[int, str]:
    out = io.StringIO()
    try:
        call_command("verify_log", *arguments, stdout=out, stderr=io.StringIO(), no_color=True)
    except SystemExit as end:
        return int(str(end.code)), out.getvalue()
    return 0, out.getvalue()


def test_the_command_says_that_all_is_well_and_ends_with_0() -> None:
    sealed(5)
    code, said = run()
    assert code == 0
    assert "Leaves verified: 5; checkpoints: 1;" in said
    assert "The log is intact." in said


def test_the_command_names_what_is_wrong_and_ends_with_1() -> None:
    sealed(5)
    edit(3)
    code, said = run()
    assert code == 1
    assert said.startswith("event_edited: The row at position 3 ")
    assert "NOT INTACT. Findings: 1." in said


def test_the_command_compares_with_a_checkpoint_in_a_file(tmp_path: Path) -> None:
    file = tmp_path / "kept.txt"
    file.write_text(sealed(5).note + "\n")
    sealed(5)
    code, said = run("--against", str(file))
    assert (code, "begins with the checkpoint that was kept outside" in said) == (0, True)
    edit(2)
    rewrite_tiles()
    rewrite_checkpoints()
    code, said = run("--against", str(file))
    assert (code, "outside_forked" in said) == (1, True)


@pytest.mark.parametrize("text", ["", "no note", "other.example/log\n3\nAAAA\n\n— other.example/log AAAA\n"])
def test_the_command_refuses_a_file_that_is_no_checkpoint_of_ours(tmp_path: Path, text: str) -> None:
    file = tmp_path / "kept.txt"
    file.write_text(text)
    with pytest.raises(CommandError):
        call_command("verify_log", "--against", str(file))
    with pytest.raises(CommandError, match="cannot be read"):
        call_command("verify_log", "--against", str(tmp_path / "nowhere"))


def test_an_edge_tile_is_vouched_for_by_the_last_checkpoint() -> None:
    sealed(300)
    hashes = bytes(Tile.objects.get(level=0, number=1).hashes)
    assert log_verification._vouched(1, hashes)
    assert not log_verification._vouched(1, hashes[::-1])
    assert TileId(0, 1) in tree.edge(300)


def test_nothing_is_written_by_looking() -> None:
    sealed(300)
    edit(3)
    before = list(Position.objects.values_list()), list(Tile.objects.values_list()), Checkpoint.objects.count()
    found()
    assert before == (
        list(Position.objects.values_list()),
        list(Tile.objects.values_list()),
        Checkpoint.objects.count(),
    )
    assert not connection.in_atomic_block
