"""The client that partners run: it removes exactly the rows, survives being killed, and says the true counts."""

import importlib.util
import os
import signal
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pytest_django.live_server_helper import LiveServer

from consents.models import Partner, Subject
from consents.vocabulary import Action
from downstream import journeys
from downstream.models import Dataset, Propagation, RemovalReceipt
from tests.conftest import write_parquet
from tests.downstream.acting import LATER, carry_out, planned, say
from tests.downstream.copies import copy_at, up_to_date

pytestmark = pytest.mark.usefixtures("own_cache")
CLIENTS = Path(__file__).parents[2] / "clients" / "python"


ROWS: dict[str, list[Any]] = {
    "author": ["m_alice", "m_charlie", "m_alice", "m_nobody", None, "m_alice"],
    "text": ["a", "c", "b", "n", "x", "d"],
}


def _loaded(name: str) -> Any:
    spec = importlib.util.spec_from_file_location(name, CLIENTS / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    sys.modules[name] = module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


client, job = _loaded("heed_client"), _loaded("parquet_copy")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    place = write_parquet(tmp_path / "copy", ROWS)
    write_parquet(place, {"author": ["m_charlie"], "text": ["e"]}, name="part-1.parquet")
    write_parquet(place, {"author": ["m_alice"], "text": ["f"]}, name="part-2.parquet")
    return place


def rows(folder: Path) -> list[tuple[Any, Any]]:
    tables = [pq.read_table(path) for path in sorted(folder.glob("*.parquet"))]
    found = pa.concat_tables(tables).to_pylist()
    return [(row["author"], row["text"]) for row in found]


def opened(folder: Path, **how: str) -> Any:
    return job.ParquetCopy(folder, key_column="author", **how)


def test_exactly_the_rows_of_the_keys_go(folder: Path) -> None:
    untouched = (folder / "part-1.parquet").read_bytes()
    before = opened(folder).digest()
    removal = opened(folder).remove("r1", {"m_alice": [], "m_zoe": []})
    assert rows(folder) == [("m_charlie", "c"), ("m_nobody", "n"), (None, "x"), ("m_charlie", "e")]
    assert (removal.keys, removal.rows_after) == ({"m_alice": 4, "m_zoe": 0}, 4)
    assert (removal.digest_before, removal.digest_after) == (before, opened(folder).digest())
    assert (folder / "part-1.parquet").read_bytes() == untouched
    assert pq.read_metadata(folder / "part-0.parquet").num_row_groups == 2


def test_a_second_time_says_the_same(folder: Path) -> None:
    first = opened(folder).remove("r1", {"m_alice": []})
    second = opened(folder).remove("r1", {"m_alice": []})
    assert (first.keys, first.digest_before) == (second.keys, second.digest_before)
    opened(folder).forget("r1")
    assert sorted(path.name for path in folder.iterdir()) == ["part-0.parquet", "part-1.parquet", "part-2.parquet"]


@pytest.mark.parametrize("at", ["write", "replace"])
def test_whoever_is_killed_begins_again_with_true_counts(folder: Path, at: str) -> None:
    killing = f"""
import os, runpy, signal, sys
from pathlib import Path
sys.path.insert(0, {str(CLIENTS)!r})
names = runpy.run_path({str(CLIENTS / "parquet_copy.py")!r}, run_name="parquet_copy")
die = lambda *_, **__: os.kill(os.getpid(), signal.SIGKILL)
if {at!r} == "write":
    names["_Journal"].write = die
else:
    real = Path.replace
    Path.replace = lambda self, to: die() if str(to).endswith("part-2.parquet") else real(self, to)
names["ParquetCopy"](Path({str(folder)!r}), key_column="author").remove("r1", {{"m_alice": []}})
"""
    died = subprocess.run([sys.executable, "-c", killing], env=dict(os.environ), check=False, timeout=60)
    assert died.returncode == -signal.SIGKILL
    removal = opened(folder).remove("r1", {"m_alice": []})
    assert (removal.keys, removal.rows_after) == ({"m_alice": 4}, 4)
    assert not list(folder.glob(".heed-*.parquet"))


def test_only_rows_of_the_span_go_and_those_without_a_time(tmp_path: Path) -> None:
    moments = [datetime(2026, month, 1, tzinfo=UTC) for month in (1, 2, 3)]
    table = pa.table({"author": ["m_alice"] * 4, "n": [1, 2, 3, 4], "made": [*moments, None]})
    (tmp_path / "copy").mkdir()
    pq.write_table(table, tmp_path / "copy" / "a.parquet")
    copied = opened(tmp_path / "copy", created_column="made")
    removal = copied.remove("r1", {"m_alice": [(moments[1], moments[2])]})
    assert pq.read_table(tmp_path / "copy" / "a.parquet").column("n").to_pylist() == [1, 3]
    assert removal.keys == {"m_alice": 2}
    with pytest.raises(job.CannotRemove):
        opened(tmp_path / "copy").remove("r2", {"m_alice": [(moments[0], None)]})


@pytest.fixture
def copy(transactional_db: None, northlight: Partner, alice: Subject, charlie: Subject) -> Dataset:
    """Northlight's copy, up to date."""
    return up_to_date(copy_at(northlight))


@pytest.fixture
def heed(copy: Dataset, northlight: Partner, live_server: LiveServer) -> Any:
    with client.Heed(live_server.url, "northlight", "only-for-tests") as opened_heed:
        yield opened_heed


def test_a_copy_is_brought_up_to_date(heed: Any, copy: Dataset, alice: Subject, folder: Path) -> None:
    position = say(alice, Action.DENY)
    run = planned()
    carry_out(run)
    assert job.work(heed, {"copy": folder}) == 1
    assert "m_alice" not in [author for author, _ in rows(folder)]
    run.refresh_from_db()
    assert (run.status, run.rows_after) == ("verified", 4)
    assert RemovalReceipt.objects.get().rows_removed == 4
    (stop,) = journeys.stops(subject_id=alice.pk, purpose="ai-training", position=position, at=LATER)
    assert (stop.state, stop.rows_removed) == (journeys.TOLD_REMOVED, 4)
    assert job.work(heed, {"copy": folder}) == 0


def test_a_copy_that_cannot_be_worked_on_says_why(heed: Any, copy: Dataset, alice: Subject, tmp_path: Path) -> None:
    say(alice, Action.DENY)
    run = planned()
    carry_out(run)
    other = write_parquet(tmp_path / "other", {"writer": ["m_alice"]})
    assert job.work(heed, {"copy": other}) == 0
    run.refresh_from_db()
    assert (run.status, run.reason_code) == ("stopped", "holder_failed")
    assert "no column author" in run.reason
    with pytest.raises(client.HeedError) as caught:
        heed.keys(str(run.pk))
    assert (caught.value.status, caught.value.code) == (409, "not_awaiting")
    assert Propagation.objects.get().pk == run.pk


def test_a_run_of_more_people_than_counts_are_taken_of_is_acknowledged(
    heed: Any, copy: Dataset, alice: Subject, monkeypatch: pytest.MonkeyPatch
) -> None:
    say(alice, Action.DENY)
    run = planned()
    carry_out(run)
    assert set(heed.keys(str(run.pk))) == {"m_alice"}
    (waiting,) = heed.awaiting()

    def removal(**keys: int) -> Any:
        digest = "a" * 64, "b" * 64
        return client.Removal(keys, 4, *digest, datetime.fromisoformat(LATER.isoformat()))

    sent: list[dict[str, Any]] = []
    honest = client.Heed._call

    def call(self: Any, method: str, path: str, **how: Any) -> Any:
        sent.append(how["json"])
        return honest(self, method, path, **how)

    monkeypatch.setattr(client.Heed, "_call", call)
    many = {f"m_{number}": 1 for number in range(50_001)}
    # the sums alone are believed of so many
    assert heed.acknowledge(waiting, removal(**many))["state"] == "verified"
    nobodys = {f"m_{number}": 0 for number in range(50_001)}
    with pytest.raises(client.HeedError):
        heed.acknowledge(waiting, removal(m_alice=4, **nobodys))
    long = {f"m_{number:0200}": 1 for number in range(12_000)}
    with pytest.raises(client.HeedError):
        heed.acknowledge(waiting, removal(**long))
    assert [one.get("keys") for one in sent] == [
        None,
        [{"key": "m_alice", "rows_found": 4, "rows_removed": 4}],
        None,
    ]


def test_a_run_that_is_refused_keeps_no_other_copy_waiting(
    heed: Any, copy: Dataset, alice: Subject, folder: Path
) -> None:
    say(alice, Action.DENY)
    run = planned()
    carry_out(run)
    with pytest.raises(client.HeedError):
        job.work(heed, {"no slug": folder, "copy": folder})
    run.refresh_from_db()
    assert run.status == "verified"


class TestAsking:
    @pytest.fixture
    def desk(self, transactional_db: None, alice: Subject, acme: Partner, live_server: LiveServer) -> Any:
        with client.Heed(live_server.url, "acme", "only-for-tests", scope=client.VOUCHING) as opened_heed:
            yield opened_heed

    def test_a_front_end_sends_follows_and_takes_back(self, desk: Any) -> None:
        sent = desk.send("account", "m_alice", ["access", "erasure"], key="k1", verified=True, note="All of it.")
        again = desk.send("account", "m_alice", ["access", "erasure"], key="k1", verified=True, note="All of it.")
        assert sent == again
        reference = sent[0]["reference"]
        desk.write(reference, "How long?", key="m1")
        assert [one["body"] for one in desk.messages(reference)] == ["How long?"]
        assert desk.request(reference)["clock"]["arithmetic"]
        assert desk.withdraw(reference)["status"] == "withdrawn"
        assert [one["right"] for one in desk.sent(open="true")] == ["erasure"]
        with pytest.raises(client.HeedError) as caught:
            list(desk.package(reference))
        assert caught.value.status == 409

    def test_several_corrections_are_sent_in_one_go(self, desk: Any) -> None:
        wrong = [("name", "Alicia", "Alice"), ("town", "Bonn", "Köln")]
        sent = desk.correct("account", "m_alice", wrong, key="k", verified=True)
        assert (sent["right"], sent["status"]) == ("rectification", "received")
        with pytest.raises(client.HeedError) as caught:
            desk.correct("account", "m_alice", [*wrong, wrong[0]], key="k2", verified=True)
        assert caught.value.code == "correction_twice"

    def test_pages_are_followed(self, desk: Any) -> None:
        for number in range(27):
            desk.send("account", "m_alice", ["automated_decision"], key=str(number), verified=True)
        assert len({one["reference"] for one in desk.sent()}) == 27

    def test_who_does_not_vouch_is_told_so(self, desk: Any, live_server: LiveServer) -> None:
        with client.Heed(live_server.url, "acme", "only-for-tests", scope=client.ASKING) as plain:
            (sent,) = plain.send("account", "m_alice", ["access"], key="k", verified=True)
            assert sent["status"] == "verifying"
            with pytest.raises(client.HeedError) as caught:
                plain.messages(sent["reference"])
        assert (caught.value.status, caught.value.code) == (403, "not_vouching")
