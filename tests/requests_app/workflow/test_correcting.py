"""Writing down what is to be corrected, after it came in words: when, what stays, and what downstream is told."""

from collections.abc import Callable
from typing import Any

import pytest

from consents.models import Partner, Subject
from portal.errors import Conflict, DomainError, Forbidden
from portal.models import AuditEntry, User
from requests_app import intake, timeline, workflow
from requests_app.models import Request
from requests_app.rights import rectification
from tests.conftest import BY, OTHER
from tests.consents.api.conftest import Caller
from tests.downstream.copies import HOLDERS_SCOPES, copy_at
from tests.requests_app.asking import LATER, SOON, asked, closes, propagate, refusal_of

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("world", "own_cache")]
NAME = {"what": "Surname", "wrong": "Dough", "right": "Doe"}
TOWN = {"what": "Town", "wrong": "", "right": "Cork"}


def by_letter(subject: Subject, *corrections: dict[str, str]) -> Request:
    details = {"corrections": list(corrections)} if corrections else {}
    return asked(subject, "rectification", channel="letter", note="My name is wrong.", details=details)[0]


def write(request: Request, *corrections: dict[str, str], by: str = BY, at: Any = SOON) -> list[dict[str, str]]:
    request = workflow.write_corrections(request=request, corrections=corrections, by=by, at=at)
    return rectification.corrections(request)


def start(request: Request, staff: User) -> Request:
    return workflow.start(request=request, staff=staff, by=BY, at=SOON)


def test_what_a_letter_says_in_words_is_written_down_sealed_and_told(alice: Subject) -> None:
    request = by_letter(alice)
    assert write(request, NAME, TOWN | {"right": " Cork "}) == [NAME, TOWN]
    entry = request.timeline.get(code="corrections_written")
    assert (entry.actor, entry.details) == (BY, {"corrections": 2, "fixed": 0})
    assert timeline.words(request, entry) == "+ Surname: Dough → Doe\n+ Town: → Cork"
    assert not AuditEntry.objects.filter(details__icontains="Dough").exists()
    request.refresh_from_db()
    assert b"Dough" not in bytes(request.sealed_details or b"")


def test_what_staff_mistyped_is_mended_and_the_earlier_words_stay_on_the_timeline(alice: Subject) -> None:
    request = by_letter(alice, NAME)
    assert write(request, NAME | {"right": "Dow"}) == [NAME | {"right": "Dow"}]
    assert write(request, at=LATER) == []
    first, second = request.timeline.filter(code="corrections_written")
    assert timeline.words(request, first) == "+ Surname: Dough → Dow\n− Surname: Dough → Doe"
    assert timeline.words(request, second) == "− Surname: Dough → Dow"


def test_the_same_again_changes_nothing(alice: Subject) -> None:
    request = by_letter(alice, NAME)
    write(request, NAME)
    assert not request.timeline.filter(code="corrections_written").exists()


def test_to_what_the_person_typed_staff_only_add_and_mend_what_they_added(alice: Subject) -> None:
    request = asked(alice, "rectification", details={"corrections": [NAME]})[0]
    for wrong in ([], [TOWN], [TOWN, NAME], [NAME | {"right": "Dow"}]):
        with pytest.raises(Conflict) as refused:
            write(request, *wrong)
        assert refused.value.code == "not_yours_to_change"
    assert write(request, NAME, TOWN) == [NAME, TOWN]
    assert workflow.fixed_corrections(request) == 1
    assert write(request, NAME, TOWN | {"right": "Bonn"}, at=LATER) == [NAME, TOWN | {"right": "Bonn"}]
    assert write(request, NAME, at=LATER) == [NAME]


def test_what_was_asked_in_words_on_the_pages_is_staffs_to_write_down(alice: Subject) -> None:
    request = asked(alice, "rectification", note="My name is wrong.", channel="api")[0]
    write(request, NAME)
    assert write(request, TOWN, at=LATER) == [TOWN]


def test_what_was_asked_again_is_not_taken_away(alice: Subject) -> None:
    request = by_letter(alice, NAME)
    again = by_letter(alice, NAME)
    assert again.duplicate_of == request
    with pytest.raises(Conflict):
        write(request, TOWN)
    assert write(request, NAME, TOWN) == [NAME, TOWN]
    with pytest.raises(Conflict) as refused:
        write(again, TOWN)
    assert refused.value.code == "duplicate"


def carried_out(subject: Subject, staff: User) -> Request:
    return workflow.carry_out(request=start(by_letter(subject), staff), by=BY, at=SOON)


def withdrawn(subject: Subject, staff: User) -> Request:
    return workflow.withdraw(request=by_letter(subject), by=BY, at=SOON)


def in_review(subject: Subject, staff: User) -> Request:
    return refusal_of(start(by_letter(subject), staff)).request


@pytest.mark.parametrize(
    ("make", "code"),
    [
        (carried_out, "carried_out"),
        (withdrawn, "wrong_state"),
        (in_review, "wrong_state"),
        (lambda subject, staff: asked(subject, "access")[0], "not_a_rectification"),
    ],
    ids=["carried out", "withdrawn", "in review", "access"],
)
def test_nothing_is_written_down_where_it_would_reach_nobody(
    alice: Subject, bob: User, make: Callable[[Subject, User], Request], code: str
) -> None:
    request = make(alice, bob)
    with pytest.raises(Conflict) as refused:
        write(request, NAME, at=LATER)
    assert refused.value.code == code
    assert not workflow.can_write_corrections(Request.objects.get(pk=request.pk))
    assert not request.timeline.filter(code="corrections_written").exists()


@pytest.mark.parametrize("wrong", [[NAME, NAME], [NAME | {"right": ""}], [NAME | {"what": str(n)} for n in range(21)]])
def test_what_is_no_correction_is_refused(alice: Subject, wrong: list[dict[str, str]]) -> None:
    request = by_letter(alice, TOWN)
    with pytest.raises(DomainError):
        write(request, *wrong)
    request.refresh_from_db()
    assert rectification.corrections(request) == [TOWN]


def test_no_program_writes_down_what_somebody_meant(alice: Subject) -> None:
    with pytest.raises(Forbidden):
        write(by_letter(alice), NAME, by="system")


def test_it_is_written_down_before_it_is_known_who_asks(alice: Subject) -> None:
    """Sealed with the request; its words stand on no timeline, which no key could make unreadable later."""
    wish = intake.Asked(rights=("rectification",), channel="letter", note="My name is wrong.")
    request = intake.receive(asked=wish, subject=alice, is_proven=False, by=BY, at=SOON)[0]
    assert write(request, NAME) == [NAME]


def test_what_is_opened_again_takes_more_before_it_is_carried_out_again(alice: Subject, bob: User) -> None:
    request = workflow.fulfil(request=carried_out(alice, bob), by=BY, at=SOON)
    workflow.reopen(request=request, by=OTHER, at=LATER, words="The town is wrong too.")
    assert write(request, TOWN, at=LATER) == [TOWN]


def test_work_that_is_planned_says_how_many_things_there_are_now(
    northlight: Partner, alice: Subject, bob: User
) -> None:
    Caller(northlight, HOLDERS_SCOPES)
    copy_at(northlight)
    request = start(by_letter(alice), bob)
    write(request, NAME, TOWN, NAME | {"what": "First name"})
    assert "Tell them of all 3 things what is wrong" in request.tasks.get().instructions


@pytest.mark.django_db(transaction=True)
def test_what_heed_keeps_itself_is_amended_by_what_was_written_down(alice: Subject, bob: User) -> None:
    request = start(by_letter(alice), bob)
    write(request, {"what": "jurisdiction", "wrong": "", "right": "gb"})
    workflow.carry_out(request=request, by=BY, at=LATER)
    alice.refresh_from_db()
    assert alice.jurisdiction == "GB"
    propagate()
    assert not closes(request)
    assert workflow.fulfil(request=request, by=BY, at=LATER).status == "fulfilled"
