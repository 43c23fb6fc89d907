"""Waits, extensions and days that staff choose, on a request's own clock."""

from collections.abc import Callable
from datetime import UTC, date, datetime
from typing import Any

import pytest

from consents import subjects
from consents.models import Subject
from consents.subjects import Newcomer
from portal.errors import DomainError
from portal.models import AuditEntry
from requests_app import intake, legal_clock, letters, timeline, workflow
from requests_app.models import Letter, Pause, Request, TimelineEntry
from requests_app.rulebook import Wait
from requests_app.states import Channel
from tests.conftest import BY, person
from tests.requests_app.asking import SOON

RECEIVED = datetime(2026, 9, 3, 12, tzinfo=UTC)
WHY = "Forty systems hold data of yours."


def day(month: int, number: int, *, year: int = 2026) -> datetime:
    return datetime(year, month, number, 12, tzinfo=UTC)


def access(subject: Subject, right: str = "access", *, is_proven: bool = True, channel: str = "pages") -> Request:
    wish = intake.Asked(rights=(right,), channel=channel)
    return intake.receive(asked=wish, subject=subject, is_proven=is_proven, by=BY, at=RECEIVED)[0]


def told(request: Request, code: str) -> list[dict[str, Any]]:
    return list(request.timeline.filter(code=code).values_list("details", flat=True))


def refused(act: Callable[[], Any]) -> str:
    with pytest.raises(DomainError) as error:
        act()
    return error.value.code


def test_clarification_of_an_access_request_in_britain_stops_the_clock(grace: Subject) -> None:
    request = access(grace)
    assert request.due_on == date(2026, 10, 5)
    legal_clock.begin_pause(request=request, reason=Wait.CLARIFICATION, at=day(9, 10))
    legal_clock.end_pause(request=request, reason=Wait.CLARIFICATION, at=day(9, 20))
    request.refresh_from_db()
    # 3 October and ten days
    assert request.due_on == date(2026, 10, 13)
    moved = {"from": "2026-10-05", "to": "2026-10-13", "because": "pause_ended"}
    assert told(request, "clock_moved") == [moved]
    assert [code for code in request.timeline.values_list("code", flat=True) if code.startswith("pause")] == [
        "pause_began",
        "pause_ended",
    ]
    assert AuditEntry.objects.filter(object_id=str(request.pk), action="request.clock_moved").count() == 1


def test_a_clarification_may_take_longer_than_the_month(grace: Subject) -> None:
    request = access(grace)
    legal_clock.begin_pause(request=request, reason=Wait.CLARIFICATION, at=day(9, 10))
    legal_clock.end_pause(request=request, reason=Wait.CLARIFICATION, at=day(10, 20))
    assert request.due_on == date(2026, 11, 12)


@pytest.mark.parametrize(("place", "right"), [("DE", "access"), ("GB", "erasure"), ("US-CA", "access")])
def test_a_wait_that_the_law_does_not_know_is_recorded_and_moves_nothing(world: None, place: str, right: str) -> None:
    request = access(person("somebody", place), right)
    before = request.due_on
    legal_clock.begin_pause(request=request, reason=Wait.CLARIFICATION, at=day(9, 10))
    legal_clock.end_pause(request=request, reason=Wait.CLARIFICATION, at=day(9, 20))
    assert (request.due_on, told(request, "clock_moved")) == (before, [])
    assert Pause.objects.get().ended_at == day(9, 20)
    assert any("does not stop the time" in line for line in legal_clock.arithmetic(request))


def test_a_fee_that_is_paid_later_starts_the_clock_in_britain(grace: Subject) -> None:
    request = access(grace)
    legal_clock.begin_pause(request=request, reason=Wait.FEE, at=day(9, 4))
    legal_clock.end_pause(request=request, reason=Wait.FEE, at=day(9, 9))
    assert request.due_on == date(2026, 10, 9)


def test_identity_that_is_shown_later_starts_the_clock_in_britain_and_is_recorded(grace: Subject) -> None:
    request = access(grace, is_proven=False)
    assert request.identity_confirmed_at is None
    legal_clock.end_pause(request=request, reason=Wait.IDENTITY, at=day(9, 8))
    request.refresh_from_db()
    assert (request.identity_confirmed_at, request.due_on) == (day(9, 8), date(2026, 10, 8))


def test_identity_may_be_recorded_where_nothing_waited_for_it(grace: Subject) -> None:
    request = access(grace)
    legal_clock.end_pause(request=request, reason=Wait.IDENTITY, at=day(9, 8))
    assert (request.identity_confirmed_at, request.due_on) == (RECEIVED, date(2026, 10, 5))


def test_a_pause_that_cannot_be_is_refused_and_nothing_is_left_of_it(grace: Subject) -> None:
    request = access(grace)
    wait: dict[str, Any] = {"request": request, "reason": Wait.CLARIFICATION}
    assert refused(lambda: legal_clock.begin_pause(**wait, at=day(9, 1))) == "pause_before_receipt"
    assert refused(lambda: legal_clock.end_pause(**wait, at=day(9, 5))) == "not_waiting"
    legal_clock.begin_pause(**wait, at=day(9, 5))
    assert refused(lambda: legal_clock.begin_pause(**wait, at=day(9, 6))) == "already_waiting"
    assert refused(lambda: legal_clock.end_pause(**wait, at=day(9, 4))) == "pause_backwards"
    assert (Pause.objects.count(), request.timeline.filter(code__startswith="pause").count()) == (1, 1)


def test_the_clock_of_a_closed_request_has_stopped(grace: Subject) -> None:
    request = workflow.withdraw(request=access(grace), by=BY, at=SOON)
    acts: list[Callable[[], Any]] = [
        lambda: legal_clock.begin_pause(request=request, reason=Wait.FEE, at=day(9, 5)),
        lambda: legal_clock.end_pause(request=request, reason=Wait.FEE, at=day(9, 5)),
        lambda: legal_clock.extend(request=request, reason=WHY, by=BY, at=day(9, 5)),
        lambda: legal_clock.override(request=request, due_on=date(2026, 9, 9), reason=WHY, by=BY, at=day(9, 5)),
        lambda: legal_clock.acknowledge(request=request, by=BY, at=day(9, 5)),
    ]
    assert {refused(act) for act in acts} == {"closed"}
    assert not any(can(request) for can in (legal_clock.can_extend, legal_clock.can_override))


def test_an_extension_tells_the_person_why_in_the_same_transaction(grace: Subject) -> None:
    # 5 October is the last day for it
    request = legal_clock.extend(request=access(grace), reason=WHY, by=BY, at=day(10, 5))
    assert (request.due_on, request.extended_at) == (date(2026, 12, 3), day(10, 5))
    entry = request.timeline.get(code="extended")
    assert (entry.details, timeline.words(request, entry)) == ({"from": "2026-10-05", "to": "2026-12-03"}, WHY)
    assert WHY not in str(bytes(entry.sealed or b"")) + str(entry.details)
    assert Letter.objects.filter(request=request, code="extended").count() == 1
    assert any("it takes longer" in line for line in legal_clock.arithmetic(request))


def test_without_its_notice_there_is_no_extension(grace: Subject, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(**_: object) -> None:
        raise RuntimeError("no letter")

    request = access(grace)
    monkeypatch.setattr(letters, "write", refuse)
    with pytest.raises(RuntimeError, match="no letter"):
        legal_clock.extend(request=request, reason=WHY, by=BY, at=day(9, 10))
    request.refresh_from_db()
    assert (request.extended_at, request.due_on) == (None, date(2026, 10, 5))
    assert not request.timeline.filter(code__in=["extended", "clock_moved"]).exists()


def test_an_extension_one_day_late_is_refused_and_changes_nothing(grace: Subject) -> None:
    request = access(grace)
    assert refused(lambda: legal_clock.extend(request=request, reason=WHY, by=BY, at=day(10, 6))) == (
        "extension_too_late"
    )
    request.refresh_from_db()
    assert (request.extended_at, Letter.objects.count()) == (None, 0)


def test_an_extension_after_a_pause_may_be_told_as_much_later(grace: Subject) -> None:
    request = access(grace)
    legal_clock.begin_pause(request=request, reason=Wait.CLARIFICATION, at=day(9, 10))
    legal_clock.end_pause(request=request, reason=Wait.CLARIFICATION, at=day(10, 20))
    assert refused(lambda: legal_clock.extend(request=request, reason=WHY, by=BY, at=day(11, 13))) == (
        "extension_too_late"
    )
    assert legal_clock.extend(request=request, reason=WHY, by=BY, at=day(11, 12)).due_on == date(2027, 1, 12)


def test_an_extension_told_during_a_wait_stands_whenever_it_is_looked_at(grace: Subject) -> None:
    request = access(grace)
    legal_clock.begin_pause(request=request, reason=Wait.CLARIFICATION, at=day(9, 10))
    request = legal_clock.extend(request=request, reason=WHY, by=BY, at=day(10, 15))
    assert legal_clock.of(request).extended
    legal_clock.end_pause(request=request, reason=Wait.CLARIFICATION, at=day(10, 20))
    assert request.due_on == date(2027, 1, 12)


def test_a_wait_after_an_extension_moves_the_longer_day(grace: Subject) -> None:
    request = legal_clock.extend(request=access(grace), reason=WHY, by=BY, at=day(9, 20))
    legal_clock.begin_pause(request=request, reason=Wait.CLARIFICATION, at=day(11, 2))
    legal_clock.end_pause(request=request, reason=Wait.CLARIFICATION, at=day(11, 9))
    assert request.due_on == date(2026, 12, 10)


@pytest.mark.parametrize(
    ("place", "reason", "until", "code"),
    [
        ("GB", "  ", None, "extension_without_reason"),
        ("GB", WHY, date(2026, 10, 5), "extension_too_short"),
        ("GB", WHY, date(2026, 12, 4), "extension_too_long"),
        ("BR", WHY, None, "extension_not_allowed"),
        ("CH", WHY, None, "extension_needs_day"),
        ("CH", WHY, date(2027, 12, 1), "extension_too_long"),
        # no law is recorded, so none allows it
        ("TR", WHY, None, "extension_not_allowed"),
    ],
)
def test_an_unlawful_extension_is_refused(world: None, place: str, reason: str, until: date | None, code: str) -> None:
    request = access(person("somebody", place))
    assert refused(lambda: legal_clock.extend(request=request, reason=reason, until=until, by=BY, at=day(9, 10))) == (
        code
    )
    assert Letter.objects.count() == 0


def test_where_the_law_sets_no_length_the_named_day_counts(world: None) -> None:
    request = access(person("heidi", "CH"))
    until = date(2026, 11, 20)
    assert legal_clock.extend(request=request, reason=WHY, until=until, by=BY, at=day(9, 10)).due_on == until


def test_who_has_no_mail_address_is_told_otherwise_and_staff_say_so(world: None) -> None:
    newcomer = Newcomer(names=(subjects.name("account", "m_tom"),), jurisdiction="GB")
    request = access(subjects.register(newcomer=newcomer, by=BY, at=day(9, 1)))
    assert refused(lambda: legal_clock.extend(request=request, reason=WHY, by=BY, at=day(9, 10))) == "nobody_told"
    request.refresh_from_db()
    assert request.extended_at is None
    assert not request.timeline.filter(code__in=["extended", "clock_moved"]).exists()
    longer = legal_clock.extend(request=request, reason=WHY, was_told=True, by=BY, at=day(9, 10))
    assert longer.timeline.get(code="extended").details["told"] == "by staff"


def test_a_request_is_extended_once(grace: Subject) -> None:
    request = legal_clock.extend(request=access(grace), reason=WHY, by=BY, at=day(9, 10))
    assert not legal_clock.can_extend(request)
    assert refused(lambda: legal_clock.extend(request=request, reason=WHY, by=BY, at=day(9, 11))) == (
        "already_extended"
    )


def test_nobody_can_be_told_of_an_extension_while_it_is_not_known_who_asks(grace: Subject) -> None:
    request = access(grace)
    Request.objects.filter(pk=request.pk).update(subject=None)
    assert refused(lambda: legal_clock.extend(request=request, reason=WHY, by=BY, at=day(9, 10))) == "nobody_to_tell"


def test_staff_may_choose_an_earlier_day_and_go_back_to_the_laws(grace: Subject) -> None:
    request = access(grace)
    request = legal_clock.override(request=request, due_on=date(2026, 9, 20), reason=WHY, by=BY, at=day(9, 10))
    assert request.due_on == date(2026, 9, 20)
    assert legal_clock.of(request).due == date(2026, 9, 20)
    assert "Our staff decided" in legal_clock.arithmetic(request)[-1]
    request = legal_clock.override(request=request, due_on=date(2026, 10, 5), reason=WHY, by=BY, at=day(9, 11))
    assert request.due_on == date(2026, 10, 5)
    request = legal_clock.override(request=request, due_on=None, reason=WHY, by=BY, at=day(9, 12))
    assert (request.due_on, request.due_override) == (date(2026, 10, 5), None)
    entries = list(request.timeline.filter(code="deadline_overridden"))
    assert [timeline.words(request, one) for one in entries] == [WHY] * 3
    assert [one.actor for one in entries] == [BY] * 3


@pytest.mark.parametrize(
    ("due_on", "reason", "code"),
    [
        (date(2026, 10, 6), WHY, "override_too_late"),
        (date(2026, 9, 9), WHY, "override_in_past"),
        (date(2026, 9, 20), " ", "override_without_reason"),
    ],
)
def test_a_day_that_staff_cannot_choose_is_refused(grace: Subject, due_on: date, reason: str, code: str) -> None:
    request = access(grace)
    said: dict[str, Any] = {"due_on": due_on, "reason": reason}
    assert refused(lambda: legal_clock.override(request=request, **said, by=BY, at=day(9, 10))) == code
    request.refresh_from_db()
    assert (request.due_on, request.due_override) == (date(2026, 10, 5), None)


def test_an_extension_sets_aside_the_earlier_day_that_staff_chose(grace: Subject) -> None:
    request = access(grace)
    request = legal_clock.override(request=request, due_on=date(2026, 9, 20), reason=WHY, by=BY, at=day(9, 10))
    request = legal_clock.extend(request=request, reason=WHY, by=BY, at=day(9, 12))
    assert (request.due_on, request.due_override) == (date(2026, 12, 3), None)


def test_what_comes_through_a_door_that_answers_is_acknowledged_at_once(grace: Subject) -> None:
    assert access(grace).acknowledged_at == RECEIVED
    assert access(grace, "rectification", channel=Channel.LETTER).acknowledged_at is None


def test_acknowledging_writes_the_letter_once(grace: Subject) -> None:
    request = access(grace, channel=Channel.PHONE)
    request = legal_clock.acknowledge(request=request, by=BY, at=day(9, 4))
    assert request.acknowledged_at == day(9, 4)
    assert told(request, "acknowledged") == [{"by_mail": True}]
    assert Letter.objects.filter(code="acknowledged").count() == 1
    assert refused(lambda: legal_clock.acknowledge(request=request, by=BY, at=day(9, 5))) == "acknowledged"


def test_nothing_moves_when_the_timeline_cannot_be_written(grace: Subject, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise RuntimeError("no timeline")

    request = access(grace)
    monkeypatch.setattr(timeline, "tell", refuse)
    for act in (
        lambda: legal_clock.begin_pause(request=request, reason=Wait.FEE, at=day(9, 5)),
        lambda: legal_clock.extend(request=request, reason=WHY, by=BY, at=day(9, 5)),
        lambda: legal_clock.override(request=request, due_on=date(2026, 9, 9), reason=WHY, by=BY, at=day(9, 5)),
    ):
        with pytest.raises(RuntimeError, match="no timeline"):
            act()
    fresh = Request.objects.get(pk=request.pk)
    assert (fresh.due_on, fresh.extended_at, fresh.due_override) == (date(2026, 10, 5), None, None)
    assert (Pause.objects.count(), TimelineEntry.objects.count()) == (0, 1)


def test_an_escalation_is_taken_back_when_the_day_moves_ahead_again(grace: Subject) -> None:
    request = access(grace)
    legal_clock.begin_pause(request=request, reason=Wait.CLARIFICATION, at=day(10, 1))
    request.escalated_at = day(10, 6)
    request.save()
    legal_clock.end_pause(request=request, reason=Wait.CLARIFICATION, at=day(10, 20))
    request.refresh_from_db()
    assert request.escalated_at is None
