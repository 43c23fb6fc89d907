"""Each jurisdiction's figures, as a table that reads like the law's own."""

from datetime import date

import pytest

from consents.jurisdictions import EEA
from requests_app import deadlines, rulebook
from requests_app.rulebook import AppealTo, Rule

DAY = date(2026, 11, 23)

SIXTY = "VA CT TX MT DE NH NE TN MD IN KY RI".split()  # noqa: SIM905 - reads as in the law's list
MONTH_AND_TWO = ("1 month", "2 months")

#        place     answer, extension                  acknowledge         due of 2 September 2026
TABLE = [
    ("GB", *MONTH_AND_TWO, None, date(2026, 10, 2)),
    *[(country, *MONTH_AND_TWO, None, date(2026, 10, 2)) for country in sorted(EEA)],
    ("CH", "30 days", "a named day", None, date(2026, 10, 2)),
    ("US-CA", "45 days", "45 days", "10 business days", date(2026, 10, 17)),
    *[(f"US-{state}", "45 days", "45 days", None, date(2026, 10, 17)) for state in SIXTY],
    *[(f"US-{state}", "45 days", "45 days", None, date(2026, 10, 17)) for state in ("CO", "OR", "MN", "NJ")],
    ("US-UT", "45 days", "45 days", None, date(2026, 10, 17)),
    ("US-IA", "90 days", "45 days", None, date(2026, 12, 1)),
    ("BR", "15 days", None, None, date(2026, 9, 17)),
    ("CA", "30 days", "30 days", None, date(2026, 10, 2)),
    ("CA-QC", "30 days", None, None, date(2026, 10, 2)),
    ("IN", "90 days", None, None, date(2026, 12, 1)),
    ("KR", "10 days", "a named day", None, date(2026, 9, 12)),
    ("AU", "30 days", None, None, date(2026, 10, 2)),
    ("SG", "30 days", "a named day", None, date(2026, 10, 2)),
    ("ZA", "30 days", "30 days", None, date(2026, 10, 2)),
    ("HK", "40 days", "a named day", None, date(2026, 10, 12)),
    ("NZ", "20 working days", "a named day", None, date(2026, 9, 30)),
    ("JP", "14 days", None, None, date(2026, 9, 16)),
    ("TR", "1 month", None, None, date(2026, 10, 2)),
]


def rule(place: str, right: str = "access", on: date = DAY) -> Rule:
    return rulebook.rule_for(place, right, on=on)


@pytest.mark.parametrize(("place", "answer", "extension", "acknowledge", "due"), TABLE)
def test_each_law_gives_the_time_that_it_gives(
    place: str, answer: str, extension: str | None, acknowledge: str | None, due: date
) -> None:
    found = rule(place)
    allowed = found.extension and (str(found.extension.up_to) if found.extension.up_to else "a named day")
    confirmed = str(found.acknowledge) if found.acknowledge else None
    assert (str(found.answer), allowed, confirmed) == (answer, extension, acknowledge)
    assert deadlines.compute(found, received=date(2026, 9, 2)).due == due


# How sure the figures are, in the order of the table.
SURE = dict.fromkeys([place for place, *_ in TABLE], "high")
SURE |= dict.fromkeys("US-IN US-RI US-NJ US-MN US-UT US-IA CH CA-QC IN KR AU SG ZA HK NZ".split(), "medium")  # noqa: SIM905
SURE["JP"] = "low"
REGULATORS = {
    "GB": "Information Commissioner",
    "CH": "Federal Data Protection and Information Commissioner",
    "US-CA": "California Privacy Protection Agency, or the Attorney General",
    "BR": "ANPD",
    "CA": "Office of the Privacy Commissioner of Canada",
    "CA-QC": "CAI",
    "IN": "Data Protection Board",
    "KR": "PIPC",
    "AU": "OAIC",
    "SG": "PDPC",
    "ZA": "Information Regulator",
    "HK": "PCPD",
    "NZ": "Office of the Privacy Commissioner",
    "JP": "PPC",
}


@pytest.mark.parametrize("place", sorted(SURE))
def test_each_rule_says_how_sure_its_figures_are(place: str) -> None:
    assert rule(place).confidence == SURE[place]


@pytest.mark.parametrize("place", [place for place in SURE if place not in {*EEA, "TR"}])
def test_each_law_names_its_own_regulator(place: str) -> None:
    named = rule(place).regulator
    assert named is not None
    assert REGULATORS.get(place, "Attorney General of") in named.name


@pytest.mark.parametrize("place", sorted(SURE))
@pytest.mark.parametrize("right", ["access", "erasure"])
def test_each_law_says_what_the_clock_waits_for(place: str, right: str) -> None:
    found = rule(place, right)
    starts = {"receipt", "identity", "fee"} if place == "GB" else {"receipt"}
    pauses = {"clarification"} if (place, right) == ("GB", "access") else set()
    assert (found.starts_at, found.pauses) == (starts, {"identity"} if place in EEA else pauses)


@pytest.mark.parametrize("place", [place for place, _, extension, *_ in TABLE if extension])
def test_an_extension_is_told_inside_the_first_time(place: str) -> None:
    found = rule(place)
    assert found.extension is not None
    assert found.extension.told_within == found.answer


def test_only_in_quebec_silence_is_refusal() -> None:
    assert [place for place in SURE if rule(place).silence_is_refusal] == ["CA-QC"]


def test_every_rule_of_the_book_is_in_the_table() -> None:
    places = {place for place, *_ in TABLE}
    assert set(rulebook.load().entries) - {"EEA", "*"} <= places


def test_california_counts_business_days_without_its_own_holidays() -> None:
    # Labor Day, 7 September 2026, is none; 10 business days after Tuesday 1 September
    found = deadlines.compute(rule("US-CA"), received=date(2026, 9, 1))
    assert found.acknowledge_by == date(2026, 9, 16)


def test_an_opt_out_of_sale_in_california_takes_fifteen_business_days_and_no_longer() -> None:
    found = deadlines.compute(rule("US-CA", "opt_out_sale"), received=date(2026, 9, 1))
    assert found.due == date(2026, 9, 23)
    assert (found.acknowledge_by, found.extend_by) == (None, None)


def test_new_zealand_counts_working_days_without_its_own_holidays() -> None:
    # Labour Day, 26 October 2026, is none
    assert deadlines.compute(rule("NZ"), received=date(2026, 10, 1)).due == date(2026, 10, 30)


@pytest.mark.parametrize(("place", "confidence"), [("GB", "high"), ("DE", "high"), ("US-IN", "medium"), ("JP", "low")])
def test_each_rule_says_how_sure_it_is(place: str, confidence: str) -> None:
    assert rule(place).confidence == confidence
    assert rule(place).source


def test_each_member_of_the_eea_names_its_own_authority() -> None:
    names = {country: rule(country).regulator for country in EEA}
    assert all(names.values())
    assert len({found.url for found in names.values() if found}) == len(EEA)
    assert names["FR"].name.endswith("(CNIL)")  # type: ignore[union-attr]
    assert names["NO"].url == "https://www.datatilsynet.no"  # type: ignore[union-attr]


def test_every_law_has_a_regulator_with_an_address_and_the_house_rule_none() -> None:
    for place, *_ in TABLE:
        regulator = rule(place).regulator
        if place == "TR":
            assert regulator is None
        else:
            assert regulator is not None
            assert regulator.url.startswith("https://")


@pytest.mark.parametrize(
    ("place", "to", "decide", "extension"),
    [
        *[(f"US-{state}", AppealTo.CONTROLLER, "60 days", None) for state in [*SIXTY, "IA"]],
        *[(f"US-{state}", AppealTo.CONTROLLER, "45 days", None) for state in ("OR", "NJ")],
        *[(f"US-{state}", AppealTo.CONTROLLER, "45 days", "60 days") for state in ("CO", "MN")],
        ("GB", AppealTo.CONTROLLER, None, None),
        ("DE", AppealTo.REGULATOR, None, None),
        ("CA-QC", AppealTo.REGULATOR, None, None),
    ],
)
def test_each_law_names_who_hears_an_appeal(
    place: str, to: AppealTo, decide: str | None, extension: str | None
) -> None:
    said = rule(place).appeal
    assert said is not None
    assert said.to is to
    assert (said.decide and str(said.decide)) == decide
    assert (said.extension and str(said.extension)) == extension


@pytest.mark.parametrize("place", ["US-UT", "US-CA"])
def test_some_laws_know_no_appeal(place: str) -> None:
    assert rule(place).appeal is None


def test_a_pause_under_a_law_of_working_days_leaves_out_working_days() -> None:
    kept = rulebook.freeze(rule("NZ"))
    pausing = rulebook.thaw({**kept, "pauses": ["clarification"]})
    # Friday to Wednesday: two working days, because Monday is Labour Day
    waited = [deadlines.Pause(rulebook.Wait.CLARIFICATION, date(2026, 10, 23), date(2026, 10, 28))]
    assert deadlines.compute(pausing, received=date(2026, 10, 1)).due == date(2026, 10, 30)
    assert deadlines.compute(pausing, received=date(2026, 10, 1), pauses=waited).due == date(2026, 11, 3)
