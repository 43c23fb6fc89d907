"""A dataset that is verified up to date."""

from pathlib import Path

import pytest

from consents.models import Subject
from downstream.models import Dataset
from tests.conftest import dataset_of, sequenced, write_parquet
from tests.downstream.acting import run_all


@pytest.fixture
def posts(transactional_db: None, alice: Subject, charlie: Subject, tmp_path: Path) -> Dataset:
    """Rows of Alice, Charlie, somebody unknown and nobody."""
    rows = {"author": ["m_alice", "m_charlie", "m_alice", "m_nobody", None], "text": ["a", "c", "b", "n", "x"]}
    dataset = dataset_of(write_parquet(tmp_path / "posts", rows))  # type: ignore[arg-type]
    sequenced()
    run_all()
    dataset.refresh_from_db()
    return dataset
