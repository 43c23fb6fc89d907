"""Whatever people and staff do in whatever order: nobody who is denied is in a dataset, nobody else loses a row."""

import random
from collections import Counter
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

import duckdb
import pytest
from django.db.models import Sum

from consents import decisions, holds, ledger
from consents.evaluation import Question
from consents.models import Hold, Subject
from consents.vocabulary import Action, Source
from downstream import propagation, purging
from downstream.models import Dataset, RemovalReceipt
from requests_app import intake, workflow
from requests_app.models import Request
from requests_app.states import Status
from tests.conftest import AT, BY, OTHER, dataset_of, person, sequenced, write_parquet
from tests.downstream.acting import run_all

pytestmark = pytest.mark.django_db(transaction=True)

PEOPLE = {"ann": "US", "ben": "US-CA", "cat": "GB", "dan": "DE", "eva": "FR", "fay": "BR"}
DATASETS = {"posts": ("ai-training", "linkwell"), "given": ("ai-training/affiliates", "northlight")}
_SAID = (Action.DENY, Action.DENY, Action.OBJECT, Action.GRANT, Action.GRANT, Action.RESTRICT, Action.UNRESTRICT)
_SCOPES = (("ai-training", ""), ("ai-training", "linkwell"), ("ai-training/affiliates", ""), ("marketing", ""))
_PLACES = ([], ["GB"], ["EEA"], ["US"], ["BR", "FR"])


class Town:
    """Six people and two datasets, and what has to be in each by our own count."""

    def __init__(self, folder: Path, seed: int) -> None:
        self.chance = random.Random(seed)
        self.at = AT
        self.people = {name: person(name, place) for name, place in PEOPLE.items()}
        self.datasets = {slug: self._dataset(folder / slug, slug) for slug in DATASETS}
        self.expected = {slug: Counter(self.rows(slug)) for slug in DATASETS}
        self.gone = {slug: Counter[str]() for slug in DATASETS}

    def _dataset(self, folder: Path, slug: str) -> Dataset:
        for part in range(3):
            names = [f"m_{self.chance.choice([*PEOPLE, 'nobody'])}" for _ in range(12)]
            write_parquet(folder, {"author": names, "n": list(range(12))}, name=f"part-{part}.parquet")  # type: ignore[dict-item]
        purpose, owner = DATASETS[slug]
        return dataset_of(folder, slug=slug, purposes=(purpose,), owner=owner)

    def rows(self, slug: str) -> list[tuple[str, str, int]]:
        """(file, author, number), read by DuckDB."""
        query = "SELECT parse_filename(filename), author, n FROM read_parquet(?, filename = true)"
        return duckdb.execute(query, [f"{self.datasets[slug].location}/*.parquet"]).fetchall()

    def denied(self, slug: str) -> set[str]:
        """Asked of each person singly, not as the planner asks."""
        purpose, owner = DATASETS[slug]
        question = Question(purpose, recipient=owner)
        asked = ((name, Subject.objects.get(pk=one.pk)) for name, one in self.people.items())
        return {
            f"m_{name}" for name, one in asked if not decisions.decide(subject=one, question=question, at=self.at).allow
        }

    def somebody(self) -> Subject | None:
        alive = Subject.objects.filter(erased_at__isnull=True).order_by("pk")
        return self.chance.choice(list(alive)) if alive else None

    def settle(self) -> None:
        """Carry everything out that follows from what was said, and compare."""
        sequenced()
        # a second time where the owner's new files have to be looked through
        while done := run_all(at=self.at):
            assert all(done)
        for run in propagation.hand_over(at=self.at):
            assert purging.carry_out(propagation_id=run, holder="test", clock=self.now)
        for request in Request.objects.open().filter(carried_out_at__isnull=False):
            assert workflow.close_if_verified(request=request, by=BY, at=self.at)
        for slug in DATASETS:
            self.compare(slug)

    def compare(self, slug: str) -> None:
        denied = self.denied(slug)
        leaving = {row: count for row, count in self.expected[slug].items() if row[1] in denied}
        for (_, author, _), count in leaving.items():
            self.gone[slug][author] += count
        self.expected[slug] -= Counter(leaving)
        assert Counter(self.rows(slug)) == self.expected[slug]
        receipts = RemovalReceipt.objects.filter(dataset=self.datasets[slug])
        by_receipt = receipts.values_list("subject_id").annotate(rows=Sum("rows_removed"))
        names = {one.pk: f"m_{name}" for name, one in self.people.items()}
        assert Counter({names[pk]: rows for pk, rows in by_receipt if rows}) == self.gone[slug]

    def now(self) -> datetime:
        return self.at


def choose(town: Town) -> None:
    subject = town.somebody()
    if subject is None:
        return
    purpose, recipient = town.chance.choice(_SCOPES)
    origin = ledger.Origin(source=Source.SELF_SERVICE, by=f"subject:{subject.pk}")
    scope = ledger.Scope(purpose, recipient)
    ledger.record(subject=subject, scope=scope, action=town.chance.choice(_SAID), origin=origin, at=town.at)


def hold(town: Town) -> None:
    scope = holds.HoldScope(
        purposes=town.chance.choice([[], ["ai-training"], ["ai-training/affiliates"]]),
        jurisdictions=town.chance.choice(_PLACES[1:]),
        recipients=town.chance.choice([[], ["northlight"]]),
    )
    holds.open(scope=scope, reason="asked to", by=BY, at=town.at)


def lift(town: Town) -> None:
    opened = Hold.objects.filter(lifted_at__isnull=True).first()
    if opened is not None:
        holds.ask_to_lift(hold=opened, by=BY, at=town.at)
        holds.lift(hold=opened, by=OTHER, at=town.at)


def erase(town: Town) -> None:
    subject = town.somebody()
    if subject is None or Request.objects.open().filter(subject=subject).exists():
        return
    (request,) = intake.receive(asked=intake.Asked(rights=("erasure",)), subject=subject, by=BY, at=town.at)
    Request.objects.filter(pk=request.pk).update(status=Status.IN_PROGRESS)
    workflow.carry_out(request=request, by=BY, at=town.at)


def write_again(town: Town) -> None:
    """The owner writes a file anew, with rows of people who may be in it."""
    slug = town.chance.choice(list(DATASETS))
    denied = town.denied(slug)
    names = [f"m_{town.chance.choice([*PEOPLE, 'nobody'])}" for _ in range(6)]
    allowed = [name for name in names if name not in denied]
    if not allowed:
        return
    name = f"more-{town.chance.randrange(10**9)}.parquet"
    folder = Path(town.datasets[slug].location)
    write_parquet(folder, {"author": allowed, "n": list(range(len(allowed)))}, name=name)  # type: ignore[dict-item]
    town.expected[slug].update((name, author, number) for number, author in enumerate(allowed))


STEPS: list[Callable[[Town], None]] = [choose, choose, choose, choose, hold, lift, lift, write_again, erase]


@pytest.mark.parametrize("seed", range(6))
def test_after_each_settling_exactly_the_denied_are_gone(world: None, tmp_path: Path, seed: int) -> None:
    town = Town(tmp_path, seed)
    town.settle()
    for _ in range(8):
        for _ in range(town.chance.randrange(1, 4)):
            # two things never happen at one moment here; the ledger's own tests say who wins then
            town.at += timedelta(seconds=1)
            town.chance.choice(STEPS)(town)
        town.settle()
