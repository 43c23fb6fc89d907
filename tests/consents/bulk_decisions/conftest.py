"""Snapshots of one test must not be another's."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from consents.bulk_decisions import keeping


@pytest.fixture(autouse=True)
def own_files(tmp_path: Path, settings: Any) -> Iterator[None]:
    settings.DATA_DIR = tmp_path
    keeping.let_go()
    yield
    keeping.let_go()
