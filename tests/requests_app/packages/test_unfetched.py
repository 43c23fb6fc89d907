"""Whoever asks for a copy and for an erasure gets the copy: the erasure is not closed before it was fetched."""

import threading
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.core import mail
from django.db import connection, transaction

from consents.models import Partner, Subject
from portal import actors
from portal.errors import Conflict
from portal.models import User
from requests_app import letters, opendsr, packages, rulebook, steps, workflow
from requests_app.models import Package, Request
from requests_app.packages import unfetched
from requests_app.states import PackageStatus, Status
from tests.conftest import BY
from tests.requests_app.asking import asked, propagate
from tests.requests_app.controlling import instructed
from tests.requests_app.packages.packing import LATER, SOON, file_of, opened

pytestmark = pytest.mark.django_db(transaction=True)
DAY = timedelta(days=1)


def answered(subject: Subject, staff: User, *, right: str = "access") -> Package:
    """Their copy, released; the request is closed with it."""
    request = workflow.start(request=asked(subject, right)[0], staff=staff, by=BY, at=SOON)
    request = workflow.carry_out(request=request, by=BY, at=SOON)
    assert packages.build_next(holder="test", clock=lambda: SOON)
    package = packages.release(package=request.packages.get(), by=BY, at=SOON)
    workflow.fulfil(request=request, by=BY, at=SOON)
    return package


def erasure(subject: Subject, staff: User) -> Request:
    """Carried out in every place, so that nothing else keeps it."""
    request = workflow.start(request=asked(subject, "erasure")[0], staff=staff, by=BY, at=SOON)
    request = workflow.carry_out(request=request, by=BY, at=SOON)
    propagate()
    return request


def closes(request: Request, *, at: datetime = LATER) -> bool:
    """As a turn of beat does it: what it does not find due is not tried."""
    steps.settle_due(at=at)
    due = request in workflow.closing_by_themselves(at=at)
    done = workflow.close_if_verified(request=request, by=actors.SYSTEM, at=at)
    assert due >= done
    return done


def fetch(package: Package, *, at: datetime = LATER) -> bytes:
    by = actors.subject(package.request.subject_id or "")
    return b"".join(packages.download(package=package, by=by, at=at))


@pytest.mark.parametrize("right", ["access", "portability"])
def test_an_erasure_waits_until_the_copy_is_fetched(alice: Subject, bob: User, right: str) -> None:
    package, request = answered(alice, bob, right=right), erasure(alice, bob)
    assert not closes(request)
    request.refresh_from_db()
    alice.refresh_from_db()
    assert (request.status, alice.erased_at) == (Status.IN_PROGRESS, None)
    assert opened(package).files["index.html"]
    assert fetch(package)[:2] == b"PK"
    # a download that breaks off can be made again for a day
    assert not closes(request, at=LATER + DAY - timedelta(seconds=1))
    assert closes(request, at=LATER + DAY)
    alice.refresh_from_db()
    assert alice.erased_at == LATER + DAY


def test_staff_are_told_why_they_cannot_close_it(alice: Subject, bob: User) -> None:
    package, request = answered(alice, bob), erasure(alice, bob)
    with pytest.raises(Conflict) as said:
        workflow.fulfil(request=request, by=BY, at=LATER)
    assert said.value.code == "answer_not_fetched"
    assert package.expires_at is not None
    assert f"on {min(request.due_on, package.expires_at.date()).isoformat()} at the latest" in said.value.message


def test_a_copy_that_expired_keeps_nothing(alice: Subject, bob: User, settings: Any) -> None:
    settings.PACKAGE_KEPT = timedelta(days=3)
    package, request = answered(alice, bob), erasure(alice, bob)
    wait = packages.wait_of(request, at=LATER)
    assert wait is not None
    assert wait.ends_on == (SOON + 3 * DAY).date()
    assert not closes(request, at=SOON + 3 * DAY - timedelta(seconds=1))
    assert closes(request, at=SOON + 3 * DAY)
    packages.delete_expired(at=SOON + 3 * DAY)
    assert not file_of(package).exists()


def test_the_erasures_own_day_wins(alice: Subject, bob: User, settings: Any) -> None:
    settings.PACKAGE_KEPT = timedelta(days=300)
    package, request = answered(alice, bob), erasure(alice, bob)
    wait = packages.wait_of(request, at=LATER)
    assert wait is not None
    assert wait.ends_on == request.due_on
    # it begins where she lives
    day = datetime.combine(request.due_on, datetime.min.time(), tzinfo=rulebook.thaw(request.terms).zone)
    assert not closes(request, at=day - timedelta(seconds=1))
    assert closes(request, at=day)
    package.refresh_from_db()
    assert package.expires_at == day
    letters.send_due(at=day)
    assert not any(word in mail.outbox[-1].body for word in ("alice", "Alice", "copy", "download"))


def test_an_erasure_that_is_overdue_waits_for_nothing(alice: Subject, bob: User) -> None:
    answered(alice, bob)
    request = erasure(alice, bob)
    Request.objects.filter(pk=request.pk).update(due_on=LATER.date() - DAY)
    request.refresh_from_db()
    assert packages.wait_of(request, at=LATER) is None
    assert closes(request)


def test_the_person_can_say_that_they_need_it_no_longer(alice: Subject, bob: User) -> None:
    package, request = answered(alice, bob), erasure(alice, bob)
    by = actors.subject(alice.pk)
    assert packages.let_go(request=request, by=by, at=LATER) == 1
    package.refresh_from_db()
    assert (package.status, package.sealed_key, file_of(package).exists()) == (PackageStatus.DELETED, None, False)
    entry = package.request.timeline.get(code="package_let_go")
    assert entry.actor == by
    with pytest.raises(Conflict) as said:
        packages.let_go(request=request, by=by, at=LATER)
    assert said.value.code == "nothing_ready"
    assert closes(request)


def test_a_copy_can_be_let_go_without_any_erasure(alice: Subject, bob: User) -> None:
    package = answered(alice, bob)
    assert packages.let_go(request=package.request, by=actors.subject(alice.pk), at=LATER) == 1
    with pytest.raises(Conflict):
        fetch(package)


def test_what_a_controller_fetched_of_theirs_they_have_not(acme: Partner, alice: Subject, bob: User) -> None:
    """A controller that asks the same is answered with the person's own, and may fetch it first."""
    access = workflow.start(request=asked(alice, "access")[0], staff=bob, by=BY, at=SOON)
    sent = instructed(acme, "access", at=SOON)
    access = workflow.carry_out(request=access, by=BY, at=SOON)
    assert packages.build_next(holder="test", clock=lambda: SOON)
    package = packages.release(package=access.packages.get(), by=BY, at=SOON)
    workflow.fulfil(request=access, by=BY, at=SOON)
    request = erasure(alice, bob)
    again = opendsr.find(controller=acme, request_id=str(sent.subject_request_id))
    assert b"".join(opendsr.results(sent=again, at=LATER))[:2] == b"PK"
    wait = packages.wait_of(request, at=LATER + 2 * DAY)
    assert wait is not None
    assert not wait.is_fetched
    assert not closes(request, at=LATER + 2 * DAY)
    fetch(package, at=LATER + 2 * DAY)
    assert closes(request, at=LATER + 3 * DAY)


def test_what_a_front_end_fetched_for_them_they_have(acme: Partner, alice: Subject, bob: User) -> None:
    package, request = answered(alice, bob), erasure(alice, bob)
    Request.objects.filter(pk=package.request_id).update(partner=acme.slug)
    b"".join(packages.download(package=package, by=actors.partner(acme.slug), at=LATER))
    assert closes(request, at=LATER + DAY)


def test_every_copy_is_waited_for(alice: Subject, bob: User) -> None:
    first, second = answered(alice, bob), answered(alice, bob, right="portability")
    request = erasure(alice, bob)
    fetch(first)
    assert not closes(request, at=LATER + DAY)
    packages.let_go(request=second.request, by=actors.subject(alice.pk), at=LATER + DAY)
    assert closes(request, at=LATER + DAY)


def test_a_copy_of_a_request_that_was_taken_back_is_not_waited_for(alice: Subject, bob: User) -> None:
    request = workflow.start(request=asked(alice, "access")[0], staff=bob, by=BY, at=SOON)
    workflow.carry_out(request=request, by=BY, at=SOON)
    packages.build_next(holder="test", clock=lambda: SOON)
    packages.release(package=request.packages.get(), by=BY, at=SOON)
    workflow.withdraw(request=request, by=actors.subject(alice.pk), at=SOON)
    assert closes(erasure(alice, bob))


def test_somebody_elses_copy_is_not_waited_for(alice: Subject, charlie: Subject, bob: User) -> None:
    answered(charlie, bob)
    assert closes(erasure(alice, bob))


def test_only_an_open_erasure_waits(alice: Subject, bob: User) -> None:
    package = answered(alice, bob)
    assert packages.wait_of(package.request, at=LATER) is None
    assert packages.erasure_of(package.request, at=LATER) is None
    request = asked(alice, "erasure")[0]
    found = packages.erasure_of(package.request, at=LATER)
    # also before anybody has carried it out: so the person reads of it in time
    assert found is not None
    assert found[0] == request
    workflow.withdraw(request=request, by=actors.subject(alice.pk), at=LATER)
    request.refresh_from_db()
    assert packages.wait_of(request, at=LATER) is None


def test_a_copy_that_is_being_released_is_waited_for(alice: Subject, bob: User) -> None:
    """Asked for after the erasure was carried out, and released in the moment in which that would be closed."""
    request = erasure(alice, bob)
    access = workflow.start(request=asked(alice, "access", at=LATER)[0], staff=bob, by=BY, at=LATER)
    workflow.carry_out(request=access, by=BY, at=LATER)
    assert packages.build_next(holder="test", clock=lambda: LATER)
    answers: list[bool] = []

    def close() -> None:
        try:
            answers.append(closes(request))
        finally:
            connection.close()

    with transaction.atomic():
        packages.release(package=access.packages.get(), by=BY, at=LATER)
        other = threading.Thread(target=close)
        other.start()
        other.join(timeout=1)
        assert other.is_alive()
    other.join(timeout=20)
    assert answers == [False]
    alice.refresh_from_db()
    assert alice.erased_at is None


def test_what_a_turn_leaves_out_could_not_be_closed(alice: Subject, bob: User) -> None:
    answered(alice, bob)
    request = erasure(alice, bob)
    assert list(unfetched.waiting_erasures(at=LATER)) == [request]
    near = datetime.combine(request.due_on, datetime.min.time(), tzinfo=SOON.tzinfo) - DAY
    assert not unfetched.waiting_erasures(at=near).exists()
    assert not closes(request, at=near - timedelta(hours=2))
