"""The script that pipelines are given, run as it is: it trains with a permit, and not without."""

import ast
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from consents import holds
from consents.models import Partner, Subject
from consents.vocabulary import Action
from downstream import exposures
from downstream.models import Dataset, Permit, PermitRefusal, TrainedModel, TrainingRun
from portal import clock
from tests.conftest import BY, dataset_of, partner, sequenced, token_of, write_parquet
from tests.downstream.acting import say
from tests.downstream.training import caught_up
from tests.stack import Stack, wait_for

pytestmark = pytest.mark.django_db(transaction=True)

SCRIPT = Path(__file__).parents[2] / "docs" / "gate_a_training_run.py"
PAGE = SCRIPT.with_name("gate-a-training-run.md")
ROWS = 200


@pytest.fixture
def points(alice: Subject, charlie: Subject, tmp_path: Path) -> Dataset:
    """Two clouds of points that a line can tell apart; every tenth is Alice's."""
    number = range(ROWS)
    rows: dict[str, list[object]] = {
        "author": ["m_alice" if one % 10 == 0 else "m_charlie" for one in number],
        "x": [float(one % 7) + 10 * (one % 2) for one in number],
        "y": [float(one % 5) for one in number],
        "label": [one % 2 for one in number],
    }
    dataset = dataset_of(write_parquet(tmp_path / "points", rows), slug="points")
    caught_up(dataset)
    return dataset


@pytest.fixture
def trainer(world: None) -> Partner:
    return partner("trainer", recipients=["linkwell"], schemes=["account"])


@pytest.fixture
def house(tmp_path: Path) -> Iterator[Stack]:
    """The real web server on the test's database."""
    (tmp_path / "heed").mkdir()
    stack = Stack(tmp_path / "heed", redis_number=12)
    try:
        stack.start("web")
        stack.wait_until_ready()
        yield stack
    finally:
        stack.stop_all()


class Desk:
    """A folder of its own with the script and the published keys; nothing of Heed's."""

    def __init__(self, folder: Path, base: str, token: str, dataset: Dataset) -> None:
        folder.mkdir()
        shutil.copy(SCRIPT, folder)
        (folder / "jwks.json").write_bytes(requests.get(f"{base}/.well-known/jwks.json", timeout=30).content)
        self.folder, self.dataset = folder, dataset
        self.environment = {
            **{name: value for name, value in os.environ.items() if name in {"PATH", "LANG"}},
            "HEED": base,
            "HEED_TOKEN": token,
            "HEED_JWKS": "jwks.json",
            "PYTHONIOENCODING": "utf-8",
        }

    def start(self) -> "subprocess.Popen[str]":
        command = [sys.executable, "-I", SCRIPT.name, self.dataset.location, self.dataset.slug, "telltale"]
        return subprocess.Popen(
            command, cwd=self.folder, env=self.environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )

    def run(self) -> tuple[int, str]:
        process = self.start()
        said, _ = process.communicate(timeout=120)
        return process.returncode, said


@pytest.fixture
def desk(points: Dataset, trainer: Partner, house: Stack, tmp_path: Path) -> Desk:
    return Desk(tmp_path / "desk", house.base, token_of(trainer, "training:read training:write"), points)


def test_it_imports_nothing_of_ours_and_the_page_shows_it_as_it_is() -> None:
    source = SCRIPT.read_text()
    imported = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            imported |= {one.name.partition(".")[0] for one in node.names}
        if isinstance(node, ast.ImportFrom):
            imported.add(str(node.module).partition(".")[0])
    assert imported <= sys.stdlib_module_names | {"cryptography", "numpy", "pyarrow", "requests"}
    gate = source.split("# ---")[1].partition("\n")[2].strip()
    assert len(gate.splitlines()) <= 10
    assert gate in PAGE.read_text()


def test_it_trains_and_the_model_knows_what_it_learned_from(desk: Desk, points: Dataset, alice: Subject) -> None:
    code, said = desk.run()
    assert code == 0, said
    assert f"trained on {ROWS} rows of points v1" in said
    assert (desk.folder / "telltale.npy").exists()
    run = TrainingRun.objects.get()
    assert run.artefact_digest in said
    # and who says no afterwards is counted for it
    say(alice, Action.DENY, at=clock.now())
    caught_up(points, at=clock.now())
    (model,) = exposures.counted(TrainedModel.objects.all())
    assert exposures.standing(model, at=clock.now()).exposed == 1
    assert f"trained on {ROWS - ROWS // 10} rows of points v2" in desk.run()[1]


def test_it_does_not_train_where_it_may_not(desk: Desk, points: Dataset) -> None:
    holds.open(scope=holds.HoldScope(), reason="ICO", by=BY, at=clock.now())
    sequenced()
    code, said = desk.run()
    assert (code, said.count("refused: points")) == (3, 1), said
    assert "hold_on_everything" in said
    assert not (desk.folder / "telltale.npy").exists()
    assert PermitRefusal.objects.get().partner == "trainer"


def test_it_stops_when_a_pause_is_opened_meanwhile(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    source = (desk.folder / SCRIPT.name).read_text()
    slow = source.replace("    for _ in range(50):", "    time.sleep(0.5)\n    for _ in range(50):")
    assert slow != source
    (desk.folder / SCRIPT.name).write_text(slow)
    process = desk.start()
    wait_for(Permit.objects.exists, within=60, what="a permit")
    holds.open(scope=holds.HoldScope(jurisdictions=["GB"]), reason="ICO", by=BY, at=clock.now())
    said, _ = process.communicate(timeout=60)
    assert (process.returncode, "stopped" in said) == (3, True), said
    assert not (desk.folder / "telltale.npy").exists()
    assert TrainingRun.objects.get().finished_at is None


def test_it_trusts_no_key_but_the_houses(desk: Desk) -> None:
    published = json.loads((desk.folder / "jwks.json").read_text())
    stranger: dict[str, Any] = {**published["keys"][0], "x": "A" * 43}
    (desk.folder / "jwks.json").write_text(json.dumps({"keys": [stranger]}))
    code, said = desk.run()
    assert code not in {0, 3}, said
    assert not (desk.folder / "telltale.npy").exists()
