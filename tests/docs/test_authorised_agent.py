"""The agent in the docs, run as it is: it sets itself up, opts somebody out, and is refused where it has to be."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from pytest_django.live_server_helper import LiveServer

from consents.models import Preference, Subject
from requests_app import agents
from requests_app.drp import OPT_IN, RIGHTS
from tests.conftest import AT, BY
from tests.requests_app.agency import BUSINESS

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("own_cache")]

SCRIPT = Path(__file__).parents[2] / "docs" / "authorised_agent.py"


def run(base: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if name in {"PATH", "LANG"}}
    environment |= {"HEED": base, "AGENT_ID": "MY_AGENT", "BUSINESS_ID": BUSINESS}
    command = [sys.executable, str(SCRIPT), *arguments]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)


def test_the_script_opts_somebody_out(live_server: LiveServer, alice: Subject, tmp_path: Path) -> None:
    made = run(live_server.url, "key")
    seed = tmp_path / "agent.seed"
    seed.write_text(made.stdout)
    asked = ("ask", str(seed), "heed:ai-training:opt-out", "alice@example.org")
    assert "refused" in run(live_server.url, *asked).stderr
    key = made.stderr.removeprefix("verify key: ").strip()
    agents.register(registration=agents.Registration(id="MY_AGENT", name="Mine", verify_key=key), by=BY, at=AT)
    said = json.loads(run(live_server.url, *asked).stdout)
    assert said["status"] == "in_progress"
    assert Preference.objects.get(subject=alice, purpose="ai-training").action == "object"
    assert "unknown_right" in run(live_server.url, "ask", str(seed), "nothing", "alice@example.org").stderr


def test_the_page_names_every_right() -> None:
    page = SCRIPT.with_name("authorised-agents.md").read_text()
    assert [right for right in (*RIGHTS, OPT_IN) if f"`{right}`" not in page] == []
