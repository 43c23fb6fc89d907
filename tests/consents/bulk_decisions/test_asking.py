"""Many names at once: who is allowed, what has just changed, and what is nobody's name."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from consents import bulk_decisions
from consents.bulk_decisions import keeping
from consents.decisions import Question
from consents.models import Subject
from consents.vocabulary import Action
from tests.conftest import AT, person, sequenced
from tests.consents.asking import say

# committed for real: a snapshot is kept only of what has a place in the log
pytestmark = pytest.mark.django_db(transaction=True)

LATER = AT + timedelta(hours=1)
DAY = timedelta(days=1)
MARKETING = Question("marketing")


@pytest.fixture(autouse=True)
def own_files(tmp_path: Path, settings: Any) -> Iterator[None]:
    settings.DATA_DIR = tmp_path
    keeping.let_go()
    yield
    keeping.let_go()


def allowed(
    *names: str | None, question: Question | None = None, now: datetime = LATER, scheme: str = "account", **asked: Any
) -> list[bool]:
    question = question or Question("ai-training")
    (answer,) = bulk_decisions.decide_many([list(names)], scheme=scheme, question=question, now=now, **asked)
    return answer.allow.to_pylist()  # type: ignore[return-value]


def test_each_name_is_answered_in_its_place(alice: Subject, grace: Subject) -> None:
    say(grace, Action.DENY)
    person("dora", "DE")
    sequenced()
    assert allowed("m_grace", "m_alice", "m_nobody", "m_dora", "m_alice") == [False, True, False, False, True]


def test_what_is_no_name_is_denied(alice: Subject) -> None:
    sequenced()
    assert allowed(None, "", "\0", "m_alice\n", " m_alice\t", "m alice", "x" * 1000) == [
        False,
        False,
        False,
        True,
        True,
        False,
        False,
    ]


def test_a_choice_made_a_moment_ago_is_in_the_next_answer(alice: Subject, grace: Subject) -> None:
    position = sequenced()
    assert allowed("m_alice", "m_grace") == [True, True]
    say(alice, Action.DENY)
    (answer,) = bulk_decisions.decide_many(
        [["m_alice", "m_grace"]], scheme="account", question=Question("ai-training"), now=LATER
    )
    assert (answer.position, answer.allow.to_pylist()) == (position, [False, True])
    assert sequenced() == position + 1
    say(alice, Action.GRANT, at=LATER)
    (answer,) = bulk_decisions.decide_many([["m_alice"]], scheme="account", question=Question("ai-training"), now=LATER)
    assert (answer.position, answer.allow.to_pylist()) == (position + 1, [True])
