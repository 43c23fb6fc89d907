"""A small dataset with the web server and beat at work, whose worker the tests kill."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import duckdb
import pytest

from consents import ledger, sequencer
from consents.models import Subject
from consents.vocabulary import Action, Source
from downstream.models import Dataset
from portal import clock
from tests.conftest import dataset_of, person, write_parquet
from tests.faults import library
from tests.stack import Stack, wait_for


@dataclass(frozen=True)
class Scene:
    """A dataset of two files, one person to remove, the processes."""

    stack: Stack
    dataset: Dataset
    folder: Path
    subject: Subject

    def say_no(self, subject: Subject | None = None) -> None:
        who = subject or self.subject
        origin = ledger.Origin(source=Source.SELF_SERVICE, by=f"subject:{who.pk}")
        ledger.record(subject=who, scope=ledger.Scope("ai-training"), action=Action.DENY, origin=origin, at=clock.now())

    def rows(self) -> list[tuple[str, int]]:
        """(author, number) of every row that a reader sees, in order."""
        query = "SELECT author, number FROM read_parquet(?) ORDER BY number"
        return duckdb.execute(query, [f"{self.folder}/*.parquet"]).fetchall()

    def leftovers(self) -> list[str]:
        return sorted(path.name for path in self.folder.iterdir() if path.suffix != ".parquet" or path.name[0] == ".")

    def verified(self) -> bool:
        self.dataset.refresh_from_db()
        return self.dataset.position > 0 and self.dataset.position == sequencer.head()


WITHOUT_ALICE = [
    (f"m_{name}", number) for number in range(40) if (name := ("alice", "bert", "carla")[number % 3]) != "alice"
]


@pytest.fixture
def scene(transactional_db: None, world: None, tmp_path: Path) -> Iterator[Scene]:
    folder = tmp_path / "posts"
    names = ("alice", "bert", "carla")
    for part in range(2):
        numbers = list(range(part * 20, part * 20 + 20))
        rows = {"author": [f"m_{names[n % 3]}" for n in numbers], "number": numbers}
        write_parquet(folder, rows, name=f"part-{part}.parquet")
    subject = person("alice", at=clock.now())
    yield from _played(tmp_path, dataset_of(folder), folder, subject)


@pytest.fixture
def shelves(transactional_db: None, world: None, tmp_path: Path) -> Iterator[Scene]:
    """The scene with a dataset that is worth an index; see `library`."""
    folder = tmp_path / "library"
    library.fill(folder)
    subject = person("alice", at=clock.now())
    yield from _played(tmp_path, dataset_of(folder), folder, subject)


def _played(tmp_path: Path, dataset: Dataset, folder: Path, subject: Subject) -> Iterator[Scene]:
    home = tmp_path / "heed"
    home.mkdir()
    stack = Stack(home, redis_number=12)
    try:
        stack.start("beat")
        yield Scene(stack=stack, dataset=dataset, folder=folder, subject=subject)
    finally:
        stack.stop_all()


def killed_at(scene: Scene, point: str) -> None:
    """A worker works until it is killed there."""
    scene.stack.start("worker", HEED_FAULTS_ALLOWED="1", HEED_FAULT_POINT=point)
    wait_for(lambda: _died(scene), within=60, what=lambda: f"death at {point}: {scene.stack.log('worker')[-2000:]}")
    scene.stack.kill("worker")


def _died(scene: Scene) -> bool:
    """A child of the worker was killed: the pool says so."""
    log = scene.stack.log("worker")
    return "signal 9" in log or "SIGKILL" in log
