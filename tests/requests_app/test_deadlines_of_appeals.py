"""What follows an answer: windows, acknowledgements and decisions."""

from datetime import date

import pytest
from django.utils import translation

from requests_app import appeals, explanations, rulebook
from requests_app.appeals import Appeal
from requests_app.counting import DeadlineError
from requests_app.rulebook import AppealTo


def onward(place: str, **told: date) -> Appeal:
    rule = rulebook.rule_for(place, "access", on=date(2026, 9, 1))
    return appeals.compute(rule, **told)


@pytest.mark.parametrize(
    ("place", "due"),
    [("US-VA", date(2026, 10, 31)), ("US-IA", date(2026, 10, 31)), ("US-OR", date(2026, 10, 16))],
)
def test_an_appeal_is_decided_in_the_days_of_its_law(place: str, due: date) -> None:
    found = onward(place, lodged=date(2026, 9, 1))
    assert (found.to, found.due, found.extend_by) == (AppealTo.CONTROLLER, due, None)


@pytest.mark.parametrize("place", ["US-CO", "US-MN"])
def test_colorado_and_minnesota_may_take_sixty_days_more_when_they_say_so_in_time(place: str) -> None:
    lodged, last = date(2026, 9, 1), date(2026, 10, 16)
    assert onward(place, lodged=lodged).extend_by == last
    extended = onward(place, lodged=lodged, extension_told=last)
    assert (extended.due, extended.extended) == (date(2026, 12, 15), True)
    with pytest.raises(DeadlineError) as refused:
        onward(place, lodged=lodged, extension_told=date(2026, 10, 17))
    assert refused.value.code == "extension_too_late"


def test_a_complaint_in_britain_is_acknowledged_within_thirty_days() -> None:
    # 30 days after 1 August is Monday 31 August 2026, the summer bank holiday
    found = onward("GB-ENG", lodged=date(2026, 8, 1))
    assert (found.acknowledge_by, found.due) == (date(2026, 9, 1), None)
    assert onward("GB-SCT", lodged=date(2026, 8, 1)).acknowledge_by == date(2026, 8, 31)


def test_complaints_in_britain_came_to_the_commissioner_before_june_2026() -> None:
    rule = rulebook.rule_for("GB", "access", on=date(2026, 6, 18))
    assert appeals.compute(rule).to is AppealTo.REGULATOR


def test_in_quebec_the_commission_is_asked_within_thirty_days_of_the_refusal_or_silence() -> None:
    found = onward("CA-QC", answered=date(2026, 9, 1))
    assert (found.to, found.lodge_by) == (AppealTo.REGULATOR, date(2026, 10, 1))
    with translation.override("en"):
        assert "No answer by then counts as a refusal." in explanations.text(found.explanation)


@pytest.mark.parametrize("place", ["DE", "US-UT", "US-CA", "BR", "TR"])
def test_an_appeal_that_is_not_ours_to_hear_is_refused(place: str) -> None:
    with pytest.raises(DeadlineError) as refused:
        onward(place, lodged=date(2026, 9, 1))
    assert refused.value.code == "appeal_elsewhere"


@pytest.mark.parametrize(
    ("place", "told", "code"),
    [
        ("US-VA", date(2026, 9, 2), "extension_not_allowed"),
        ("GB", date(2026, 9, 2), "extension_not_allowed"),
        ("US-CO", date(2026, 8, 31), "extension_before_receipt"),
    ],
)
def test_an_unlawful_extension_of_an_appeal_is_refused(place: str, told: date, code: str) -> None:
    with pytest.raises(DeadlineError) as refused:
        onward(place, lodged=date(2026, 9, 1), extension_told=told)
    assert refused.value.code == code


def test_a_late_appeal_is_refused_where_the_law_sets_a_window() -> None:
    kept = rulebook.freeze(rulebook.rule_for("US-VA", "access", on=date(2026, 9, 1)))
    rule = rulebook.thaw({**kept, "appeal": {"to": "controller", "window": "30 days", "decide": "60 days"}})
    lodged_in_time = appeals.compute(rule, answered=date(2026, 9, 1), lodged=date(2026, 10, 1))
    assert lodged_in_time.due == date(2026, 11, 30)
    with pytest.raises(DeadlineError) as refused:
        appeals.compute(rule, answered=date(2026, 9, 1), lodged=date(2026, 10, 2))
    assert refused.value.code == "appeal_too_late"


def test_an_appeal_is_explained_to_its_end() -> None:
    with translation.override("en"):
        said = [step.sentence for step in onward("US-VA", lodged=date(2026, 9, 1)).explanation[1:]]
        nowhere = onward("TR").explanation[-1].sentence
    assert said == [
        "The appeal came in on 1 September 2026.",
        "It is to be decided within 60 days: by Saturday 31 October 2026.",
        "A complaint goes to: Attorney General of Virginia (https://www.oag.state.va.us).",
    ]
    assert nowhere == "No authority is recorded for Türkiye."
