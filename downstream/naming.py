"""What a dataset calls people: the subject keys of its key scheme."""

import uuid
from collections.abc import Iterable

from consents import subjects
from downstream.models import Dataset


def keys(people: Iterable[uuid.UUID], *, dataset: Dataset) -> dict[str, uuid.UUID]:
    """Each key that names one of the people in this dataset, and whom. The keys are personal data: not for logs."""
    return subjects.keys(people, scheme=dataset.key_scheme)
