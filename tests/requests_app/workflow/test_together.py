"""Two at once on requests of one person: nobody waits for ever, and nobody is left without an answer."""

import threading
import time
from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection, transaction

from consents import subjects
from consents.models import Subject
from portal import actors
from portal.errors import Conflict
from portal.models import User
from requests_app import intake, tasks, workflow
from requests_app.models import Request
from requests_app.states import Status
from requests_app.workflow import moves
from tests.conftest import AT, BY, OTHER
from tests.requests_app.asking import LATER, SOON, asked, carried_out, closes, propagate, refusal_of, refused, started

pytestmark = pytest.mark.django_db(transaction=True)
LONG, A_MOMENT = 5.0, 0.3


class Beside:
    """Does something in a thread with a connection of its own."""

    def __init__(self, act: Callable[[], object]) -> None:
        self.failures: list[Exception] = []
        self._act = act
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self) -> None:
        try:
            self._act()
        except Exception as failure:
            self.failures.append(failure)
        finally:
            connection.close()

    def ends(self) -> bool:
        self._thread.join(timeout=LONG)
        return not self._thread.is_alive() and not self.failures


def asks_again(
    subject: Subject, right: str, *, holds: threading.Event, goes_on: threading.Event, **said: Any
) -> Beside:
    """Takes in a request once it may go on, and has the person locked and the first found since before."""

    def act() -> None:
        wish = intake.Asked(rights=(right,), **said)
        with transaction.atomic():
            locked = Subject.objects.select_for_update(no_key=True).get(pk=subject.pk)
            intake.repeats(wish, locked, at=LATER)
            holds.set()
            goes_on.wait(LONG)
            intake.receive_of_locked(asked=wish, subject=locked, by=actors.subject(subject.pk), at=LATER)

    return Beside(act)


def test_asking_again_and_carrying_out_do_not_wait_for_each_other(alice: Subject, bob: User) -> None:
    first, holds, goes_on = started(alice, bob), threading.Event(), threading.Event()
    again = asks_again(alice, "erasure", holds=holds, goes_on=goes_on)
    holds.wait(LONG)
    with transaction.atomic():
        moves.lock(first)
        threading.Timer(A_MOMENT, goes_on.set).start()
        workflow.carry_out(request=first, by=BY, at=LATER)
    assert again.ends()


def test_what_is_asked_again_meanwhile_is_not_answered_with_other_corrections(alice: Subject) -> None:
    name = {"what": "Surname", "wrong": "Dough", "right": "Doe"}
    said: dict[str, Any] = {"channel": "letter", "details": {"corrections": [name]}}
    (first,) = asked(alice, "rectification", **said)
    holds, goes_on = threading.Event(), threading.Event()
    again = asks_again(alice, "rectification", holds=holds, goes_on=goes_on, **said)
    holds.wait(LONG)
    threading.Timer(A_MOMENT, goes_on.set).start()
    with pytest.raises(Conflict):
        workflow.write_corrections(request=first, corrections=[name | {"right": "Dow"}], by=BY, at=LATER)
    assert again.ends()
    assert first.duplicates.count() == 1
    workflow.write_corrections(request=first, corrections=[name, name | {"what": "Town"}], by=BY, at=LATER)


def test_what_is_asked_while_the_first_is_answered_is_answered_too(
    alice: Subject, bob: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = started(alice, bob)
    proposal = refusal_of(first)
    found, goes_on = threading.Event(), threading.Event()
    insert = intake._insert

    def slow(*given: Any, **more: Any) -> None:
        found.set()
        goes_on.wait(LONG)
        insert(*given, **more)

    monkeypatch.setattr(intake, "_insert", slow)
    again = Beside(lambda: asked(alice, "erasure", at=LATER))
    found.wait(LONG)
    workflow.decide(proposal=proposal, approve=True, by=OTHER, at=LATER)
    goes_on.set()
    assert again.ends()
    tasks.close_verified()
    second = Request.objects.exclude(pk=first.pk).get()
    assert (second.status, second.refusal_ground) == (Status.REFUSED, "unfounded")


def test_what_is_asked_while_somebody_is_forgotten_does_not_stay_open(alice: Subject, bob: User) -> None:
    request, holds, goes_on = carried_out(alice, bob), threading.Event(), threading.Event()
    propagate()
    again = asks_again(alice, "automated_decision", holds=holds, goes_on=goes_on)
    holds.wait(LONG)
    threading.Timer(A_MOMENT, goes_on.set).start()
    assert closes(request)
    assert again.ends()
    assert not Request.objects.open().filter(subject=alice).exists()


def test_a_copy_that_is_asked_for_at_this_moment_is_owed_first(alice: Subject, bob: User) -> None:
    request, holds, goes_on = carried_out(alice, bob), threading.Event(), threading.Event()
    propagate()
    again = asks_again(alice, "access", holds=holds, goes_on=goes_on)
    holds.wait(LONG)
    threading.Timer(A_MOMENT, goes_on.set).start()
    assert not closes(request)
    assert again.ends()
    copy = Request.objects.open().get(subject=alice, right="access")
    workflow.withdraw(request=copy, by=actors.subject(alice.pk), at=LATER)
    assert closes(request)


def test_who_is_forgotten_at_this_moment_appeals_no_more(alice: Subject, bob: User) -> None:
    answered = asked(alice, "automated_decision", at=AT)[0]
    workflow.decide(
        proposal=refusal_of(workflow.start(request=answered, staff=bob, by=BY, at=SOON)),
        approve=True,
        by=OTHER,
        at=SOON,
    )
    by = actors.subject(alice.pk)
    with transaction.atomic():
        subjects.forget(subject=alice, by=BY, at=LATER)
        late = Beside(lambda: workflow.appeal(request=answered, right="complaint", note="", by=by, at=LATER))
        time.sleep(A_MOMENT)
    assert not late.ends()
    assert [getattr(failure, "code", failure) for failure in late.failures] == ["erased"]


def test_what_is_asked_anew_at_this_moment_is_not_opened_again(alice: Subject, bob: User) -> None:
    answered, holds, goes_on = refused(alice, bob), threading.Event(), threading.Event()
    anew = asks_again(alice, "erasure", holds=holds, goes_on=goes_on)
    holds.wait(LONG)
    threading.Timer(A_MOMENT, goes_on.set).start()
    with pytest.raises(Conflict) as said:
        workflow.reopen(request=answered, by=BY, at=LATER, words="It was wrong.")
    assert anew.ends()
    assert said.value.code == "asked_again"


def test_where_a_doubted_first_runs_out_the_next_stands(alice: Subject) -> None:
    first, second = asked(alice, "access")[0], asked(alice, "access", at=SOON)[0]
    workflow.doubt(request=first, by=BY, at=SOON)
    workflow.expire(request=first, by=actors.SYSTEM, at=LATER)
    second.refresh_from_db()
    assert (second.status, second.duplicate_of) == (Status.RECEIVED, None)


def test_a_duplicate_of_a_duplicate_is_answered(alice: Subject, bob: User) -> None:
    first, second = asked(alice, "access", at=AT)[0], asked(alice, "access", at=SOON)[0]
    workflow.doubt(request=first, by=BY, at=SOON)
    third = asked(alice, "access", at=LATER)[0]
    assert workflow.prove(request=first, subject=alice, by=BY, at=LATER).duplicate_of == third
    workflow.start(request=third, staff=bob, by=BY, at=LATER)
    workflow.decide(proposal=refusal_of(third), approve=True, by=OTHER, at=LATER)
    tasks.close_verified()
    second.refresh_from_db()
    assert second.status == Status.REFUSED
