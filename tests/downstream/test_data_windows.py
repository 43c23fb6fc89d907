"""Holds over a span of data: just those rows go, and where that cannot be told it is seen."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pytest

from consents import holds, sequencer
from consents.holds import HoldScope
from consents.models import Hold, Subject
from consents.vocabulary import Action
from downstream import leaving, propagation, registry
from downstream.connectors.base import ConnectorError, Span
from downstream.models import Dataset, Propagation, RemovalReceipt, Target
from downstream.propagation_states import Status
from portal.errors import Conflict, DomainError
from portal.models import AuditEntry
from tests.conftest import AT, BY, OTHER, person, sequenced, write_parquet
from tests.consents.asking import ask
from tests.downstream.acting import LATER, removed, run_all, say

pytestmark = pytest.mark.django_db(transaction=True)

MAY, AUGUST = datetime(2024, 5, 7, tzinfo=UTC), datetime(2024, 8, 1, tzinfo=UTC)
MADE = [MAY - timedelta(days=1), MAY, AUGUST - timedelta(days=1), AUGUST, None]
SPAN = [[MAY.isoformat(), AUGUST.isoformat()]]


@pytest.fixture
def people(world: None) -> dict[str, Subject]:
    return {name: person(name, code) for name, code in {"gail": "GB", "glen": "GB-SCT", "una": "US"}.items()}


def rows(folder: Path) -> Path:
    names = ["gail", "glen", "una"]
    authors: list[object] = [f"m_{name}" for name in names for _ in MADE]
    made: list[object] = MADE * len(names)  # type: ignore[assignment]
    numbers: list[object] = list(range(len(MADE))) * len(names)  # type: ignore[assignment]
    columns: dict[str, Any] = {"author": authors, "n": numbers, "made": _times(made)}
    return write_parquet(folder, columns | {"copied": _times([AT] * len(authors))})


def _times(moments: list[object]) -> Any:
    return pa.array(moments, pa.timestamp("us", "UTC"))


def dataset(folder: Path, *, created_column: str = "made", **other: Any) -> Dataset:
    registration = registry.Registration(
        **{"slug": "posts", "name": "Posts", "owner": "linkwell", "purposes": ("ai-training",)} | other,
        location=str(rows(folder)),
        key_column="author",
        key_scheme="account",
        created_column=created_column,
    )
    registered = registry.register(registration=registration, by=BY, at=AT)
    sequenced()
    run_all()
    registered.refresh_from_db()
    return registered


def undertake(*places: str, at: datetime = LATER, span: tuple[Any, Any] = (MAY, AUGUST), **other: Any) -> Hold:
    scope = HoldScope(jurisdictions=list(places), data_from=span[0], data_until=span[1], **other)
    hold = holds.open(scope=scope, reason="An undertaking.", by=BY, at=at)
    sequenced()
    return hold


def kept(found: Dataset) -> dict[str, list[int]]:
    query = "SELECT author, list(n ORDER BY n) FROM read_parquet(?) GROUP BY author"
    return {
        author.removeprefix("m_"): numbers
        for author, numbers in duckdb.execute(query, [f"{found.location}/*.parquet"]).fetchall()
    }


EVERY = [0, 1, 2, 3, 4]
OUTSIDE = [0, 3]


def test_just_the_rows_of_the_span_go_of_just_the_people_in_scope(people: dict[str, Subject], tmp_path: Path) -> None:
    posts = dataset(tmp_path / "posts")
    undertake("GB")
    assert run_all() == [True]
    assert kept(posts) == {"gail": OUTSIDE, "glen": OUTSIDE, "una": EVERY}
    assert ask(people["gail"], at=LATER).allow
    posts.refresh_from_db()
    assert (posts.position, posts.row_count) == (sequencer.head(), 9)


def test_the_receipt_says_that_it_speaks_of_the_span_alone(people: dict[str, Subject], tmp_path: Path) -> None:
    dataset(tmp_path / "posts")
    undertake("GB")
    run_all()
    receipt = RemovalReceipt.objects.get(subject_id=people["gail"].pk)
    assert (receipt.rows_found, receipt.rows_removed, receipt.spans) == (3, 3, SPAN)
    assert not RemovalReceipt.objects.filter(subject_id=people["una"].pk).exists()


def test_a_no_within_the_span_takes_every_row(people: dict[str, Subject], tmp_path: Path) -> None:
    posts = dataset(tmp_path / "posts")
    undertake("GB")
    say(people["gail"], Action.OBJECT)
    assert run_all() == [True]
    assert kept(posts) == {"glen": OUTSIDE, "una": EVERY}
    assert RemovalReceipt.objects.get(subject_id=people["gail"].pk).spans == []


def test_a_no_after_the_span_takes_the_rest(people: dict[str, Subject], tmp_path: Path) -> None:
    posts = dataset(tmp_path / "posts")
    undertake("GB")
    run_all()
    say(people["gail"], Action.OBJECT)
    run_all()
    assert kept(posts) == {"glen": OUTSIDE, "una": EVERY}
    assert removed(people["gail"]) == [3, 2]


def test_lifting_it_gives_nothing_back(people: dict[str, Subject], tmp_path: Path) -> None:
    posts = dataset(tmp_path / "posts")
    hold = undertake("GB")
    run_all()
    holds.ask_to_lift(hold=hold, by=BY, at=LATER)
    holds.lift(hold=hold, by=OTHER, at=LATER)
    sequenced()
    run_all()
    assert kept(posts) == {"gail": OUTSIDE, "glen": OUTSIDE, "una": EVERY}


@pytest.mark.parametrize(
    ("scope", "reaches"),
    [
        ({"purposes": ["ai-training"]}, True),
        ({"purposes": ["marketing"]}, False),
        ({"purposes": ["ai-training/affiliates"]}, False),
        ({"recipients": ["linkwell"]}, True),
        ({"recipients": ["northlight"]}, False),
    ],
)
def test_it_reaches_the_datasets_of_its_purposes_and_recipients(
    people: dict[str, Subject], tmp_path: Path, scope: dict[str, Any], reaches: bool
) -> None:
    posts = dataset(tmp_path / "posts")
    undertake("GB", **scope)
    run_all()
    assert (kept(posts)["gail"] == OUTSIDE) is reaches


def test_two_undertakings_add_up_and_a_lifted_one_counts_no_more(people: dict[str, Subject], tmp_path: Path) -> None:
    posts = dataset(tmp_path / "posts")
    undertake("GB")
    undertake("GB-SCT", span=(AUGUST, None))
    run_all()
    assert kept(posts) == {"gail": OUTSIDE, "glen": [0], "una": EVERY}


def test_a_dataset_taken_in_later_and_a_person_registered_later_are_looked_at(
    people: dict[str, Subject], tmp_path: Path
) -> None:
    undertake("GB")
    posts = dataset(tmp_path / "posts")
    assert kept(posts) == {"gail": OUTSIDE, "glen": OUTSIDE, "una": EVERY}
    write_parquet(
        tmp_path / "posts",
        {"author": ["m_new"] * 2, "n": [0, 1], "made": pa.array(MADE[:2], pa.timestamp("us", "UTC"))},  # type: ignore[dict-item]
        name="part-1.parquet",
    )
    person("new", "GB", at=LATER)
    sequenced()
    run_all()
    assert kept(posts)["new"] == [0]


class TestWhereTheDatasetDoesNotSay:
    @pytest.fixture
    def silent(self, people: dict[str, Subject], tmp_path: Path) -> Dataset:
        found = dataset(tmp_path / "posts", created_column="")
        undertake("GB")
        return found

    def test_it_is_a_gap_and_nothing_is_removed(self, silent: Dataset, people: dict[str, Subject]) -> None:
        assert run_all() == [True]
        assert kept(silent) == {"gail": EVERY, "glen": EVERY, "una": EVERY}
        gaps = Target.objects.gaps()
        assert {(one.subject_id, one.reason_code) for one in gaps} == {
            (people[name].pk, Target.NO_TIME) for name in ("gail", "glen")
        }
        assert not RemovalReceipt.objects.filter(subject_id=people["gail"].pk).exists()
        assert not propagation.arrived(subject_id=people["gail"].pk, position=1)

    def test_a_no_arrives_all_the_same(self, silent: Dataset, people: dict[str, Subject]) -> None:
        say(people["gail"], Action.OBJECT)
        run_all()
        assert kept(silent) == {"glen": EVERY, "una": EVERY}

    def test_once_the_column_is_named_it_is_done_again(self, silent: Dataset, people: dict[str, Subject]) -> None:
        run_all()
        registry.name_created_column(dataset=silent, column="made", by=BY, at=LATER)
        assert run_all() == [True]
        assert kept(silent) == {"gail": OUTSIDE, "glen": OUTSIDE, "una": EVERY}
        assert not Target.objects.gaps().exists()
        assert propagation.arrived(subject_id=people["gail"].pk, position=1)
        assert AuditEntry.objects.get(action="dataset.name_created_column").details == {"was": "", "column": "made"}

    @pytest.mark.parametrize(
        ("column", "code"),
        [("", "column_missing"), ("nothing", "created_column_missing"), ("n", "created_column_unsupported")],
    )
    def test_a_column_that_tells_nothing_is_refused(self, silent: Dataset, column: str, code: str) -> None:
        with pytest.raises(DomainError) as refusal:
            registry.name_created_column(dataset=silent, column=column, by=BY, at=LATER)
        assert refusal.value.code == code
        silent.refresh_from_db()
        assert silent.created_column == ""

    def test_it_is_not_named_under_a_run(self, silent: Dataset) -> None:
        propagation.plan(at=LATER)
        with pytest.raises(Conflict) as refusal:
            registry.name_created_column(dataset=silent, column="made", by=BY, at=LATER)
        assert refusal.value.code == "run_open"


class TestWhereTheColumnWasAnother:
    """The column `copied` says of every row that it was made after the span."""

    def test_once_it_is_corrected_spans_are_carried_out_anew(self, people: dict[str, Subject], tmp_path: Path) -> None:
        posts = dataset(tmp_path / "posts", created_column="copied")
        undertake("GB")
        assert run_all() == [True]
        assert kept(posts)["gail"] == EVERY
        posts.refresh_from_db()
        head = posts.position
        registry.name_created_column(dataset=posts, column="made", by=BY, at=LATER)
        assert run_all() == [True]
        assert kept(posts) == {"gail": OUTSIDE, "glen": OUTSIDE, "una": EVERY}
        posts.refresh_from_db()
        assert posts.position == head

    def test_to_name_the_same_again_does_nothing_again(self, people: dict[str, Subject], tmp_path: Path) -> None:
        posts = dataset(tmp_path / "posts")
        undertake("GB")
        run_all()
        registry.name_created_column(dataset=posts, column="made", by=BY, at=LATER)
        assert run_all() == []

    def test_it_is_corrected_under_a_stopped_run_and_earlier_runs_are_done_again_after_it(
        self, people: dict[str, Subject], tmp_path: Path
    ) -> None:
        posts = dataset(tmp_path / "posts", created_column="copied")
        undertake("GB")
        run_all()
        added: dict[str, Any] = {"author": ["m_una"], "n": [1], "made": _times([MAY])}
        write_parquet(tmp_path / "posts", added, name="part-1.parquet")
        undertake("US")
        assert run_all() == [False]
        registry.name_created_column(dataset=posts, column="made", by=BY, at=LATER)
        propagation.retry_now(propagation=Propagation.objects.open().get(), by=BY, at=LATER)
        assert run_all() == [True]
        assert kept(posts) == {"gail": EVERY, "glen": EVERY, "una": OUTSIDE}
        assert run_all() == [True]
        assert kept(posts) == {"gail": OUTSIDE, "glen": OUTSIDE, "una": OUTSIDE}
        assert run_all() == []


def test_a_file_without_the_column_stops_the_run_and_says_which(people: dict[str, Subject], tmp_path: Path) -> None:
    dataset(tmp_path / "posts")
    write_parquet(tmp_path / "posts", {"author": ["m_gail"], "n": [9]}, name="part-1.parquet")
    undertake("GB")
    assert run_all() == [False]
    run = Propagation.objects.open().get()
    assert (run.status, run.reason_code) == (Status.STOPPED, "created_column_missing")
    assert "part-1.parquet has no column made" in run.reason


def test_a_dataset_is_registered_only_with_a_column_that_it_has(people: dict[str, Subject], tmp_path: Path) -> None:
    with pytest.raises(ConnectorError) as refusal:
        dataset(tmp_path / "posts", created_column="born")
    assert refusal.value.code == "created_column_missing"
    assert not Dataset.objects.exists()


def test_spans_are_stored_and_read_as_they_were() -> None:
    spans = (Span(MAY, AUGUST), Span(None, AUGUST), Span(MAY, None))
    (part,) = leaving.as_spans({"k": leaving.stored(spans), "l": leaving.stored(spans)}).parts
    assert (part.spans, part.keys) == (spans, {"k", "l"})
