"""Short ways of acting on datasets, and of looking into them with DuckDB alone."""

import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pytest
from django.db import connection

from consents import ledger
from consents.models import Subject
from consents.vocabulary import Action, Source
from downstream import propagation, purging
from downstream.models import Dataset, Propagation, RemovalReceipt
from downstream.propagation_states import Status
from portal import fault_points
from tests.conftest import AT, sequenced
from tests.stack import Stack, wait_for

LATER = AT + timedelta(minutes=1)


def say(
    subject: Subject,
    action: Action,
    purpose: str = "ai-training",
    *,
    at: datetime = LATER,
    recipient: str = "",
    category: str = "",
) -> int:
    """Record it and give it its position; answers the head."""
    origin = ledger.Origin(source=Source.SELF_SERVICE, by=f"subject:{subject.pk}")
    scope = ledger.Scope(purpose, recipient, category)
    ledger.record(subject=subject, scope=scope, action=action, origin=origin, at=at)
    return sequenced()


def planned(*, at: datetime = LATER) -> Propagation:
    """The one run that there is to plan."""
    (run,) = propagation.plan(at=at)
    return run


def carry_out(run: Propagation, *, holder: str = "test", at: datetime = LATER) -> bool:
    return propagation.carry_out(propagation_id=run.pk, holder=holder, clock=lambda: at)


def run_all(*, at: datetime = LATER) -> list[bool]:
    """Everything that is due, and whether each run is verified; what was verified before is purged first."""
    propagation.plan(at=at)
    ids = propagation.hand_over(at=at)
    verified = set(Propagation.objects.filter(pk__in=ids, status=Status.VERIFIED).values_list("pk", flat=True))
    for one in verified:
        purging.carry_out(propagation_id=one, holder="test", clock=lambda: at)
    open_ones = [one for one in ids if one not in verified]
    return [propagation.carry_out(propagation_id=one, holder="test", clock=lambda: at) for one in open_ones]


def authors(dataset: Dataset) -> list[str | None]:
    found = duckdb.execute("SELECT author FROM read_parquet(?)", [f"{dataset.location}/*.parquet"])
    return [row[0] for row in found.fetchall()]


def removed(subject: Subject) -> list[int]:
    """Rows removed by receipt, in the order of receipts."""
    receipts = RemovalReceipt.objects.filter(subject_id=subject.pk).order_by("position")
    return list(receipts.values_list("rows_removed", flat=True))


def leftovers(dataset: Dataset) -> list[str]:
    return [path.name for path in Path(dataset.location).iterdir() if path.name.startswith(".")]


def expire_leases() -> None:
    Propagation.objects.update(lease_until=AT - timedelta(days=1))


def worker(run: Propagation, *how: str, folder: Path, **extra: str) -> "subprocess.Popen[str]":
    """A process on the test's database that carries the run out; see `a_worker`. `extra` is environment."""
    command = [sys.executable, "-m", "tests.downstream.a_worker", str(run.pk), *how]
    environment = {**Stack(folder, redis_number=13).environment, "DJANGO_SETTINGS_MODULE": "portal.settings", **extra}
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def verified(process: "subprocess.Popen[str]") -> bool:
    """Whether the worker brought the run to its end."""
    said, _ = process.communicate(timeout=60)
    assert process.returncode == 0, said
    return said.splitlines()[-1] == "True"


class Holder(threading.Thread):
    """Does something beside the test, with a database connection of its own; `answer` is what came of it."""

    def __init__(self, act: Callable[[], Any]) -> None:
        super().__init__(daemon=True)
        self._act = act
        self.answer: Any = None
        self.start()

    def run(self) -> None:
        try:
            self.answer = self._act()
        finally:
            connection.close()

    def ended(self) -> Any:
        self.join(timeout=60)
        assert not self.is_alive()
        return self.answer


@contextmanager
def held_at(
    point: str, act: Callable[[], Any], *, gate: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[tuple[Holder, Callable[[], Any]]]:
    """A holder that sleeps at this fault point; the second answer wakes it and waits for its end."""
    fault_points._reached.clear()
    monkeypatch.setenv("HEED_FAULTS_ALLOWED", "1")
    monkeypatch.setenv("HEED_FAULT_POINT", point)
    monkeypatch.setenv("HEED_FAULT_WAIT", str(gate))
    holder = Holder(act)

    def wake() -> Any:
        gate.touch()
        return holder.ended()

    try:
        wait_for(gate.with_name(f"{gate.name}.reached").exists, within=30, what=f"a holder to reach {point}")
        yield holder, wake
    finally:
        wake()
