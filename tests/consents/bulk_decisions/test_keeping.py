"""Kept in memory and in files, and never another database's, another past's or a broken one."""

import json
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.db import connection, transaction
from pytest_django import DjangoAssertNumQueries

from consents import bulk_decisions, sequencer
from consents.bulk_decisions import building, files, keeping
from consents.evaluation import Question
from consents.models import LedgerEvent, SequencerState, Subject
from consents.vocabulary import Action
from portal import crypto
from tests.conftest import AT, person, sequenced
from tests.consents.asking import say

pytestmark = pytest.mark.django_db(transaction=True)


def allowed(*names: str) -> list[Any]:
    asking = bulk_decisions.begin(scheme="account", question=Question("ai-training"), now=AT)
    return asking.answer(list(names)).to_pylist()


@pytest.fixture
def builds(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Each time that everybody was read."""
    seen: list[str] = []
    build = building.build
    monkeypatch.setattr(building, "build", lambda scheme: (seen.append(scheme), build(scheme))[1])
    return seen


def inner() -> Path:
    folder = files.place("account")
    return folder / (folder / "current").read_text()


def test_another_process_maps_what_the_first_one_built(alice: Subject, builds: list[str]) -> None:
    sequenced()
    assert allowed("m_alice") == [True]
    keeping.let_go()
    say(alice, Action.DENY)
    assert allowed("m_alice") == [False]
    assert builds == ["account"]


def test_what_a_process_changes_stays_its_own(alice: Subject) -> None:
    sequenced()
    allowed("m_alice")
    keeping.let_go()
    before = {path.name: path.read_bytes() for path in inner().iterdir()}
    say(alice, Action.DENY)
    person("new", at=AT)
    assert allowed("m_alice", "m_new") == [False, True]
    assert {path.name: path.read_bytes() for path in inner().iterdir()} == before


def test_the_files_hold_no_name_and_no_id(alice: Subject) -> None:
    sequenced()
    allowed("m_alice")
    every = b"".join(path.read_bytes() for path in inner().iterdir())
    for known in (b"m_alice", b"alice@", str(alice.pk).encode(), alice.pk.bytes, alice.pk.bytes[:8]):
        assert known not in every


def broken(path: Path) -> None:
    whole = path.read_bytes()
    path.write_bytes(whole[:-8] + bytes(8 * [255]))


@pytest.mark.parametrize("name", ["slots.npy", "people.npy", "profile.npy", "about.json"])
def test_a_broken_file_is_built_again(alice: Subject, builds: list[str], name: str) -> None:
    sequenced()
    allowed("m_alice")
    keeping.let_go()
    broken(inner() / name)
    assert allowed("m_alice") == [True]
    assert len(builds) == 2


@pytest.mark.parametrize("changed", [{"format": 0}, {"polars": "0"}, {"scheme": "device"}, {"key": "another"}])
def test_one_that_means_something_else_is_built_again(
    alice: Subject, builds: list[str], changed: dict[str, Any]
) -> None:
    sequenced()
    allowed("m_alice")
    keeping.let_go()
    about = inner() / "about.json"
    about.write_text(json.dumps(json.loads(about.read_text()) | changed))
    assert allowed("m_alice") == [True]
    assert len(builds) == 2


def test_another_key_of_the_ring_is_built_again(alice: Subject, builds: list[str], settings: Any) -> None:
    sequenced()
    allowed("m_alice")
    keeping.let_go()
    settings.INDEX_KEYS = crypto.Ring({"new": bytes(32), **settings.INDEX_KEYS.keys})
    assert allowed("m_alice") == [True]
    assert len(builds) == 2


def test_the_log_of_another_past_is_built_again(alice: Subject, builds: list[str]) -> None:
    sequenced()
    assert allowed("m_alice") == [True]
    with connection.cursor() as cursor:
        # as after a restore: the same positions hold other events
        cursor.execute("TRUNCATE consents_position, consents_sequencerstate")
        cursor.execute(
            "INSERT INTO consents_position (position, event_id, sequenced_at)"
            " SELECT row_number() OVER (ORDER BY id DESC), id, now()"
            " FROM consents_ledgerevent"
        )
    SequencerState.objects.create(id=1, horizon=0, head=LedgerEvent.objects.count())
    say(alice, Action.DENY)
    sequenced()
    assert allowed("m_alice") == [False]
    assert len(builds) == 2


def test_a_shorter_log_is_built_again(alice: Subject, builds: list[str]) -> None:
    sequenced()
    assert allowed("m_alice") == [True]
    with connection.cursor() as cursor:
        cursor.execute("TRUNCATE consents_position, consents_sequencerstate")
    assert sequencer.head() == 0
    assert allowed("m_alice") == [True]
    assert len(builds) == 2


def test_inside_a_transaction_nothing_is_kept(alice: Subject, builds: list[str]) -> None:
    sequenced()
    assert allowed("m_alice") == [True]
    with transaction.atomic():
        say(alice, Action.DENY)
        assert allowed("m_alice") == [False]
        transaction.set_rollback(True)
    assert allowed("m_alice") == [True]


def test_a_folder_that_cannot_be_written_costs_only_time(alice: Subject, tmp_path: Path) -> None:
    sequenced()
    (tmp_path / "decisions").write_text("in the way")
    assert allowed("m_alice") == [True]
    assert tmp_path == settings.DATA_DIR


def test_a_warm_question_costs_three_statements(
    alice: Subject, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    sequenced()
    people = [person(f"p{number}") for number in range(20)]
    # once to build; once to find that what waited for its position was read already
    allowed("m_alice"), allowed("m_alice")
    # where the log is, what it has since, the rulebook's token; and nothing for each person
    with django_assert_num_queries(3):
        allowed(*(f"m_p{number}" for number in range(20)))
    for one in people:
        say(one, Action.DENY)
    # those who changed, and what they said
    with django_assert_num_queries(5):
        assert not any(allowed(*(f"m_p{number}" for number in range(20))))
