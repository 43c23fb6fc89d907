"""AIPREF and TDMRep: what is read, what is written, and that no text whatever breaks the reader."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consents import usage_statements
from consents.usage_statements import Usage, combine, parse_content_usage, parse_tdm_reservation, read

CATEGORIES = st.from_regex(r"[a-z*][a-z0-9_.*-]{0,20}", fullmatch=True)
STATEMENTS = st.dictionaries(CATEGORIES, st.booleans(), max_size=5)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("train-ai=n", {"train-ai": False}),
        ("train-ai=y", {"train-ai": True}),
        ("  search=y , train-ai=n ", {"search": True, "train-ai": False}),
        ("train-ai=n, train-ai=y", {"train-ai": True}),
        ("train-ai=n, train-ai=maybe", {}),
        ("train-ai=n;why=law", {"train-ai": False}),
        ("train-ai=?0", {}),
        ('train-ai="n"', {}),
        ("train-ai", {}),
        ("train-ai=(n)", {}),
        ("train-ai=N", {}),
        ("something-new=n", {"something-new": False}),
        ("", {}),
    ],
)
def test_tokens_are_read_and_anything_else_is_unknown(text: str, said: dict[str, bool]) -> None:
    assert parse_content_usage(text) == said


@pytest.mark.parametrize("text", ["train-ai=", "Train-AI=n", "train-ai=n;", "=n", "train-ai=n,", "é=n", "\x00", "n y"])
def test_what_is_no_dictionary_says_nothing_at_all(text: str) -> None:
    assert parse_content_usage(text) is None


@given(st.text())
def test_no_text_breaks_the_reader(text: str) -> None:
    parsed = parse_content_usage(text)
    assert parsed is None or all(isinstance(value, bool) for value in parsed.values())
    assert parse_tdm_reservation(text) in {True, False, None}
    assert isinstance(read(content_usage=text, tdm_reservation=text), Usage)


@given(st.text(alphabet="train-ai=yn,; \"()?1:\t*@%'", max_size=40))
def test_no_text_that_is_nearly_right_breaks_it_either(text: str) -> None:
    usage = read(content_usage=text)
    assert usage.readable or usage.allows is None


@given(STATEMENTS)
def test_what_is_written_is_read_back(said: dict[str, bool]) -> None:
    assert parse_content_usage(usage_statements.write_content_usage(said)) == said


@given(st.lists(STATEMENTS, max_size=5))
def test_of_several_statements_any_no_wins(statements: list[dict[str, bool]]) -> None:
    combined = combine(statements)
    for name in {name for one in statements for name in one}:
        assert combined[name] == all(one[name] for one in statements if name in one)


@pytest.mark.parametrize(("text", "reserved"), [("1", True), ("0", False), (" 1 ", True), ("true", None), ("2", None)])
def test_a_reservation_is_one_or_zero(text: str, reserved: bool | None) -> None:
    assert parse_tdm_reservation(text) is reserved


def test_a_policy_is_named_only_where_rights_are_reserved() -> None:
    policy = "https://example.org/tdm.json"
    assert usage_statements.write_tdm(reserved=True, policy=policy) == {"tdm-reservation": "1", "tdm-policy": policy}
    assert usage_statements.write_tdm(reserved=True) == {"tdm-reservation": "1"}
    assert usage_statements.write_tdm(reserved=False, policy=policy) == {"tdm-reservation": "0"}


@pytest.mark.parametrize(
    ("usage", "reservation", "said"),
    [
        (None, None, Usage(None)),
        ("", " ", Usage(None)),
        ("train-ai=n", None, Usage(False)),
        ("train-ai=y", "1", Usage(False)),
        ("train-ai=n", "0", Usage(False)),
        ("train-ai=y", "0", Usage(True)),
        ("search=n", None, Usage(None)),
        ("search=n", "nonsense", Usage(None, readable=False)),
        ("train-ai=perhaps", None, Usage(None, readable=False)),
        ("train-ai=n,", "1", Usage(False)),
        ("train-ai=n,", "0", Usage(None, readable=False)),
        ("no!", None, Usage(None, readable=False)),
    ],
)
def test_a_rows_own_statements_are_one(usage: str | None, reservation: str | None, said: Usage) -> None:
    assert read(content_usage=usage, tdm_reservation=reservation) == said
