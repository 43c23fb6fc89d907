"""The command: what it says, how it ends, and that a dry run takes nothing in."""

import io
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from consents.models import Subject
from portal import clock
from requests_app.models import Request
from tests.requests_app.import_files import csv_of, line

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("world")]


@pytest.fixture
def file(settings: Any, tmp_path: Path) -> Path:
    settings.FILES_DIR = tmp_path / "files"
    day = clock.now().date().isoformat()
    path = tmp_path / "tickets.csv"
    path.write_bytes(csv_of(line(1, received_on=day), line(2, received_on=day, rights="oblivion")))
    return path


def run(*given: Any) -> tuple[str, int]:
    out, code = io.StringIO(), 0
    try:
        call_command("import_requests", *map(str, given), stdout=out)
    except SystemExit as end:
        code = int(end.code or 0)
    return out.getvalue(), code


def test_it_takes_in_what_it_can_and_says_what_it_refused(alice: Subject, file: Path, tmp_path: Path) -> None:
    said, code = run(file, "--refused", tmp_path / "refused.csv")
    assert "2 rows: 1 taken in, 0 known already, 1 refused." in said
    assert "line 3, rights: unknown_right" in said
    assert code == 1
    assert Request.objects.count() == 1
    assert "3,rights,unknown_right" in (tmp_path / "refused.csv").read_text()
    assert "0 taken in, 1 known already, 1 refused" in run(file)[0]


def test_a_dry_run_takes_nothing_in(alice: Subject, file: Path) -> None:
    said, code = run(file, "--dry-run")
    assert "dry run" in said
    assert "line 3, rights: unknown_right" in said
    assert code == 1
    assert not Request.objects.exists()


def test_a_file_without_faults_ends_well(alice: Subject, file: Path) -> None:
    file.write_bytes(csv_of(line(1, received_on=clock.now().date().isoformat())))
    assert run(file)[1] == 0


def test_a_file_that_is_not_there_is_said(file: Path) -> None:
    with pytest.raises(CommandError, match="cannot be read"):
        run(file.with_name("none.csv"))
    file.write_bytes(b"")
    with pytest.raises(CommandError, match="nothing in it"):
        run(file)
