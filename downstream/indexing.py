"""Where the subject index of a dataset is kept on this machine, and when it is not to be relied on."""

import hashlib
import hmac
from datetime import datetime

from django.conf import settings

from downstream.connectors.base import Connector, Indexed
from downstream.models import Dataset
from downstream.subject_index import Place


def use(connector: Connector, *, dataset: Dataset, at: datetime | None = None) -> None:
    """Let the connector look by the dataset's index, if its kind has one; `at` is when a run looks again."""
    if isinstance(connector, Indexed):
        connector.use_index(_place(dataset, full_look_due=at is not None and full_look_due(dataset, at=at)))


def full_look_due(dataset: Dataset, *, at: datetime) -> bool:
    """Whether it is time to read everything again: an index is a memory, and so are file times."""
    return dataset.full_look_at is None or at >= dataset.full_look_at + settings.FULL_LOOK_EVERY


def _place(dataset: Dataset, *, full_look_due: bool) -> Place:
    # two datasets that bore one slug one after the other are not mixed up
    where = hashlib.blake2b(dataset.location.encode(), digest_size=8).hexdigest()
    return Place(settings.SUBJECT_INDEX_DIR / f"{dataset.slug}-{where}", _secret(dataset), full_look_due)


def _secret(dataset: Dataset) -> bytes:
    """When the blind-index key is rotated, what was hashed under the old one is made anew at the next look."""
    key: bytes = settings.INDEX_KEYS.current[1]
    return hmac.digest(key, f"subject-index\0{dataset.slug}\0{dataset.location}".encode(), hashlib.sha256)
