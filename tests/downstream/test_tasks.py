"""The turns of the crank: what travels is an id, and what the broker loses is handed over again."""

import inspect
import uuid
from datetime import timedelta
from typing import Any

import kombu.exceptions
import pytest
from celery import current_app

from consents.models import Subject
from consents.vocabulary import Action
from downstream import propagation, tasks
from downstream.models import Dataset, Propagation
from portal import clock
from requests_app import tasks as request_tasks
from tests.downstream.acting import authors, run_all, say

pytestmark = pytest.mark.django_db(transaction=True)

Sent = list[tuple[str, dict[str, Any]]]


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> Sent:
    """What would go to the broker."""
    messages: Sent = []
    monkeypatch.setattr(current_app, "send_task", lambda name, kwargs: messages.append((name, kwargs)))
    return messages


def test_a_turn_plans_and_sends_nothing_but_the_id(posts: Dataset, alice: Subject, sent: Sent) -> None:
    say(alice, Action.DENY)
    tasks.turn()
    run = Propagation.objects.open().get()
    assert sent == [("downstream.tasks.carry_out", {"propagation_id": str(run.pk)})]
    tasks.turn()
    assert len(sent) == 1


@pytest.mark.parametrize("task", [tasks.turn, tasks.mark_void_permits, request_tasks.close_verified])
def test_a_turn_tolerates_words_of_another_version(posts: Dataset, task: Any, sent: Sent) -> None:
    task(since="yesterday", batch=7)
    assert sent == []


def test_carrying_out_tolerates_words_of_another_version(posts: Dataset, alice: Subject) -> None:
    say(alice, Action.DENY)
    (run,) = propagation.plan(at=clock.now())
    tasks.carry_out(propagation_id=str(run.pk), priority=1)
    assert "m_alice" not in authors(posts)
    tasks.carry_out(propagation_id=str(uuid.uuid4()))


def test_every_task_takes_ids_by_keyword_and_nothing_else() -> None:
    ours = [task for name, task in current_app.tasks.items() if name.split(".")[0] in {"downstream", "requests_app"}]
    assert len(ours) >= 4
    for task in ours:
        parameters = inspect.signature(task.run).parameters.values()
        assert {one.kind for one in parameters} <= {inspect.Parameter.KEYWORD_ONLY, inspect.Parameter.VAR_KEYWORD}
        named = [one.name for one in parameters if one.kind == inspect.Parameter.KEYWORD_ONLY]
        assert all(name.endswith("_id") for name in named)
        assert any(one.kind == inspect.Parameter.VAR_KEYWORD for one in parameters)


def test_what_a_broker_that_is_away_was_given_is_handed_over_again(
    posts: Dataset, alice: Subject, monkeypatch: pytest.MonkeyPatch, settings: Any
) -> None:
    say(alice, Action.DENY)

    def away(*_: object, **__: object) -> None:
        raise kombu.exceptions.OperationalError("nobody listens")

    with monkeypatch.context() as patched:
        patched.setattr(current_app, "send_task", away)
        with pytest.raises(kombu.exceptions.OperationalError):
            tasks.turn()
    at = clock.now()
    assert propagation.hand_over(at=at) == []
    later = at + settings.REQUEUE_AFTER + timedelta(seconds=1)
    run = Propagation.objects.open().get()
    assert propagation.hand_over(at=later) == [run.pk]
    assert run.attempts == 0


def test_a_turn_hands_over_although_planning_fails(
    posts: Dataset, alice: Subject, sent: Sent, monkeypatch: pytest.MonkeyPatch
) -> None:
    say(alice, Action.DENY)
    (run,) = propagation.plan(at=clock.now())

    def fail(**_: object) -> None:
        raise RuntimeError("cannot plan")

    monkeypatch.setattr(propagation, "plan", fail)
    with pytest.raises(RuntimeError, match="cannot plan"):
        tasks.turn()
    assert [kwargs for _, kwargs in sent] == [{"propagation_id": str(run.pk)}]


def test_work_that_is_not_due_yet_is_not_handed_over(posts: Dataset, alice: Subject) -> None:
    say(alice, Action.DENY)
    (run,) = propagation.plan(at=clock.now())
    Propagation.objects.update(next_try_at=clock.now() + timedelta(hours=1))
    assert run_all(at=clock.now()) == []
    tasks.carry_out(propagation_id=str(run.pk))
    assert "m_alice" in authors(posts)


def test_a_turn_tells_partners_of_what_happened(monkeypatch: pytest.MonkeyPatch) -> None:
    called: list[str] = []
    monkeypatch.setattr("downstream.webhooks.follow", lambda *, at: called.append("follow"))
    monkeypatch.setattr("downstream.webhook_sending.deliver", lambda *, clock, seconds: called.append("deliver"))
    tasks.send_webhooks(unknown="from another version")
    assert called == ["follow", "deliver"]
