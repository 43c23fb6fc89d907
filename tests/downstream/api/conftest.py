"""Programs of partners that call the API of downstream, a copy that one holds, and a run that awaits its answer."""

import json
from typing import Any

import pytest

from consents.models import Partner, Subject
from consents.vocabulary import Action
from downstream import registry
from downstream.models import Dataset, Propagation
from tests.conftest import AT, BY, partner, sequenced
from tests.consents.api.conftest import Caller, own_cache
from tests.downstream.acting import carry_out, planned, run_all, say
from tests.downstream.holders.conftest import registration

__all__ = ["own_cache"]

SCOPES = "datasets:read datasets:write suppression:read"
HOLDERS_SCOPES = "propagations:read propagations:ack webhooks:manage"


@pytest.fixture
def calls(acme: Partner) -> Caller:
    """Acme, which speaks for linkwell and northlight."""
    return Caller(acme, SCOPES)


@pytest.fixture
def northlight(world: None) -> Partner:
    """An affiliate that holds a copy of posts."""
    return partner("northlight", recipients=["northlight"], schemes=["account"])


@pytest.fixture
def their_calls(northlight: Partner) -> Caller:
    return Caller(northlight, HOLDERS_SCOPES)


def copy_at(northlight: Partner, *, kind: str = "pull", **changes: Any) -> Dataset:
    asked = registration(f"{northlight.slug}/posts", kind=kind, owner="northlight", **changes)
    return registry.register(registration=asked, by=BY, at=AT)


@pytest.fixture
def copy(transactional_db: None, northlight: Partner, alice: Subject, charlie: Subject) -> Dataset:
    """Northlight's copy, up to date."""
    dataset = copy_at(northlight)
    sequenced()
    run_all()
    dataset.refresh_from_db()
    return dataset


@pytest.fixture
def run(copy: Dataset, alice: Subject) -> Propagation:
    """Alice said no; her rows have to leave the copy."""
    say(alice, Action.DENY)
    made = planned()
    assert not carry_out(made)
    made.refresh_from_db()
    return made


def lines(response: Any) -> list[dict[str, Any]]:
    return [json.loads(line) for line in b"".join(response.streaming_content).splitlines()]
