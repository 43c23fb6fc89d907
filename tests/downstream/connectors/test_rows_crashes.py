"""Killed at any step, a table is old or new, the next run knows which, and nothing is left behind."""

import json
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from downstream.connectors import open_connector
from downstream.connectors.base import StagedUnit
from tests.downstream.connectors.contract import POSTS, Ground, remove, unfenced
from tests.downstream.connectors.databases import PostgresGround, SqliteGround, postgres
from tests.downstream.connectors.lance_grounds import LanceGround
from tests.downstream.connectors.running_rows import KEYS, run

pytestmark = pytest.mark.fault

UNSTAGED = ["stage.before_write", "stage.after_write"]
STAGED = ["stage.after_fsync", "commit.before_rename"]
COMMITTED = ["commit.after_rename", "commit.after_dirsync"]
STAYING = ["m_bob", None, "m_charlie"]


@pytest.fixture(params=["postgres", "sqlite", "lance"])
def ground(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[Ground, list[Any]]]:
    """A table, and what opens the connector to it."""
    if request.param == "postgres":
        with postgres() as database:
            yield PostgresGround(database), ["sql_table", database.url, "person", {"table": "a", "lock_seconds": 10}]
    elif request.param == "sqlite":
        file = tmp_path / "posts.db"
        file.touch()
        yield SqliteGround(file), ["sql_table", f"sqlite:///{file}", "person", {"table": "a"}]
    else:
        lance = LanceGround(tmp_path)
        yield lance, ["lance_table", str(lance.path), "person", {}]


def people(ground: Ground) -> list[str | None]:
    return [row["person"] for row in ground.read()["a"]]


@pytest.mark.parametrize("point", [*UNSTAGED, *STAGED, *COMMITTED])
def test_killed_at_any_step_the_next_run_ends_it(ground: tuple[Ground, list[Any]], tmp_path: Path, point: str) -> None:
    table, place = ground
    table.put("a", POSTS)
    record = tmp_path / "staged.json"
    done = run(place, record, HEED_FAULTS_ALLOWED="1", HEED_FAULT_POINT=point)
    assert done.returncode == -signal.SIGKILL, done.stderr
    assert people(table) == (STAYING if point in COMMITTED else POSTS["person"].to_pylist())
    connector = open_connector(*place)
    assert len(connector.sweep()) == (point in STAGED or (place[0] == "lance_table" and point in COMMITTED))
    assert table.leftovers() == []
    if record.exists():
        staged = StagedUnit(**json.loads(record.read_text()))
        assert (connector.unit_state(staged) == "new") == (point in COMMITTED)
        if point in COMMITTED:
            connector.commit(staged, fence=unfenced)
    assert len(remove(connector, KEYS)) == (point not in COMMITTED)
    assert people(table) == STAYING
    assert connector.verify(KEYS).rows_found == 0
    assert table.leftovers() == []
