"""The script that outsiders are given: a downloaded receipt verifies with the published keys and nothing of Heed's."""

import ast
import base64
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from consents import ledger
from consents.models import Subject
from consents.vocabulary import Action
from portal import signing
from tests.conftest import SignIn
from tests.consents.asking import say
from tests.consents.receipts.issued import sealed
from tests.consents.sealing import ring

pytestmark = pytest.mark.django_db(transaction=True)

SCRIPT = Path(__file__).parents[2] / "docs" / "verify_receipt.py"


class Desk:
    """An outsider's empty folder with the script, the published keys and a receipt in it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        shutil.copy(SCRIPT, folder)
        self.publish()

    def publish(self) -> None:
        (self.folder / "jwks.json").write_text(json.dumps(signing.jwks()))

    def run(self, receipt: bytes) -> subprocess.CompletedProcess[str]:
        (self.folder / "receipt").write_bytes(receipt)
        environment = {name: value for name, value in os.environ.items() if name in {"PATH", "LANG"}}
        return subprocess.run(
            [sys.executable, "-I", "verify_receipt.py", "receipt", "jwks.json"],
            cwd=self.folder,
            env=environment | {"PYTHONIOENCODING": "utf-8"},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


@pytest.fixture
def download(alice: Subject, signed_in: SignIn) -> Callable[[str], bytes]:
    """A receipt as the person gets it through the web, of a choice that is sealed in the log with others around it."""
    sealed(alice, Action.GRANT)
    event = say(alice, Action.DENY)
    sealed(alice, Action.GRANT, "marketing")
    browser = signed_in(alice)
    return lambda form: browser.get(f"/receipts/{ledger.reference(event.pk)}/{form}/").content


def test_it_has_sixty_lines_and_imports_nothing_of_ours() -> None:
    source = SCRIPT.read_text()
    assert len(source.splitlines()) <= 60
    imported = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            imported |= {one.name.partition(".")[0] for one in node.names}
        if isinstance(node, ast.ImportFrom):
            imported.add(str(node.module).partition(".")[0])
    assert imported <= sys.stdlib_module_names | {"cryptography"}


@pytest.mark.parametrize("form", ["jsonld", "kantara", "pdf", "jws"])
def test_a_downloaded_receipt_verifies(desk: Desk, download: Callable[[str], bytes], form: str) -> None:
    run = desk.run(download(form))
    assert (run.returncode, run.stderr) == (0, "")
    lines = run.stdout.splitlines()
    assert len(lines) == 6
    assert all(line.startswith("ok ") for line in lines)


def test_a_receipt_that_is_not_sealed_yet_says_so(desk: Desk, alice: Subject, signed_in: SignIn) -> None:
    event = say(alice, Action.DENY)
    run = desk.run(signed_in(alice).get(f"/receipts/{ledger.reference(event.pk)}/jsonld/").content)
    assert run.returncode == 0
    assert "still to come" in run.stdout


def test_keys_may_have_rotated_since(desk: Desk, download: Callable[[str], bytes], settings: Any) -> None:
    receipt, old = download("jsonld"), settings.SIGNING_KEYS
    name, public = old.current[0], base64.b64encode(signing.raw_public_key(old.current[0])).decode()
    settings.SIGNING_KEYS = ring("newer", retired=f"{name}:{public}")
    desk.publish()
    assert desk.run(receipt).returncode == 0
    settings.SIGNING_KEYS = ring("newer")
    desk.publish()
    assert desk.run(receipt).returncode != 0


@pytest.mark.parametrize(
    ("form", "harm"),
    [
        ("jsonld", lambda it: it.replace(b"Use my data", b"Use her data")),
        ("jsonld", lambda it: it.replace(b'"action": "deny"', b'"action": "grant"')),
        ("jsonld", lambda it: it.replace(b'"position": ', b'"position": 1')),
        ("jsonld", lambda it: it[:-20]),
        ("kantara", lambda it: it.replace(b"REFUSED", b"EXPLICIT")),
        ("kantara", lambda it: it.replace(b'"jws": "e', b'"jws": "f')),
        ("kantara", lambda it: it[:-30] + it[-30:].swapcase()),
        ("pdf", lambda it: it.replace(b"/Title", b"/Titel")),
        ("pdf", lambda it: it + b"\n"),
        ("jws", lambda it: it[:100] + bytes([it[100] ^ 1]) + it[101:]),
        ("jws", lambda it: it[:-30] + b"A" * 30),
        ("jws", lambda it: b""),
    ],
)
def test_what_was_altered_is_found(desk: Desk, download: Callable[[str], bytes], form: str, harm: Any) -> None:
    receipt = download(form)
    harmed = harm(receipt)
    assert harmed != receipt
    run = desk.run(harmed)
    assert run.returncode == 1
    assert "FAILED" in run.stdout + run.stderr


@pytest.mark.parametrize(
    "lie",
    [
        lambda it: it["event"].update(action="grant"),
        lambda it: it["dpv:hasDataSubject"].update({"dpv:hasIdentifier": "x"}),
        lambda it: it["log"].update(salt="00000000-0000-0000-0000-000000000000"),
        lambda it: it["log"].update(position=1),
        lambda it: it["log"]["inclusion"].update(index=0),
        lambda it: it["log"]["inclusion"].update(size=1),
        lambda it: it["log"]["inclusion"]["hashes"].pop(),
        lambda it: it["log"]["inclusion"]["hashes"].append("AAAA"),
        lambda it: it["log"]["inclusion"].update(
            checkpoint=it["log"]["inclusion"]["checkpoint"].replace("\n", "x\n", 1)
        ),
    ],
)
def test_what_we_ourselves_signed_but_the_log_does_not_hold_is_found(
    desk: Desk, download: Callable[[str], bytes], lie: Any
) -> None:
    found = json.loads(download("jsonld"))
    typ = "heed-receipt+ld+json"
    del found["jws"]
    assert desk.run(signing.seal_jws(found, typ=typ).encode()).returncode == 0
    lie(found)
    assert desk.run(signing.seal_jws(found, typ=typ).encode()).returncode == 1


def test_a_strangers_key_is_found(desk: Desk, download: Callable[[str], bytes], settings: Any) -> None:
    settings.SIGNING_KEYS = ring(settings.SIGNING_KEYS.current[0])
    assert desk.run(download("jsonld")).returncode == 1
