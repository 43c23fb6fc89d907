"""A processor that listens, and a dataset that it holds."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from consents.models import Subject
from downstream import registry
from downstream.models import Dataset
from tests.conftest import AT, BY, sequenced
from tests.downstream.acting import run_all
from tests.downstream.holders import processor
from tests.downstream.holders.processor import Processor


@pytest.fixture(autouse=True)
def own_cache(own_cache: None) -> None:
    """Of every test here: others leave remembered certificates and counts of calls."""


@pytest.fixture
def listening(tmp_path: Path, settings: Any) -> Iterator[Processor]:
    with processor.running(tmp_path) as running:
        settings.OUTBOUND_TRUST = str(running.authority.path)
        yield running


def registration(location: str, *, kind: str, **changes: Any) -> registry.Registration:
    told: dict[str, Any] = {
        "slug": "copy",
        "name": "Copy",
        "owner": "linkwell",
        "purposes": ("ai-training",),
        "location": location,
        "key_column": "author",
        "key_scheme": "account",
        "kind": kind,
    }
    return registry.Registration(**told | changes)


@pytest.fixture
def held(transactional_db: None, alice: Subject, charlie: Subject, listening: Processor) -> Dataset:
    """A dataset at the processor, up to date: nobody had to leave it."""
    asked = registration(listening.base, kind="opendsr")
    dataset = registry.register(registration=asked, by=BY, at=AT)
    sequenced()
    run_all()
    dataset.refresh_from_db()
    return dataset
