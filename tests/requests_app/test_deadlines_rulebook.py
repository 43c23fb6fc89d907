"""Looking a rule up, keeping it with a request, and refusing a rulebook that is wrong."""

import json
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from requests_app import deadlines, rulebook, working_days
from requests_app.rulebook import RulebookError, UnknownRight

DAY = date(2026, 11, 23)
HOUSE = """
[[rule]]
scope = "*"
effective_from = 1970-01-01
source = "House rule"
confidence = "high"
clock_starts = ["receipt"]
answer = "1 month"
roll = false
"""
HEAD = 'version = "test"\nzones = {}\nauthorities = {}\n'


@pytest.mark.parametrize(
    ("asked_for", "scope", "fell_back"),
    [
        ("US-CA", "US-CA", False),
        ("us-ca ", "US-CA", False),
        ("US-NY", "*", True),
        ("US", "*", True),
        ("CA-QC", "CA-QC", False),
        ("CA-ON", "CA", True),
        ("GB", "GB", False),
        ("GB-SCT", "GB", True),
        ("DE", "EEA", False),
        ("DE-BY", "EEA", True),
        ("NO", "EEA", False),
        ("TR", "*", True),
        ("", "*", True),
        ("nowhere at all!", "*", True),
        # nobody lives in a group
        ("EU", "*", True),
        ("EEA", "*", True),
    ],
)
def test_a_place_without_a_rule_falls_back_and_says_so(asked_for: str, scope: str, fell_back: bool) -> None:
    found = rulebook.rule_for(asked_for, "access", on=DAY)
    assert (found.scope, found.fell_back, found.is_house_rule) == (scope, fell_back, scope == "*")
    assert deadlines.compute(found, received=DAY).due > DAY


@pytest.mark.parametrize(
    ("place", "on", "scope", "effective_from"),
    [
        ("GB", date(2026, 2, 4), "GB", date(2018, 5, 25)),
        ("GB", date(2026, 2, 5), "GB", date(2026, 2, 5)),
        ("GB", date(2026, 6, 19), "GB", date(2026, 6, 19)),
        ("US-MN", date(2025, 7, 30), "*", date(1970, 1, 1)),
        ("US-MN", date(2025, 7, 31), "US-MN", date(2025, 7, 31)),
    ],
)
def test_the_rule_is_the_one_in_force_on_the_day_of_receipt(
    place: str, on: date, scope: str, effective_from: date
) -> None:
    found = rulebook.rule_for(place, "access", on=on)
    assert (found.scope, found.effective_from) == (scope, effective_from)


def test_the_day_of_receipt_is_local_here_too() -> None:
    # 31 July 2025, 02:00 UTC, is still 30 July in Minnesota
    assert rulebook.rule_for("US-MN", "access", on=datetime(2025, 7, 31, 2, tzinfo=UTC)).is_house_rule


def test_an_unknown_right_is_refused() -> None:
    with pytest.raises(UnknownRight):
        rulebook.rule_for("GB", "oblivion", on=DAY)


@pytest.mark.parametrize("place", ["GB", "FR", "US-CA", "CH", "US-CO", "CA-QC", "TR"])
@pytest.mark.parametrize("right", ["access", "opt_out_sale"])
def test_a_rule_is_kept_with_the_request_as_json_and_comes_back_whole(place: str, right: str) -> None:
    rule = rulebook.rule_for(place, right, on=DAY)
    kept = json.loads(json.dumps(rulebook.freeze(rule)))
    assert rulebook.thaw(kept) == rule
    assert rulebook.thaw(kept).digest == rule.digest
    assert kept["rulebook_version"] == rulebook.load().version


def test_a_kept_rule_cannot_be_changed_through_its_copy() -> None:
    rule = rulebook.rule_for("GB", "access", on=DAY)
    rulebook.freeze(rule)["answer"] = "9 months"
    assert rulebook.freeze(rule)["answer"] == "1 month"


def test_a_rule_keeps_its_digest_when_only_others_change(tmp_path: Path) -> None:
    def digests(*, answer: str) -> tuple[str, str]:
        path = tmp_path / f"{answer}.toml"
        other = HOUSE.replace('"*"', '"BR"').replace("1 month", answer)
        path.write_text(HEAD + HOUSE + other)
        book = rulebook.load(path)
        return book.digest, rulebook.rule_for("TR", "access", on=DAY, book=book).digest

    (book, rule), (other_book, other_rule) = digests(answer="15 days"), digests(answer="16 days")
    assert book != other_book
    assert rule == other_rule


def test_the_rulebook_is_read_once() -> None:
    assert rulebook.load() is rulebook.load()


@pytest.mark.parametrize(
    ("content", "code"),
    [
        ("version = ", "rulebook_unreadable"),
        ("version = 'x'\n" + HOUSE, "rulebook_incomplete"),
        (HEAD + HOUSE.replace('"*"', '"GB"'), "no_house_rule"),
        (HEAD + HOUSE + HOUSE, "rule_twice"),
        (HEAD + HOUSE + "colour = 'blue'", "rule_malformed"),
        (HEAD + HOUSE.replace("1970-01-01", "'long ago'"), "rule_malformed"),
        (HEAD + HOUSE.replace("1 month", "soon"), "rule_malformed"),
        (HEAD + HOUSE.replace("1 month", "0 months"), "rule_malformed"),
        (HEAD + HOUSE.replace("answer", "note"), "rule_malformed"),
        (HEAD + HOUSE.replace("false", "'no'"), "rule_malformed"),
        (HEAD + HOUSE.replace("high", "certain"), "rule_malformed"),
        (HEAD + HOUSE.replace('"receipt"', '"whim"'), "rule_malformed"),
        (HEAD + HOUSE + "pauses = { holidays = 'all' }", "rule_malformed"),
        (HEAD + HOUSE + "extension = { up_to = '60 days', told_within = '1 month' }", "rule_malformed"),
        (HEAD + HOUSE + "extension = { up_to = '2 months' }", "rule_malformed"),
        (HEAD + HOUSE + "appeal = { to = 'nobody' }", "rule_malformed"),
        (HEAD + HOUSE + "appeal = { to = 'controller', extension = '60 days' }", "rule_malformed"),
        (HEAD + HOUSE + "appeal = { to = 'controller', decides = '60 days' }", "rule_malformed"),
        (HEAD + HOUSE + "regulator = { name = 'X' }", "rule_malformed"),
        (HEAD + HOUSE + "[rule.rights.oblivion]\nanswer = '1 day'", "rule_malformed"),
        (HEAD + HOUSE + "[rule.rights.access]\ncolour = 'blue'", "rule_malformed"),
        (HEAD.replace("zones = {}", "zones = { GB = 'Europe/Nowhere' }") + HOUSE, "unknown_time_zone"),
    ],
)
def test_a_wrong_rulebook_is_refused_at_start(tmp_path: Path, content: str, code: str) -> None:
    path = tmp_path / "rulebook.toml"
    path.write_text(content)
    with pytest.raises(RulebookError) as refused:
        rulebook.load(path)
    assert refused.value.code == code


def test_every_place_whose_rule_needs_holidays_has_a_calendar() -> None:
    for country in ["GB", *rulebook.load().authorities]:
        assert working_days.is_working(working_days.calendar_of(country), date(2026, 11, 24))


@pytest.mark.parametrize("place", ["XX", "", "EEA"])
def test_a_place_without_a_calendar_is_no_working_week_of_its_own(place: str) -> None:
    with pytest.raises(working_days.NoCalendar):
        working_days.calendar_of(place)


def test_a_year_beyond_the_calendar_is_refused() -> None:
    with pytest.raises(working_days.NoCalendar):
        working_days.is_working(working_days.calendar_of("GB"), date(2150, 1, 5))
