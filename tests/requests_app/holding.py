"""Parquet datasets that hold the cast, and what is in them."""

from pathlib import Path
from typing import Any

import duckdb

from downstream.models import Dataset
from tests.conftest import dataset_of, write_parquet


def posts(folder: Path, *people: str, slug: str = "posts", **said: Any) -> Dataset:
    """A registered dataset, keyed by account, with one row of each of these people."""
    rows: list[object] = [f"m_{name}" for name in people]
    return dataset_of(write_parquet(folder / slug, {"author": rows}), slug=slug, **said)


def authors(dataset: Dataset) -> list[str]:
    """Whose rows are in it now, in order."""
    rows = duckdb.execute("SELECT author FROM read_parquet(?)", [f"{dataset.location}/*.parquet"]).fetchall()
    return sorted(row[0].removeprefix("m_") for row in rows)
