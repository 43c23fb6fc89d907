"""An object store that breaks half-way through a run: tried again, whole, and nothing is left of it."""

import io
import uuid
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from consents.models import Subject
from consents.vocabulary import Action
from downstream import registry
from downstream.models import Dataset, Propagation
from downstream.propagation_states import Status
from tests.conftest import AT, BY, sequenced, write_parquet
from tests.downstream.acting import LATER, carry_out, planned, removed, run_all, say
from tests.downstream.stores import a_bucket, a_way
from tests.downstream.stores.a_bucket import Bucket
from tests.downstream.stores.a_way import Way

pytestmark = [pytest.mark.fault, pytest.mark.django_db(transaction=True)]

FILES = ("part-0.parquet", "part-1.parquet", "part-2.parquet")
OLD, NEW = ["m_alice", "m_bob", "m_alice"], ["m_bob"]


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    with a_bucket.server() as address:
        yield address


@pytest.fixture
def way(endpoint: str) -> Iterator[Way]:
    with a_way.to(endpoint) as way:
        yield way


@pytest.fixture
def bucket(endpoint: str, tmp_path: Path) -> Bucket:
    """Alice is in each of its files."""
    made = Bucket(endpoint, f"heed-{uuid.uuid4().hex}")
    for name in FILES:
        path = write_parquet(tmp_path / "made", {"author": list(OLD)}, name=name) / name
        made.put(f"posts/{name}", path.read_bytes())
    return made


@pytest.fixture
def run(bucket: Bucket, way: Way, alice: Subject) -> Propagation:
    registration = registry.Registration(
        slug="objects",
        name="Objects",
        owner="linkwell",
        purposes=("ai-training",),
        location=f"s3://{bucket.name}/posts",
        key_column="author",
        key_scheme="account",
        connector_options={"endpoint": way.address},
    )
    registry.register(registration=registration, by=BY, at=AT)
    sequenced()
    run_all()
    say(alice, Action.DENY)
    return planned()


def contents(bucket: Bucket) -> list[list[str]]:
    return [pq.read_table(io.BytesIO(bucket.get(f"posts/{name}")))["author"].to_pylist() for name in FILES]


@pytest.mark.parametrize("how", ["error", "reset", "lost"])
def test_it_breaks_when_the_second_of_three_files_is_put(
    bucket: Bucket, way: Way, run: Propagation, alice: Subject, how: str
) -> None:
    """From there on it answers nothing; `lost` is a put that was carried out, of which we are never told."""
    puts: list[str] = []

    def trouble(method: str, path: str) -> str:
        if method == "PUT" and path.partition("?")[0].endswith(FILES):
            puts.append(path)
        if len(puts) < 2:
            return ""
        return how if how != "lost" or len(puts) == 2 else "reset"

    way.trouble = trouble
    assert not carry_out(run)
    run.refresh_from_db()
    assert (run.status, run.reason_code) == (Status.FAILED, "store_away")
    assert "tried again" in run.reason
    assert run.next_try_at > LATER
    assert sorted(map(tuple, contents(bucket))).count(tuple(NEW)) == (2 if how == "lost" else 1)
    assert all(one in (OLD, NEW) for one in contents(bucket))

    way.trouble = lambda method, path: ""
    assert run_all(at=LATER + timedelta(minutes=1)) == [True]
    assert contents(bucket) == [NEW] * 3
    assert removed(alice) == [6]
    assert sorted(bucket.listed()) == [f"posts/{name}" for name in FILES]
    assert Dataset.objects.get(slug="objects").row_count == 3


def test_a_put_whose_answer_is_lost_once_is_counted_once(
    bucket: Bucket, way: Way, run: Propagation, alice: Subject
) -> None:
    """It is sent again and refused, because the object is another by now: our own."""
    lost: list[str] = []

    def trouble(method: str, path: str) -> str:
        if method == "PUT" and path.partition("?")[0].endswith(FILES) and not lost:
            lost.append(path)
            return "lost"
        return ""

    way.trouble = trouble
    if not carry_out(run):
        assert run_all(at=LATER + timedelta(minutes=1)) == [True]
    assert lost
    assert contents(bucket) == [NEW] * 3
    assert removed(alice) == [6]
    assert sorted(bucket.listed()) == [f"posts/{name}" for name in FILES]


def test_it_breaks_while_files_are_brought_here(bucket: Bucket, way: Way, run: Propagation, alice: Subject) -> None:
    way.trouble = lambda method, path: "reset" if method == "GET" and FILES[1] in path else ""
    assert not carry_out(run)
    run.refresh_from_db()
    assert (run.status, run.reason_code) == (Status.FAILED, "store_away")
    assert FILES[1] in run.reason
    way.trouble = lambda method, path: ""
    assert run_all(at=LATER + timedelta(minutes=1)) == [True]
    assert contents(bucket) == [NEW] * 3
    assert removed(alice) == [6]
