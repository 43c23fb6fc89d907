"""Every right answers all that a right is asked, whether in words of its own or in those that several share."""

import inspect

import pytest

from requests_app import rights
from requests_app.rights import base
from requests_app.rights.base import Meaning
from requests_app.states import LIMITED, Right

ASKED = [name for name, one in vars(Meaning).items() if inspect.isfunction(one) and not name.startswith("_")]


@pytest.mark.parametrize("right", Right.values)
@pytest.mark.parametrize("name", ASKED)
def test_every_right_answers_what_it_is_asked(right: str, name: str) -> None:
    asked = [one for one in inspect.signature(getattr(Meaning, name)).parameters.values() if one.name != "self"]
    answer = inspect.signature(getattr(rights.of(right), name)).parameters.values()
    assert [(one.name, one.kind) for one in answer] == [(one.name, one.kind) for one in asked]


def test_what_is_about_uses_is_asked_for_them() -> None:
    assert {right for right in Right if rights.of(right).scope is not base.no_scope} == set(LIMITED)
