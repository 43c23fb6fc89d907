"""Whatever is told on a timeline has words, for staff and for people; no table has words for what nobody tells."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.conf import settings

from requests_app import reminders, told
from requests_app.admin import happenings
from requests_app.pages import words
from requests_app.rights import restriction
from requests_app.states import CLOSED, Right

SOURCES = Path(settings.BASE_DIR) / "requests_app"
_BY_VARIABLE = {
    *("nothing_held", "appealed", "silence_appealed", "complained", reminders.ESCALATED),
    *(str(status) for status in CLOSED),
    *(restriction.TOLD, restriction.LIFTED),
}
_TELLERS = {"tell", "tell_many", "tell_each", "move", "_keep"}


def _told() -> set[str]:
    found = set(_BY_VARIABLE)
    for path in SOURCES.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and getattr(node.func, "attr", getattr(node.func, "id", "")) in _TELLERS:
                found |= set(_codes(node))
    return found


def _codes(call: ast.Call) -> Iterator[str]:
    """A code is the second argument, or named; either may be one of two."""
    named = [one.value for one in call.keywords if one.arg == "code"]
    for one in [*call.args[1:2], *named]:
        yield from _strings(one)


def _strings(node: ast.expr) -> Iterator[str]:
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        yield node.value
    elif isinstance(node, ast.IfExp):
        yield from _strings(node.body)
        yield from _strings(node.orelse)


def test_staff_read_every_entry_in_words() -> None:
    assert _told() == set(happenings.HAPPENED)


def test_people_read_every_entry_in_words() -> None:
    assert _told() == told.HAPPENED.keys() | told.HOUSE.keys()


def test_what_is_hidden_or_shown_in_full_is_told_at_all() -> None:
    assert words.QUOTED | words.GROUNDED | set(words.DAYS) <= _told()


@pytest.mark.parametrize(
    ("scope", "said"),
    [
        ("EEA", "identity not shown – GDPR Art. 11(2), 12(6)"),
        ("US-CA", "identity not shown – Cal. Code Regs. tit. 11 § 7062"),
        ("BR", "identity not shown"),
    ],
)
def test_a_ground_names_no_law_of_elsewhere(scope: str, said: str) -> None:
    assert words.ground("not_identified", right=Right.ACCESS, scope=scope) == said
