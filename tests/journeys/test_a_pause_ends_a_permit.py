"""Staff open a pause: within seconds the permit is void, its holder is told, and no further run begins."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from standardwebhooks import Webhook

from consents import sequencer
from consents.models import Hold, Partner
from downstream.models import Dataset, Permit, PermitRefusal, TrainingRun
from portal import roles
from portal.demo import browsing
from tests.conftest import partner, staff_member, token_of
from tests.downstream import listener
from tests.downstream.listener import Listener
from tests.journeys.conftest import Corpus, staff_browser
from tests.stack import ROOT, Stack, wait_for

pytestmark = [pytest.mark.journey, pytest.mark.django_db(transaction=True)]

SCRIPT = ROOT / "docs" / "gate_a_training_run.py"
SCOPES = "training:read training:write webhooks:manage"
ASKED = {"run": "nightly", "model": "writer", "purpose": "ai-training", "datasets": [{"dataset": "corpus"}]}
SECONDS = 30
"""Within which it has to be known; the turns come every two."""


class Caller:
    """A partner at the API of the real web process."""

    def __init__(self, base: str, who: Partner) -> None:
        self.base, self.token = base, token_of(who, SCOPES)

    def __call__(self, verb: str, path: str, **sent: Any) -> Any:
        headers = {"Authorization": f"Bearer {self.token}"}
        answer = requests.request(verb, f"{self.base}/api/v1{path}", json=sent or None, headers=headers, timeout=30)
        assert answer.ok, answer.text
        return answer.json()

    def subscribe(self, heard: Listener) -> str:
        """Asks to be told of void permits; answers the secret."""
        secret: str = self("POST", "/webhooks", url=heard.url, events=["permit.void"])["secret"]
        return secret


@pytest.fixture
def hearing() -> Iterator[tuple[Listener, Listener]]:
    """The server of whoever trains, and a stranger's."""
    with listener.running() as trainers, listener.running() as strangers:
        yield trainers, strangers


def test_a_pause_ends_a_permit_and_its_holder_is_told(
    house: Stack, registered: Corpus, hearing: tuple[Listener, Listener], tmp_path: Path
) -> None:
    head = sequencer.head()
    wait_for(lambda: not Dataset.objects.filter(position__lt=head).exists(), within=60, what="the corpus to be clean")
    calls = Caller(house.base, partner("trainer", recipients=["linkwell"], schemes=["account"]))
    stranger = Caller(house.base, partner("stranger", recipients=["somebody"], schemes=["account"]))
    secret = calls.subscribe(hearing[0])
    stranger.subscribe(hearing[1])
    given = calls("POST", "/training-runs", **ASKED)

    def permit() -> Any:
        return calls("GET", f"/permits/{given['permit']}")

    assert (permit()["state"], permit()["stale"]) == ("valid", [])
    hold = _pause_everybody_through_the_staff_pages(house)
    wait_for(lambda: permit()["state"] == "void", within=SECONDS, what=lambda: str(permit()))
    assert permit()["reason"]["code"] == "hold"
    wait_for(lambda: hearing[0].heard, within=SECONDS, what=lambda: house.log("worker")[-3000:])
    ((headers, body),) = hearing[0].heard
    told = Webhook(secret).verify(body, headers)
    assert (told["type"], told["data"]["permit"], told["data"]["hold"]) == (
        "permit.void",
        given["permit"],
        str(hold.pk),
    )
    assert hearing[1].heard == []
    _no_further_run_begins(house, registered, calls.token, tmp_path / "desk")


def _pause_everybody_through_the_staff_pages(house: Stack) -> Hold:
    browser = staff_browser(house, staff_member("vera", roles.MANAGER))
    address = f"{house.base}/admin/consents/hold/add/"
    filled = {"purposes": "ai-training", "authority": "ICO", "reason": "A concern was raised."}
    preview = browsing.post(browser, address, browser.get(address, timeout=30).text, **filled)
    assert "1 training permit is void at once" in preview.text
    browsing.post(browser, address, preview.text, **filled, confirmed="1")
    return Hold.objects.get()


def _no_further_run_begins(house: Stack, corpus: Corpus, token: str, desk: Path) -> None:
    """The script that pipelines are given, as it is."""
    desk.mkdir()
    keys = desk / "jwks.json"
    keys.write_bytes(requests.get(f"{house.base}/.well-known/jwks.json", timeout=30).content)
    assert json.loads(keys.read_bytes())["keys"]
    environment = {**os.environ, "HEED": house.base, "HEED_TOKEN": token, "HEED_JWKS": str(keys)}
    command = [sys.executable, "-I", str(SCRIPT), str(corpus.dataset), "corpus", "writer"]
    done = subprocess.run(command, cwd=desk, env=environment, capture_output=True, text=True, timeout=120)
    assert (done.returncode, "hold_on_everything" in done.stdout) == (3, True), done.stdout + done.stderr
    assert (Permit.objects.count(), TrainingRun.objects.count(), PermitRefusal.objects.count()) == (1, 1, 1)
    assert sorted(one.name for one in desk.iterdir()) == ["jwks.json"]
