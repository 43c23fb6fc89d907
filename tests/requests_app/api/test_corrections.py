"""What a rectification names over REST: one correction by itself, or as many as there may be."""

from typing import Any

import pytest

from consents.models import Subject
from requests_app.models import Request
from requests_app.rights import rectification
from tests.requests_app.api.conftest import FrontEnd

NAME = {"what": "name", "wrong": "Alicia", "right": "Alice"}


@pytest.fixture(autouse=True)
def registered(alice: Subject) -> Subject:
    return alice


@pytest.mark.parametrize("details", [NAME, {"corrections": NAME}, {"corrections": [NAME]}])
def test_one_correction_may_stand_by_itself(front_end: FrontEnd, details: dict[str, Any]) -> None:
    front_end.sends("rectification", details=details)
    assert rectification.corrections(Request.objects.get()) == [NAME]


def test_as_many_corrections_as_there_may_be_are_taken_in_whole(front_end: FrontEnd) -> None:
    listed = [{"what": f"{n:500}", "wrong": "ä" * 500, "right": "ö" * 500} for n in range(20)]
    front_end.sends("rectification", details={"corrections": listed})
    kept = rectification.corrections(Request.objects.get())
    assert [one["what"] for one in kept] == [str(n) for n in range(20)]
