"""Copies of a dataset that somebody else holds: by a processor who is asked, or by a partner who pulls."""

from typing import Any

from consents.models import Partner
from downstream import registry
from downstream.models import Dataset
from tests.conftest import AT, BY, sequenced
from tests.downstream.acting import run_all

HOLDERS_SCOPES = "propagations:read propagations:ack webhooks:manage"


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


def copy_at(northlight: Partner, *, kind: str = "pull", **changes: Any) -> Dataset:
    asked = registration(f"{northlight.slug}/posts", kind=kind, owner="northlight", **changes)
    return registry.register(registration=asked, by=BY, at=AT)


def up_to_date(dataset: Dataset) -> Dataset:
    """The dataset once nobody has to leave it any more; what was committed is sequenced first."""
    sequenced()
    run_all()
    dataset.refresh_from_db()
    return dataset
