"""The calls that the cookbook shows a controller are calls that are answered."""

import json
import re
from pathlib import Path

import pytest

from consents.models import Partner
from portal import clock
from requests_app.models import Request
from tests.conftest import person
from tests.requests_app.controlling import Controller, refusal, said_in

pytestmark = pytest.mark.usefixtures("own_cache")
PAGE = (Path(__file__).parents[2] / "docs" / "answer-opendsr.md").read_text()


@pytest.mark.django_db
def test_a_controller_gets_through_by_the_calls_that_are_shown(acme: Partner) -> None:
    person("42")
    calls = Controller(acme)
    (shown,) = re.findall(r"requests -d '(.+?)'", PAGE, re.DOTALL)
    message = json.loads(shown) | {"submitted_time": clock.now().isoformat()}
    assert calls.post(message).status_code == 201
    assert Request.objects.get().right == "erasure"
    paths = re.findall(r"\$BASE/opendsr/v2/(\S+)", PAGE)
    assert paths == [
        "discovery",
        "certificate.pem",
        "requests",
        *[f"requests/{message['subject_request_id']}"] * 2,
        paths[-1],
    ]
    assert calls.get(paths[0]).status_code == calls.get(paths[1]).status_code == 200
    assert said_in(calls.get(paths[3]))["request_status"] == "pending"
    assert calls.delete(message["subject_request_id"]).status_code == 202
    assert refusal(calls.get(paths[-1]))[:2] == (404, "no_results")
