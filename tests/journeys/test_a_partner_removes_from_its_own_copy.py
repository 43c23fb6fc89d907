"""A partner holds a copy: a person's no reaches it by the partner's own job, and the person reads who says so."""

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import duckdb
import pytest

from consents import sequencer
from downstream import registry
from downstream.models import Dataset, RemovalReceipt
from portal import actors, clock
from portal.demo import browsing
from portal.models import AuditEntry
from tests.conftest import partner
from tests.journeys.conftest import Corpus
from tests.stack import ROOT, Stack, wait_for

pytestmark = [pytest.mark.journey, pytest.mark.django_db(transaction=True)]
SCRIPT = ROOT / "clients" / "python" / "parquet_copy.py"


@pytest.fixture
def real_hashes(settings: Any) -> None:
    """The web process knows only those."""
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.PBKDF2PasswordHasher"]


def test_a_no_arrives_in_a_copy_that_we_cannot_see(
    real_hashes: None, house: Stack, registered: Corpus, tmp_path: Path
) -> None:
    theirs = tmp_path / "theirs"
    shutil.copytree(registered.untouched, theirs)
    _register_copy()
    author, count = registered.authors()[0]
    browser = browsing.sign_in(base=house.base, email=f"{author}@example.org", mail_dir=house.mail_dir)
    browsing.say_no(browser, base=house.base, purpose="ai-training")

    def page() -> str:
        return browser.get(f"{house.base}/choices/ai-training/journey/", timeout=30).text

    wait_for(lambda: "stop--asked" in page(), within=60, what=lambda: house.log("worker")[-3000:])
    assert _count(theirs, author) == count
    job = subprocess.run(_command(house, theirs), env=_environment(), capture_output=True, text=True, timeout=120)
    assert job.returncode == 0, job.stderr
    assert author not in job.stderr + job.stdout
    assert _count(theirs, author) == 0
    wait_for(lambda: "stop--told_removed" in page(), within=60, what=page)
    shown = page()
    assert "they told us: we cannot look there ourselves" in shown
    assert f"<dd>{count}</dd>" in shown
    receipt = RemovalReceipt.objects.get(dataset__slug="their-copy")
    assert (receipt.rows_removed, receipt.attested_by) == (count, "northlight")
    logs = "".join(house.log(name) for name in ("web", "worker", "beat"))
    assert author not in logs + str(list(AuditEntry.objects.values_list("actor", "details")))


def _register_copy() -> None:
    partner("northlight", recipients=["linkwell"], schemes=["account"])
    asked = registry.Registration(
        slug="their-copy",
        name="Their copy",
        public_name="A copy at Northlight",
        owner="linkwell",
        purposes=("ai-training",),
        kind="pull",
        location="northlight/posts",
        key_column="author_id",
        key_scheme="account",
    )
    registry.register(registration=asked, by=actors.command("test"), at=clock.now())
    head = sequencer.head()
    wait_for(
        lambda: not Dataset.objects.filter(position__lt=head).exists(), within=60, what="the copy to be up to date"
    )


def _count(folder: Path, author: str) -> int:
    query = "SELECT count(*) FROM read_parquet(?) WHERE author_id = ?"
    found = duckdb.execute(query, [f"{folder}/*.parquet", author]).fetchone()
    return found[0] if found else 0


def _command(house: Stack, folder: Path) -> list[str]:
    return [sys.executable, str(SCRIPT), "--base", house.base, "--copy", f"their-copy={folder}"]


def _environment() -> dict[str, str]:
    return {**os.environ, "HEED_CLIENT_ID": "northlight", "HEED_CLIENT_SECRET": "only-for-tests"}
