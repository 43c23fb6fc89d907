"""What the datasets hold of one person: the rows themselves, for an answer to them, or why they cannot be read.

Nothing here keeps anything, and no message names the person. One dataset that fails does not hide the others.
"""

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from downstream import naming, registry
from downstream.connectors.base import Connector, ConnectorError, ReadsRows, Row
from downstream.failures import of_unexpected
from downstream.models import Dataset

REMOTE, GAP = "remote", "gap"
"""Somebody else holds the dataset and has to be asked; the person has no name in its key scheme, so nobody can tell."""


@dataclass(frozen=True)
class Problem:
    """Why something cannot be told: a stable code, and words for staff that name no person."""

    code: str
    message: str


@dataclass(frozen=True)
class Holding:
    """One dataset and this person's rows in it.

    The rows are read while they are iterated over, once. What is known to be wrong is in `problems` from the beginning,
    and what goes wrong then afterwards: with any there, what was told may not be all.
    """

    dataset: Dataset
    rows: Iterator[Row] = field(repr=False)
    problems: list[Problem] = field(default_factory=list)

    @property
    def code(self) -> str:
        """Of the first problem; empty where there is none, or not yet."""
        return self.problems[0].code if self.problems else ""


@dataclass(frozen=True)
class Count:
    """How many rows of this person a dataset holds; with a problem, at least so many."""

    dataset: Dataset
    rows: int
    problem: Problem | None = None


def of_person(*, subject_id: uuid.UUID) -> Iterator[Holding]:
    """Each living dataset, by name, with this person's rows in it. Never raises for one dataset.

    A holder has to be asked (`remote`); a dataset that calls people by names of which this person has none cannot tell
    (`gap`); everything else is the code of a ConnectorError. Retired datasets are left out: nothing is done with them.
    """
    for dataset in Dataset.objects.living().select_related("owner"):
        yield in_dataset(dataset, subject_id=subject_id)


def in_dataset(dataset: Dataset, *, subject_id: uuid.UUID) -> Holding:
    """The same of one dataset."""
    problems: list[Problem] = []
    rows: Iterator[Row] = iter(())
    with _noting(dataset, problems):
        rows = _rows(dataset, *_reach(dataset, subject_id), problems)
    return Holding(dataset, rows, problems)


def count(*, subject_id: uuid.UUID) -> Iterator[Count]:
    """The same as figures alone: nothing but keys is read, by the index where the dataset has one."""
    for dataset in Dataset.objects.living().select_related("owner"):
        rows, problems = 0, list[Problem]()
        with _noting(dataset, problems):
            connector, keys = _reach(dataset, subject_id)
            for finding in connector.find(keys):
                rows += finding.matching
        yield Count(dataset, rows, problems[0] if problems else None)


def _rows(dataset: Dataset, connector: Connector, keys: set[str], problems: list[Problem]) -> Iterator[Row]:
    failures: list[ConnectorError] = []
    with _noting(dataset, problems):
        if not isinstance(connector, ReadsRows):
            raise ConnectorError(
                "rows_unreadable", f"Datasets of the kind {dataset.kind} hand out no rows.", permanent=True
            )
        yield from connector.rows(keys, failures)
    problems += [Problem(one.code, one.message) for one in failures]


@contextmanager
def _noting(dataset: Dataset, problems: list[Problem]) -> Iterator[None]:
    """Write down what goes wrong, and go on behind it."""
    try:
        yield
    except ConnectorError as error:
        problems.append(Problem(error.code, error.message))
    except Exception as error:
        told = of_unexpected("holding", dataset.slug, error)
        problems.append(Problem(told.code, told.message))


def _reach(dataset: Dataset, subject_id: uuid.UUID) -> tuple[Connector, set[str]]:
    """The connector, and what the dataset calls this person. Raises ConnectorError."""
    if registry.is_remote(dataset):
        raise ConnectorError(REMOTE, "Somebody else holds this dataset; they have to be asked.", permanent=True)
    keys = set(naming.keys([subject_id], dataset=dataset))
    if not keys:
        raise ConnectorError(
            GAP, f"This person has no {dataset.key_scheme}, by which this dataset names people.", permanent=True
        )
    return registry.connect(dataset), keys
