"""A person's rows in every living dataset: which there are, and their rows one after the other, or why not.

This is the one place of packages that reads datasets. It reads folders of Parquet files.
"""

import uuid
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as pads

from downstream import naming, registry
from downstream.connectors.base import ConnectorError
from downstream.models import Dataset

_ROWS_AT_ONCE = 1_000


@dataclass(frozen=True)
class Held:
    """One row of the person: in which unit of the dataset it is, and all its columns."""

    unit: str
    values: Mapping[str, Any] = field(repr=False)


@dataclass(frozen=True)
class Holding:
    """One dataset. `rows` reads it and raises ConnectorError; where it is None, `reason` says why nobody can tell."""

    dataset: Dataset
    rows: Callable[[], Iterator[Held]] | None
    reason_code: str = ""
    reason: str = ""


def of_person(*, subject_id: uuid.UUID) -> Iterator[Holding]:
    """Each living dataset, in order of name; nothing is read yet."""
    for dataset in Dataset.objects.living().select_related("owner"):
        yield _holding(dataset, subject_id)


def _holding(dataset: Dataset, subject_id: uuid.UUID) -> Holding:
    if registry.is_remote(dataset):
        return Holding(dataset, None, "held_by_another", "Somebody else holds this dataset.")
    try:
        keys = list(naming.keys([subject_id], dataset=dataset))
    except ConnectorError as error:
        return Holding(dataset, None, error.code, error.message)
    if not keys:
        return Holding(dataset, None, "no_name", "The dataset does not name this person by anything known.")
    if dataset.kind != "parquet_folder":
        return Holding(dataset, None, "kind_not_read", "Rows of this kind of dataset cannot be handed out.")
    return Holding(dataset, lambda: _rows(dataset, keys))


def _rows(dataset: Dataset, keys: list[str]) -> Iterator[Held]:
    folder = Path(dataset.location)
    try:
        for path in sorted(folder.rglob("*.parquet")):
            file = pads.dataset(path, format="parquet")
            theirs = pc.field(dataset.key_column).isin(pa.array(keys, pa.string()))
            scanner = file.scanner(
                filter=theirs, batch_size=_ROWS_AT_ONCE, batch_readahead=1, fragment_readahead=1, use_threads=False
            )
            for batch in scanner.to_batches():
                for start in range(0, batch.num_rows, _ROWS_AT_ONCE):
                    yield from (
                        Held(str(path.relative_to(folder)), one)
                        for one in batch.slice(start, _ROWS_AT_ONCE).to_pylist()
                    )
    except (OSError, pa.ArrowException) as error:
        raise ConnectorError("unreadable", "A file of this dataset cannot be read.", permanent=True) from error
