"""A dataset that is verified up to date, and copies of it: at a processor that listens, and at a partner that pulls."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from consents.models import Partner, Subject
from consents.vocabulary import Action
from downstream import registry
from downstream.models import Dataset, Propagation
from tests.conftest import AT, BY, dataset_of, write_parquet
from tests.consents.api.conftest import Caller
from tests.downstream.acting import carry_out, planned, say
from tests.downstream.copies import HOLDERS_SCOPES, copy_at, registration, up_to_date
from tests.downstream.holders import processor
from tests.downstream.holders.processor import Processor


@pytest.fixture
def posts(transactional_db: None, alice: Subject, charlie: Subject, tmp_path: Path) -> Dataset:
    """Rows of Alice, Charlie, somebody unknown and nobody."""
    rows: dict[str, list[str | None]] = {
        "author": ["m_alice", "m_charlie", "m_alice", "m_nobody", None],
        "text": ["a", "c", "b", "n", "x"],
    }
    return up_to_date(dataset_of(write_parquet(tmp_path / "posts", rows)))


@pytest.fixture
def listening(tmp_path: Path, settings: Any) -> Iterator[Processor]:
    with processor.running(tmp_path) as running:
        settings.OUTBOUND_TRUST = str(running.authority.path)
        yield running


@pytest.fixture
def held(transactional_db: None, alice: Subject, charlie: Subject, listening: Processor) -> Dataset:
    """A dataset at the processor, up to date: nobody had to leave it."""
    asked = registration(listening.base, kind="opendsr")
    return up_to_date(registry.register(registration=asked, by=BY, at=AT))


@pytest.fixture
def their_calls(northlight: Partner) -> Caller:
    return Caller(northlight, HOLDERS_SCOPES)


@pytest.fixture
def copy(transactional_db: None, northlight: Partner, alice: Subject, charlie: Subject) -> Dataset:
    """Northlight's copy, up to date."""
    return up_to_date(copy_at(northlight))


@pytest.fixture
def run(copy: Dataset, alice: Subject) -> Propagation:
    """Alice said no; her rows have to leave the copy."""
    say(alice, Action.DENY)
    made = planned()
    assert not carry_out(made)
    made.refresh_from_db()
    return made
