"""Where a person lives, from the most specific to anywhere."""

import pytest

from consents import jurisdictions
from consents.jurisdictions import UnknownJurisdiction


@pytest.mark.parametrize(
    ("written", "read"), [("gb", "GB"), (" us-ca ", "US-CA"), ("GB-SCT", "GB-SCT"), ("de-by", "DE-BY")]
)
def test_a_code_is_read_in_capitals(written: str, read: str) -> None:
    assert jurisdictions.check(written) == read


@pytest.mark.parametrize("code", ["", "G", "GBR", "EU", "EEA", "*", "U1", "US-", "US-CALI", "US CA", "ＧＢ"])
def test_what_is_no_code_is_refused(code: str) -> None:
    with pytest.raises(UnknownJurisdiction):
        jurisdictions.check(code)


@pytest.mark.parametrize("code", ["EU", "EEA", "*", "GB", "US-CA"])
def test_a_scope_may_be_a_group_or_anywhere(code: str) -> None:
    assert jurisdictions.check_scope(code) == code


@pytest.mark.parametrize(
    ("code", "wider"),
    [
        ("DE-BY", ("DE-BY", "DE", "EU", "EEA", "*")),
        ("NO", ("NO", "EEA", "*")),
        ("GB-SCT", ("GB-SCT", "GB", "*")),
        ("CH", ("CH", "*")),
    ],
)
def test_a_code_widens_step_by_step(code: str, wider: tuple[str, ...]) -> None:
    assert jurisdictions.widening(code) == wider


@pytest.mark.parametrize(
    ("scope", "code", "covered"),
    [
        ("GB", "GB-SCT", True),
        ("GB-SCT", "GB", False),
        ("EEA", "IS", True),
        ("EU", "IS", False),
        ("EEA", "CH", False),
        ("EEA", "GB", False),
        ("*", "IN", True),
    ],
)
def test_a_scope_covers_what_lies_in_it(scope: str, code: str, covered: bool) -> None:
    assert jurisdictions.covers(scope, code) is covered


@pytest.mark.parametrize(
    ("one", "other", "has_some"),
    [
        ("GB", "GB-SCT", True),
        ("GB", "US", False),
        ("GB-SCT", "GB-WLS", False),
        ("EU", "EEA", True),
        ("EU", "DE-BY", True),
        ("EU", "IS", False),
        ("*", "IN", True),
    ],
)
def test_two_scopes_have_places_in_common_or_not(one: str, other: str, has_some: bool) -> None:
    assert jurisdictions.meet(one, other) is jurisdictions.meet(other, one) is has_some


def test_members_of_a_scope_are_codes_and_prefixes() -> None:
    assert jurisdictions.members("GB") == (["GB"], ["GB-"])
    assert jurisdictions.members("*") == ([], [])
    assert len(jurisdictions.members("EEA")[0]) == 30
