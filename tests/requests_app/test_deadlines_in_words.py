"""The arithmetic as staff and the person read it."""

from datetime import UTC, date, datetime

import pytest
from django.utils import translation
from django.utils.functional import Promise

from requests_app import appeals, deadlines, explanations, rulebook
from requests_app.deadlines import Deadline, Extension, Pause
from requests_app.explanations import Step
from requests_app.rulebook import Wait


def clock(place: str, received: date, **told: object) -> Deadline:
    rule = rulebook.rule_for(place, "access", on=received)
    return deadlines.compute(rule, received=received, **told)  # type: ignore[arg-type]


def sentences(found: Deadline, *, skip: int = 1) -> list[str]:
    with translation.override("en"):
        return [step.sentence for step in found.explanation[skip:]]


def test_a_month_that_is_too_short_and_ends_on_a_sunday_is_explained() -> None:
    assert sentences(clock("GB", date(2027, 1, 30))) == [
        "Only the country (United Kingdom) is known, not which part of it; the holidays of England count.",
        "Received on 30 January 2027.",
        "One month later there is no 30 February, so 28 February 2027.",
        "28 February 2027 is a Sunday; the next working day in England is Monday 1 March 2027.",
        "The answer is due by Monday 1 March 2027.",
    ]


def test_a_holiday_is_named_in_the_language_of_the_reader() -> None:
    found = clock("DE", date(2026, 11, 25))
    assert "is a public holiday (Christmas Day); the next working day in Germany is" in sentences(found)[2]
    with translation.override("de"):
        assert "Erster Weihnachtstag" in found.explanation[3].sentence
        assert "25. Dezember 2026" in found.explanation[3].sentence


def test_the_rule_and_a_fall_back_are_named() -> None:
    assert sentences(clock("FR", date(2026, 9, 1)), skip=0)[0].startswith(
        "The law here (the European Economic Area): GDPR"
    )
    assert sentences(clock("GB-SCT", date(2026, 9, 1)), skip=0)[0].startswith(
        "Scotland is covered by the law of United Kingdom: UK GDPR Art 12A"
    )
    assert sentences(clock("US-NY", date(2026, 9, 1)), skip=0)[0] == (
        "No law is recorded for United States (US-NY), so the house rule applies: 1 month."
    )
    assert "for this place" in sentences(clock("", date(2026, 9, 1)), skip=0)[0]


def test_another_day_than_in_the_records_is_explained() -> None:
    found = clock("DE", datetime(2026, 9, 2, 23, 30, tzinfo=UTC))
    assert sentences(found)[0] == "Received on 2 September 2026 23:30 UTC, which is 3 September 2026 in Germany."


def test_pauses_are_explained() -> None:
    pauses = [
        Pause(Wait.CLARIFICATION, date(2026, 9, 10), date(2026, 9, 11)),
        Pause(Wait.CLARIFICATION, date(2026, 9, 14), date(2026, 9, 17)),
        Pause(Wait.CLARIFICATION, date(2027, 1, 4), date(2027, 1, 5)),
    ]
    said = sentences(clock("GB-ENG", date(2026, 9, 1), pauses=pauses))
    assert said[2:5] == [
        "One day of waiting for clarification, from 10 September 2026 to 11 September 2026, does not count: "
        "2 October 2026.",
        "3 days of waiting for clarification, from 14 September 2026 to 17 September 2026, do not count: "
        "5 October 2026.",
        "Waiting for clarification began on 4 January 2027, after the last day, so it changes nothing.",
    ]


def test_what_is_still_awaited_is_explained() -> None:
    identity = [Pause(Wait.IDENTITY, date(2026, 9, 1))]
    assert sentences(clock("GB-ENG", date(2026, 9, 1), pauses=identity, at=date(2026, 9, 8)))[1] == (
        "The time has not begun to run: we wait for proof of identity. "
        "The days below count as if that ended on 8 September 2026."
    )
    in_germany = sentences(clock("DE", date(2026, 9, 1), pauses=identity, at=date(2026, 9, 8)))
    assert "Since 1 September 2026 the time stands still, because we wait for proof of identity" in in_germany[3]
    assert "does not stop the time" in sentences(clock("US-CA", date(2026, 9, 1), pauses=identity))[1]


def test_what_started_the_clock_is_explained() -> None:
    both = clock("GB-ENG", date(2026, 9, 1), identity_confirmed=date(2026, 9, 4), fee_paid=date(2026, 9, 8))
    assert sentences(both)[1:3] == [
        "Identity was confirmed on 4 September 2026; the time runs from then.",
        "The fee was paid on 8 September 2026; the time runs from then.",
    ]


def test_an_extension_is_explained() -> None:
    told = Extension(date(2026, 9, 10), "complex")
    assert sentences(clock("GB-ENG", date(2026, 9, 3), extension=told))[1:] == [
        "On 10 September 2026, in time (last day for it: 5 October 2026), the person was told that it takes "
        "longer: 3 months in all.",
        "3 months later: 3 December 2026.",
        "The answer is due by Thursday 3 December 2026.",
    ]
    named = Extension(date(2026, 9, 10), "complex", until=date(2026, 11, 2))
    assert "that the answer comes by 2 November 2026" in sentences(clock("CH", date(2026, 9, 3), extension=named))[1]


def test_acknowledging_and_working_days_are_explained() -> None:
    assert sentences(clock("US-CA", date(2026, 9, 1)))[1:3] == [
        "45 days later: 16 October 2026.",
        "Receipt is to be confirmed within 10 business days: by Wednesday 16 September 2026.",
    ]
    assert sentences(clock("NZ", date(2026, 10, 1)))[1] == "20 working days later in New Zealand: 30 October 2026."


@pytest.mark.parametrize("language", ["en", "de", "fr"])
def test_a_step_is_put_into_words_only_when_it_is_read(language: str) -> None:
    step = Step("due", {"day": date(2027, 3, 1)})
    with translation.override(language):
        assert {"en": "1 March", "de": "1. März", "fr": "1 mars"}[language] in str(step)


def test_all_steps_make_one_paragraph() -> None:
    found = clock("BR", date(2026, 9, 1))
    with translation.override("en"):
        assert explanations.text(found.explanation).endswith(
            "Received on 1 September 2026. 15 days later: 16 September 2026. "
            "The answer is due by Wednesday 16 September 2026."
        )


def test_an_authority_without_a_name_of_its_own_is_described_in_the_readers_language() -> None:
    book = rulebook.load()
    stated = [entry.get("regulator") for versions in book.entries.values() for entry in versions]
    named = {one["name"] for one in [*stated, *book.authorities.values()] if one}
    described = {name for name in named if any(word in name for word in (" your ", ", or ", " Ihres "))}
    # lazily: whoever reads it may speak another language than whoever loaded it
    assert all(isinstance(explanations.AUTHORITIES[name], Promise) for name in described)
    assert all(explanations.authority(name) == name for name in named)


def test_what_was_frozen_in_german_is_read_in_the_readers_language_too() -> None:
    rule = rulebook.rule_for("DE", "access", on=date(2026, 11, 25))
    assert rule.regulator is not None
    german = next(name for name in explanations.AUTHORITIES if name.startswith("Die Datenschutzaufsicht"))
    then = rulebook.thaw({**rulebook.freeze(rule), "regulator": {"name": german, "url": rule.regulator.url}})
    with translation.override("en"):
        assert [appeals.compute(one).explanation[-1].sentence for one in (rule, then)] == [
            "A complaint goes to: The data protection authority of your federal state, or the Federal Commissioner for "
            "Data Protection (BfDI) (https://www.bfdi.bund.de)."
        ] * 2
