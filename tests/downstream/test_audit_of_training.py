"""What is written about training is written together with its audit entry, or not at all."""

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from django.db import DatabaseError, connection

from consents import holds
from consents.models import Partner, Subject
from consents.vocabulary import Action
from downstream import exposures, lineage, openlineage, permits, training_runs, webhooks
from downstream.exposures import Decision
from downstream.models import Dataset, TrainedModel
from tests.conftest import AT, BY
from tests.consents.asking import tables_as_text
from tests.downstream import events
from tests.downstream.acting import LATER, say
from tests.downstream.training import ask, caught_up, finish, permitted, ready, trained

pytestmark = pytest.mark.django_db(transaction=True)

NOW = LATER + timedelta(hours=1)
Write = Callable[[], object]


def rows() -> list[str]:
    """Every row of every table, in whatever order the database has them."""
    return sorted(tables_as_text().splitlines())


@pytest.fixture
def posts(alice: Subject, charlie: Subject, tmp_path: Path) -> Dataset:
    return ready(tmp_path)


def issuing(posts: Dataset, acme: Partner, alice: Subject) -> Write:
    return lambda: permitted(ask(posts), partner=acme, at=NOW)


def refusing(posts: Dataset, acme: Partner, alice: Subject) -> Write:
    refused = permits.PermitRefused([])
    return lambda: permits.note_refusal(asked=ask(posts), refused=refused, partner="acme", at=NOW)


def completing(posts: Dataset, acme: Partner, alice: Subject) -> Write:
    run = permitted(ask(posts), partner=acme, at=NOW).run
    return lambda: finish(run, at=NOW)


def retiring(posts: Dataset, acme: Partner, alice: Subject) -> Write:
    trained(posts, partner=acme, at=NOW)
    return lambda: training_runs.retire(model=TrainedModel.objects.get(), by=BY, at=NOW)


def marking(posts: Dataset, acme: Partner, alice: Subject) -> Write:
    permitted(ask(posts), partner=acme, at=NOW)
    webhooks.subscribe(partner=acme, url="http://127.0.0.1:9/hook", events=["permit.void"], by=BY, at=NOW)
    holds.open(scope=holds.HoldScope(), reason="ICO", by=BY, at=NOW)
    return lambda: permits.mark_void(at=NOW)


def deciding(posts: Dataset, acme: Partner, alice: Subject) -> Write:
    trained(posts, partner=acme, at=NOW)
    say(alice, Action.DENY)
    caught_up(posts)
    decision = Decision(kind="accepted", ground="g", legal_ground="l")
    return lambda: exposures.decide(model=TrainedModel.objects.get(), decision=decision, by=BY, at=NOW)


def hearing(posts: Dataset, acme: Partner, alice: Subject) -> Write:
    event = openlineage.read(events.spark(posts.location))
    return lambda: lineage.take_in(event=event, partner="acme", owners=["linkwell"], at=AT + timedelta(days=1))


@pytest.mark.parametrize(
    "prepare", [issuing, refusing, completing, retiring, marking, deciding, hearing], ids=lambda one: str(one.__name__)
)
def test_without_its_audit_entry_nothing_is_written(
    posts: Dataset, acme: Partner, alice: Subject, prepare: Callable[[Dataset, Partner, Subject], Write]
) -> None:
    write = prepare(posts, acme, alice)
    before = rows()
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE portal_auditentry ADD CONSTRAINT no_more CHECK (false) NOT VALID")
    try:
        with pytest.raises(DatabaseError):
            write()
        assert rows() == before
    finally:
        with connection.cursor() as cursor:
            cursor.execute("ALTER TABLE portal_auditentry DROP CONSTRAINT no_more")
    write()
    assert rows() != before
