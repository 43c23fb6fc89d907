"""SIGKILL while an answer is built: the next builder takes over, one whole file is there, and nothing else."""

import json
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from consents.models import Subject
from requests_app import packages
from requests_app.models import Package
from requests_app.states import PackageStatus
from tests.conftest import BY
from tests.requests_app.packages import packing
from tests.requests_app.packages.packing import SOON, access, file_of, opened, post
from tests.stack import Stack

pytestmark = [pytest.mark.fault, pytest.mark.django_db(transaction=True)]

POINTS = ["package.between_parts:1", "package.between_parts:9", "package.before_rename", "package.after_rename"]


@pytest.fixture
def package(alice: Subject, tmp_path: Path, settings: Any) -> Package:
    settings.FILES_DIR = tmp_path / "files"
    packing.posts(tmp_path / "posts", *(post("alice", number) for number in range(9)))
    return packages.ask(request=access(alice), by=BY, at=SOON)


@pytest.mark.parametrize("point", POINTS)
def test_killed_at(package: Package, tmp_path: Path, point: str) -> None:
    died = builder(tmp_path, HEED_FAULTS_ALLOWED="1", HEED_FAULT_POINT=point)
    assert died.returncode == -signal.SIGKILL
    package.refresh_from_db()
    assert package.status == PackageStatus.BUILDING
    followed = builder(tmp_path)
    assert followed.returncode == 0, followed.stderr[-2000:]
    assert json.loads(followed.stdout)["built"] == 1
    package.refresh_from_db()
    assert (package.status, package.attempts) == (PackageStatus.REVIEW, 2)
    assert [path for path in (tmp_path / "files").rglob("*") if path.is_file()] == [file_of(package)]
    assert [row["number"] for row in opened(package).rows("dataset-posts")] == list(range(9))


def test_a_person_never_sees_half(package: Package, tmp_path: Path) -> None:
    builder(tmp_path, HEED_FAULTS_ALLOWED="1", HEED_FAULT_POINT="package.before_rename")
    assert not file_of(package).exists()
    assert not packages.can_release(Package.objects.get(pk=package.pk))


def builder(folder: Path, **extra: str) -> "subprocess.CompletedProcess[str]":
    home = folder / "heed"
    home.mkdir(exist_ok=True)
    environment = {
        **Stack(home, redis_number=12).environment,
        "DJANGO_SETTINGS_MODULE": "portal.settings",
        "HEED_FILES": str(folder / "files"),
        "HEED_LEASE_SECONDS": "2",
        **extra,
    }
    command = [sys.executable, "-m", "tests.requests_app.packages.a_builder"]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, check=False)
