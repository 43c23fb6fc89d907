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
from tests.stack import Stack


@dataclass(frozen=True)
class Scene:
    """A dataset of two files, one person to remove, the processes."""

    stack: Stack
    dataset: Dataset
    folder: Path
    subject: Subject

    def say_no(self) -> None:
        origin = ledger.Origin(source=Source.SELF_SERVICE, by=f"subject:{self.subject.pk}")
        scope = ledger.Scope("ai-training")
        ledger.record(subject=self.subject, scope=scope, action=Action.DENY, origin=origin, at=clock.now())

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
        write_parquet(folder, rows, name=f"part-{part}.parquet")  # type: ignore[arg-type]
    subject = person("alice", at=clock.now())
    dataset = dataset_of(folder)
    home = tmp_path / "heed"
    home.mkdir()
    stack = Stack(home, redis_number=12)
    try:
        stack.start("beat")
        yield Scene(stack=stack, dataset=dataset, folder=folder, subject=subject)
    finally:
        stack.stop_all()
