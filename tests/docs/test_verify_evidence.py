"""The script that an authority is given: evidence checks with the published keys and nothing of Heed's."""

import io
import json
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from consents.models import Subject
from portal import signing
from requests_app import evidence
from tests.conftest import BY
from tests.requests_app.asking import LATER, received

pytestmark = pytest.mark.django_db

SCRIPT = Path(__file__).parents[2] / "docs" / "verify_evidence.py"


@pytest.fixture
def exported(alice: Subject) -> bytes:
    return b"".join(evidence.export(request=received(alice), by=BY, at=LATER))


def run(folder: Path, content: bytes) -> subprocess.CompletedProcess[str]:
    shutil.copy(SCRIPT, folder)
    (folder / "jwks.json").write_text(json.dumps(signing.jwks()))
    (folder / "evidence.zip").write_bytes(content)
    environment = {name: value for name, value in os.environ.items() if name in {"PATH", "LANG"}}
    return subprocess.run(
        [sys.executable, "-I", SCRIPT.name, "evidence.zip", "jwks.json"],
        cwd=folder,
        env=environment | {"PYTHONIOENCODING": "utf-8"},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def altered(content: bytes, name: str) -> bytes:
    target = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as old, zipfile.ZipFile(target, "w") as new:
        for one in old.namelist():
            said = old.read(one)
            new.writestr(one, said.replace(b"received", b"deceived") if one == name else said)
    return target.getvalue()


def test_evidence_checks(exported: bytes, tmp_path: Path) -> None:
    said = run(tmp_path, exported)
    assert said.returncode == 0, said.stdout + said.stderr
    assert "ok      the signature holds" in said.stdout
    assert "Evidence of request Q-" in said.stdout


@pytest.mark.parametrize("name", ["timeline.json", "request.json", "summary.html"])
def test_an_altered_file_does_not(exported: bytes, tmp_path: Path, name: str) -> None:
    said = run(tmp_path, altered(exported, name))
    assert said.returncode == 1
    assert f"{name} is unaltered" in said.stderr


def test_what_is_none_does_not(tmp_path: Path) -> None:
    said = run(tmp_path, b"nonsense")
    assert said.returncode == 1
    assert "FAILED" in said.stdout
