"""`manage.py snapshot_decisions` builds and keeps, or says why not."""

from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from consents.bulk_decisions import files, keeping
from consents.models import Subject
from tests.conftest import sequenced


@pytest.mark.django_db(transaction=True)
def test_it_keeps_everybody_of_the_scheme(alice: Subject, grace: Subject, tmp_path: Path, settings: Any) -> None:
    settings.DATA_DIR = tmp_path
    position, out = sequenced(), StringIO()
    call_command("snapshot_decisions", stdout=out)
    assert out.getvalue() == f"2 people by account, at position {position}.\n"
    assert files.load("account") is not None
    keeping.let_go()


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(("scheme", "says"), [("email", "sealed"), ("account", "log is empty")])
def test_it_says_why_not(scheme: str, says: str, tmp_path: Path, settings: Any) -> None:
    settings.DATA_DIR = tmp_path
    with pytest.raises(CommandError, match=says):
        call_command("snapshot_decisions", scheme=scheme)
    keeping.let_go()
