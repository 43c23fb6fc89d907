"""From a click to a proof on somebody else’s desk: the real processes, and a script that knows nothing of us."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import requests

from portal.demo import browsing
from tests.journeys.conftest import Corpus
from tests.stack import Stack, wait_for

pytestmark = [pytest.mark.journey, pytest.mark.django_db(transaction=True)]

SCRIPT = Path(__file__).parents[2] / "docs" / "verify_receipt.py"


def test_a_no_is_sealed_downloaded_and_verified_offline(house: Stack, registered: Corpus, tmp_path: Path) -> None:
    author = registered.authors()[-1][0]
    browser = browsing.sign_in(base=house.base, email=f"{author}@example.org", mail_dir=house.mail_dir)
    reference = browsing.say_no(browser, base=house.base, purpose="ai-training")

    page = f"{house.base}/receipts/{reference}/"
    wait_for(
        lambda: "Sealed in the log" in browser.get(page, timeout=30).text,
        within=60,
        what=lambda: house.log("worker")[-3000:],
    )
    desk = tmp_path / "desk"
    desk.mkdir()
    shutil.copy(SCRIPT, desk)
    keys = requests.get(f"{house.base}/.well-known/jwks.json", timeout=30)
    (desk / "jwks.json").write_bytes(keys.content)
    for form in ("pdf", "jsonld", "kantara", "jws"):
        receipt = browser.get(f"{page}{form}/", timeout=30).content
        assert _verified(desk, receipt) == 0
        assert _verified(desk, receipt[:-400] + receipt[-400:].swapcase()) == 1
        answer = requests.post(f"{house.base}/api/v1/receipts/verify", data=receipt, timeout=30)
        assert answer.json()["proven"], answer.text
    assert author not in house.log("web")


def _verified(desk: Path, receipt: bytes) -> int:
    (desk / "receipt").write_bytes(receipt)
    run = subprocess.run(
        [sys.executable, "-I", "verify_receipt.py", "receipt", "jwks.json"],
        cwd=desk,
        env={},
        capture_output=True,
        timeout=60,
        check=False,
    )
    return run.returncode
