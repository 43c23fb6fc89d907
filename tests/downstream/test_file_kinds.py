"""A no reaches datasets of every kind of files: by receipt, with proof, and with all else as it was."""

import gzip
import json
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pytest
import zstandard

from consents.models import Subject
from consents.vocabulary import Action
from downstream import propagation, registry, statements
from downstream.models import Dataset, Propagation
from downstream.propagation_states import Status
from tests.conftest import AT, BY
from tests.downstream.acting import LATER, leftovers, planned, removed, run_all, say
from tests.downstream.connectors.file_grounds import as_json, save, stream_of
from tests.downstream.engines.test_webdataset import shard

pytestmark = pytest.mark.django_db(transaction=True)

FIRST = pa.table({"author": ["m_alice", "m_bob", None, "m_alice"], "says": ["train-ai=n"] * 2 + [None] * 2})
SECOND = pa.table({"author": ["m_charlie", "m_bob"], "says": [None, "train-ai=y"]})


def lines(table: pa.Table) -> bytes:
    return "".join(f"{line}\n" for line in as_json(table)).encode()


def records(table: pa.Table) -> bytes:
    rows = [f'{row["author"] or ""},"{row["says"] or ""}"\r\n' for row in table.to_pylist()]
    return ("author,says\r\n" + "".join(rows)).encode()


def samples(table: pa.Table) -> bytes:
    numbered = enumerate(as_json(table))
    return shard(one for n, line in numbered for one in ((f"{n}.json", line.encode()), (f"{n}.jpg", b"j")))


WRITERS: dict[tuple[str, str], Callable[[pa.Table], bytes]] = {
    ("jsonl_folder", ".jsonl"): lines,
    ("jsonl_folder", ".jsonl.gz"): lambda table: gzip.compress(lines(table)),
    ("jsonl_folder", ".jsonl.zst"): lambda table: zstandard.compress(lines(table)),
    ("csv_folder", ".csv"): records,
    ("webdataset", ".tar"): samples,
    ("hf_dataset", ".arrow"): stream_of,
}


def posts(folder: Path, kind: str, suffix: str) -> Dataset:
    """Two files, registered."""
    folder.mkdir()
    for number, table in enumerate((FIRST, SECOND)):
        (folder / f"{number}{suffix}").write_bytes(WRITERS[kind, suffix](table))
    if kind == "hf_dataset":
        save(folder, ["0.arrow", "1.arrow"], split="train")
    registration = registry.Registration(
        slug="posts", name="Posts", owner="linkwell", purposes=("ai-training",), location=str(folder), kind=kind,
        key_column="author", key_scheme="account", content_usage_column="says",
    )  # fmt: skip
    return registry.register(registration=registration, by=BY, at=AT)


def people(dataset: Dataset) -> int:
    return registry.connect(dataset).manifest().rows


@pytest.mark.parametrize(("kind", "suffix"), WRITERS)
def test_an_opt_out_ends_with_verified_receipts(alice: Subject, tmp_path: Path, kind: str, suffix: str) -> None:
    dataset = posts(tmp_path / "posts", kind, suffix)
    run_all()
    untouched = (tmp_path / f"posts/1{suffix}").read_bytes()
    head = say(alice, Action.DENY)
    assert run_all() == [True]
    dataset.refresh_from_db()
    assert (dataset.position, dataset.row_count, dataset.file_count) == (head, 4, 2)
    assert removed(alice)[-1] == 2
    assert registry.connect(dataset).verify({"m_alice"}).rows_found == 0
    left = FIRST.filter(pa.array([False, True, True, False]))
    if kind != "hf_dataset" and ".gz" not in suffix and ".zst" not in suffix and kind != "webdataset":
        assert (tmp_path / f"posts/0{suffix}").read_bytes() == WRITERS[kind, suffix](left)
    assert (tmp_path / f"posts/1{suffix}").read_bytes() == untouched
    assert leftovers(dataset) == []


@pytest.mark.parametrize(("kind", "suffix"), WRITERS)
def test_what_rows_say_themselves_is_counted(world: None, tmp_path: Path, kind: str, suffix: str) -> None:
    dataset = posts(tmp_path / "posts", kind, suffix)
    told = registry.connect(dataset).statements({"m_alice"})
    counts: dict[str | None, tuple[int, int]] = {}
    for one in told:
        rows, of_keys = counts.get(one.content_usage, (0, 0))
        counts[one.content_usage] = rows + one.rows, of_keys + one.of_keys
    assert counts == {"train-ai=n": (2, 1), "train-ai=y": (1, 0), None: (3, 1)}
    statements.refresh(dataset=dataset, at=LATER)


def test_a_damaged_file_stops_the_run_with_its_name_and_the_good_ones_are_clean(alice: Subject, tmp_path: Path) -> None:
    posts(tmp_path / "posts", "jsonl_folder", ".jsonl.gz")
    run_all()
    whole = (tmp_path / "posts/1.jsonl.gz").read_bytes()
    (tmp_path / "posts/1.jsonl.gz").write_bytes(whole[:-4])
    say(alice, Action.DENY)
    run = planned()
    propagation.hand_over(at=LATER)
    assert not propagation.carry_out(propagation_id=run.pk, holder="test", clock=lambda: LATER)
    run = Propagation.objects.get(pk=run.pk)
    assert (run.status, run.reason_code) == (Status.STOPPED, "dataset_unreadable")
    assert "1.jsonl.gz" in run.reason
    assert b"m_alice" not in gzip.decompress((tmp_path / "posts/0.jsonl.gz").read_bytes())
    (tmp_path / "posts/1.jsonl.gz").write_bytes(whole)
    propagation.retry_now(propagation=run, by=BY, at=LATER)
    assert run_all() == [True]
    assert removed(alice)[-1] == 2


def test_no_message_quotes_what_a_file_says(alice: Subject, tmp_path: Path) -> None:
    posts(tmp_path / "posts", "jsonl_folder", ".jsonl")
    broken = tmp_path / "posts/0.jsonl"
    broken.write_bytes(broken.read_bytes() + b'{"author": m_alice\n')
    say(alice, Action.DENY)
    assert run_all() == [False]
    run = Propagation.objects.get()
    assert "line 5" in run.reason
    assert "m_alice" not in json.dumps([run.reason, run.reason_code])
