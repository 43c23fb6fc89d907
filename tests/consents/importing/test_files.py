"""A file from beginning to end: taken over once, in chunks, going on where it was left."""

import gzip
import json
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from django.db import connection, connections
from django.test.utils import CaptureQueriesContext

from consents.importing import files, journal
from consents.importing.files import Course
from consents.importing.rows import InputRefused
from consents.models import ChoiceImport, ImportRejection, LedgerEvent, Preference, Subject
from portal.errors import Conflict
from portal.models import AuditEntry
from tests.conftest import person
from tests.consents.sending import HEAD, SENDER, UTC_NOON, imported, rejections, ticking, written

NAMES = ["alice", "bert", "carla", "dora"]


@pytest.fixture
def people(world: None) -> list[Subject]:
    return [person(name) for name in NAMES]


def lines() -> list[str]:
    """Eight choices of four people, with three rows in between that are refused."""
    good = [f"account,m_{name},{purpose},deny,{UTC_NOON}" for purpose in ("ai-training", "marketing") for name in NAMES]
    bad = [f"account,m_nobody,ai-training,deny,{UTC_NOON}", "account,m_alice", f"account,m_alice,no,deny,{UTC_NOON}"]
    return [*good[:2], bad[0], *good[2:6], bad[1], bad[2], *good[6:]]


REFUSED = [(4, "unknown_subject"), (9, "wrong_length"), (10, "unknown_purpose")]


def counts(one: ChoiceImport) -> tuple[int, int, int]:
    return one.accepted, one.repeated, one.rejected


def said() -> int:
    return LedgerEvent.objects.filter(kind="choice").count()


@pytest.mark.parametrize("chunk", [1, 3, 100])
def test_every_row_is_recorded_or_refused_by_its_line(people: list[Subject], tmp_path: Path, chunk: int) -> None:
    one = imported(written(tmp_path, lines()), chunk=chunk)
    assert (counts(one), one.state, one.percent, one.rows_done) == ((8, 0, 3), "done", 100, 11)
    assert rejections(one) == REFUSED
    assert (said(), Preference.objects.count()) == (8, 8)
    assert {event.actor for event in LedgerEvent.objects.filter(kind="choice")} == {SENDER}


def test_each_chunk_has_its_own_time_and_its_own_entry(people: list[Subject], tmp_path: Path) -> None:
    one = imported(written(tmp_path, lines()), chunk=4)
    times = set(LedgerEvent.objects.filter(kind="choice").values_list("recorded_at", flat=True))
    actions = list(AuditEntry.objects.filter(object_id=str(one.pk)).order_by("pk").values_list("action", flat=True))
    assert len(times) == 3
    assert actions == ["import.begin", *["choices.import"] * 3, "import.finish"]


def test_the_same_file_again_was_done_already(people: list[Subject], tmp_path: Path) -> None:
    first = imported(written(tmp_path, lines()))
    second = imported(written(tmp_path, lines(), name="copy.csv"))
    assert (second.pk, counts(second), said()) == (first.pk, (8, 0, 3), 8)


def test_read_anew_it_takes_only_what_can_be_taken_by_now(people: list[Subject], tmp_path: Path) -> None:
    path = written(tmp_path, lines())
    imported(path)
    person("nobody")
    again = imported(path, again=True)
    assert (counts(again), rejections(again)) == ((1, 8, 2), REFUSED[1:])


def test_a_file_with_more_in_it_repeats_nothing(people: list[Subject], tmp_path: Path) -> None:
    imported(written(tmp_path, lines()))
    more = imported(written(tmp_path, [*lines(), f"account,m_dora,ai-training,grant,{UTC_NOON}"]))
    assert (counts(more), said()) == ((1, 8, 3), 9)


def ndjson(folder: Path) -> Path:
    rows = [dict(zip(HEAD.split(","), line.split(","), strict=False)) for line in lines()]
    path = folder / "choices.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def packed(folder: Path) -> Path:
    path = folder / "choices.ndjson.gz"
    path.write_bytes(gzip.compress(ndjson(folder).read_bytes()))
    return path


def parquet(folder: Path) -> Path:
    rows = [(line + ",,,").split(",")[:5] for line in lines()]
    columns = {name: [row[at] or None for row in rows] for at, name in enumerate(HEAD.split(","))}
    pq.write_table(pa.table(columns), folder / "choices.parquet", row_group_size=2)
    return folder / "choices.parquet"


@pytest.mark.parametrize("form", [ndjson, packed, parquet])
def test_every_format_says_the_same(people: list[Subject], tmp_path: Path, form: Callable[[Path], Path]) -> None:
    one = imported(form(tmp_path))
    assert (counts(one), one.percent) == ((8, 0, 3), 100)
    # no header, so that lines are counted from 1
    assert rejections(one) == [(3, "unknown_subject"), (8, "required"), (9, "unknown_purpose")]


@pytest.mark.parametrize("form", [ndjson, packed, parquet, lambda folder: written(folder, lines())])
@pytest.mark.parametrize("after", [1, 2, 3])
def test_a_run_that_broke_off_is_taken_up(
    people: list[Subject], tmp_path: Path, form: Callable[[Path], Path], after: int
) -> None:
    path, told = form(tmp_path), []

    def tell(one: ChoiceImport) -> None:
        told.append(one.rows_done)
        if len(told) == after:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        files.load(path=path, course=Course(by=SENDER, clock=ticking(), size=3, tell=tell))
    assert ChoiceImport.objects.get().rows_done == 3 * after
    # also with chunks of another size
    one = imported(path, chunk=2)
    assert (counts(one), len(rejections(one)), said(), ChoiceImport.objects.count()) == ((8, 0, 3), 3, 8, 1)


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"", "empty"),
        (b"scheme,value\n", "wrong_columns"),
        (f"{HEAD}\n{lines()[0]}\n".encode() + b"account,m_\xff\n", "not_utf8"),
    ],
)
def test_a_file_that_cannot_be_read_on_is_refused_and_says_so_to_staff(
    people: list[Subject], tmp_path: Path, content: bytes, code: str
) -> None:
    path = tmp_path / "broken.csv"
    path.write_bytes(content)
    with pytest.raises(InputRefused) as refusal:
        imported(path)
    one = ChoiceImport.objects.get()
    assert (refusal.value.code, one.state, one.reason) == (code, "stopped", refusal.value.message)
    assert one.accepted == said() == (1 if code == "not_utf8" else 0)


def test_a_header_alone_is_done_at_once(world: None, tmp_path: Path) -> None:
    one = imported(written(tmp_path, []))
    assert (one.state, one.rows_done) == ("done", 0)


@pytest.mark.parametrize("name", ["choices.txt", "choices", "choices.gz"])
def test_a_format_that_the_name_does_not_tell_must_be_stated(people: list[Subject], tmp_path: Path, name: str) -> None:
    path = written(tmp_path, lines(), name=name)
    with pytest.raises(InputRefused, match="State the format"):
        imported(path)
    assert imported(path, form="csv").accepted == 8


def test_a_file_that_is_not_there_is_refused(world: None, tmp_path: Path) -> None:
    with pytest.raises(InputRefused, match=r"nothing\.csv cannot be read"):
        imported(tmp_path / "nothing.csv")


def test_a_file_that_changes_meanwhile_is_not_read_on(people: list[Subject], tmp_path: Path) -> None:
    path = written(tmp_path, lines())

    def tell(one: ChoiceImport) -> None:
        with path.open("a") as file:
            file.write(f"account,m_alice,marketing,grant,{UTC_NOON}\n")

    with pytest.raises(InputRefused, match="was changed"):
        files.load(path=path, course=Course(by=SENDER, clock=ticking(), size=3, tell=tell))
    assert ChoiceImport.objects.get().rows_done == 3


@pytest.mark.django_db(transaction=True)
def test_two_at_once_on_the_same_file_are_refused(people: list[Subject], tmp_path: Path) -> None:
    path = written(tmp_path, lines())
    other = connections.create_connection("default")
    mine = connections["default"]
    try:
        with path.open("rb") as file:
            fingerprint = files._fingerprints(file)[0]
        connections["default"] = other
        with journal.alone(fingerprint):
            connections["default"] = mine
            with pytest.raises(Conflict) as refusal:
                imported(path)
            connections["default"] = other
    finally:
        connections["default"] = mine
        other.close()
    assert refusal.value.code == "import_under_way"
    assert imported(path).accepted == 8


def test_memory_does_not_grow_with_the_file(world: None, tmp_path: Path) -> None:
    peaks = []
    for rows in (2_000, 20_000):
        many = (f"account,m_{number},no,deny,{UTC_NOON}" for number in range(rows))
        path = written(tmp_path, many)
        tracemalloc.start()
        try:
            assert imported(path, chunk=500).rejected == rows
            peaks.append(tracemalloc.get_traced_memory()[1])
        finally:
            tracemalloc.stop()
    assert peaks[1] < peaks[0] * 1.5


def test_statements_do_not_grow_with_the_rows(people: list[Subject], tmp_path: Path) -> None:
    def statements(rows: int) -> int:
        times = (f"account,m_alice,marketing,deny,2026-01-01T00:00:00.{number:06d}Z" for number in range(rows))
        with CaptureQueriesContext(connection) as ran:
            assert imported(written(tmp_path, times), chunk=1_000).rows_done == rows
        return len(ran)

    assert statements(10) == statements(500)


def test_a_rejection_quotes_nothing_of_its_line(people: list[Subject], tmp_path: Path) -> None:
    secret = "zaphod9"
    values = ["account", f"m_{secret}", "marketing", "deny", UTC_NOON]
    wrong = [",".join(secret if at == place else value for at, value in enumerate(values)) for place in range(5)]
    one = imported(written(tmp_path, [*wrong, f"account,{secret}"]))
    assert one.rejected == 6
    assert not [text for text in ImportRejection.objects.values_list("message", flat=True) if secret in text]
