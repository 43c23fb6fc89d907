"""Appeals and complaints over REST: about an earlier request of the same person, by who vouches for them."""

from datetime import date, timedelta
from typing import Any

import pytest

from consents.models import Subject
from portal import clock, references
from requests_app.models import Request
from tests.conftest import person
from tests.consents.api.conftest import problem
from tests.requests_app.api.conftest import FrontEnd, asks


@pytest.fixture(autouse=True)
def registered(alice: Subject) -> Subject:
    return alice


class TestFollowUps:
    def test_a_complaint_is_about_an_earlier_request(self, front_end: FrontEnd) -> None:
        earlier = front_end.sends("access")["reference"]
        said = front_end.sends("complaint", about=earlier, note="It takes long.")
        made = Request.objects.get(pk=references.decode("Q", said["reference"]))
        assert made.about is not None
        assert made.about.reference == earlier

    def test_an_appeal_against_silence_is_lodged_once_the_day_has_passed(self, front_end: FrontEnd) -> None:
        person("victor", "US-VA")
        victor = {"scheme": "account", "value": "m_victor"}
        days = {"fresh": 1, "old": 100}
        earlier = {
            name: front_end.sends(
                right, subject=victor, received_at=(clock.now() - timedelta(days=days[name])).isoformat()
            )
            for name, right in (("fresh", "access"), ("old", "portability"))
        }
        refused = front_end.post("/requests", asks("appeal", subject=victor, about=earlier["fresh"]["reference"]))
        assert problem(refused) == (409, "appeal_not_yet")
        told: Any = front_end.get(f"/requests/{earlier['fresh']['reference']}")
        opens = told.json()["clock"]["silence_from"]
        assert opens == (date.fromisoformat(earlier["fresh"]["due_on"]) + timedelta(days=1)).isoformat()
        assert opens in refused.json()["detail"]  # type: ignore[attr-defined]
        said = front_end.sends("appeal", subject=victor, about=earlier["old"]["reference"])
        assert date.fromisoformat(said["due_on"]) > clock.now().date() + timedelta(days=50)
        first = Request.objects.get(pk=references.decode("Q", earlier["old"]["reference"]))
        assert (first.status, first.escalated_at is not None) == ("received", True)
        again = front_end.post("/requests", asks("appeal", subject=victor, about=first.reference))
        assert problem(again) == (409, "appeal_open")

    def test_not_about_somebody_elses(self, front_end: FrontEnd, charlie: Subject) -> None:
        earlier = front_end.sends("access", subject={"scheme": "account", "value": "m_charlie"})["reference"]
        refused = front_end.post("/requests", asks("complaint", about=earlier))
        assert problem(refused) == (404, "unknown_reference")

    def test_only_by_who_vouches(self, stranger: FrontEnd) -> None:
        earlier = stranger.sends("access")["reference"]
        assert problem(stranger.post("/requests", asks("complaint", about=earlier))) == (403, "not_vouching")
