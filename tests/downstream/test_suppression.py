"""Suppression lists: the same answers as decisions give, for everybody who has a name, and nobody else."""

import hashlib
import io
import json
import struct
import tracemalloc
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from django.db import connection
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from pyroaring import BitMap64

from consents import amendments, decisions, holds, ledger, subjects
from consents.bulk_decisions import keeping
from consents.evaluation import Question
from consents.models import Identifier, Subject
from consents.subjects import Newcomer
from consents.vocabulary import Action, Kind
from downstream import suppression, suppression_formats
from downstream.suppression import SuppressionError, SuppressionList, Wanted
from tests.conftest import AT, BY, person, sequenced
from tests.downstream.acting import LATER, say

pytestmark = pytest.mark.django_db(transaction=True)

PURPOSES = ["ai-training", "ai-training/affiliates", "marketing"]
NOW = LATER + timedelta(minutes=5)


@pytest.fixture(autouse=True)
def own_snapshots(tmp_path: Path, settings: Any) -> Iterator[None]:
    settings.DATA_DIR = tmp_path
    keeping.let_go()
    yield
    keeping.let_go()


def listed(
    question: Question | None = None, *, within: tuple[str, ...] = (), scheme: str = "account", now: datetime = NOW
) -> SuppressionList:
    return suppression.begin(Wanted(question or Question("ai-training"), scheme, within), now=now)


def keys(*given: SuppressionList) -> list[str]:
    return [key for one in given or (listed(),) for batch in one.batches() for key in batch]


SAID = st.lists(
    st.tuples(
        st.integers(0, 5),
        st.sampled_from(PURPOSES),
        st.sampled_from([Action.DENY, Action.GRANT, Action.WITHDRAW, Action.OBJECT]),
        st.sampled_from(["", "linkwell"]),
    ),
    max_size=8,
)


@given(said=SAID, purpose=st.sampled_from(PURPOSES), recipient=st.sampled_from(["", "linkwell"]))
@hypothesis_settings(
    max_examples=12,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
def test_the_list_and_single_decisions_agree(
    crowd: list[Subject], said: list[tuple[int, str, Action, str]], purpose: str, recipient: str
) -> None:
    crowd_at = LATER
    for number, what, action, whom in said:
        crowd_at += timedelta(seconds=1)
        say(crowd[number], action, what, at=crowd_at, recipient=whom)
    question = Question(purpose, recipient)
    denied = [one for one in crowd if not decisions.decide(subject=one, question=question, at=NOW, now=True).allow]
    assert keys(listed(question)) == sorted(subjects.keys([one.pk for one in denied], scheme="account"))


@pytest.fixture
def crowd(world: None) -> list[Subject]:
    places = ["US", "GB", "DE", "FR", "US-CA", "BR"]
    people = [person(f"p{number}", place, is_minor=number == 5) for number, place in enumerate(places)]
    sequenced()
    return people


def test_each_name_of_a_person_is_listed(alice: Subject) -> None:
    amendments.link(subject=alice, names=[subjects.name("account", "m_alice2")], by=BY, at=AT)
    say(alice, Action.DENY)
    assert keys() == ["m_alice", "m_alice2"]


def test_a_choice_of_a_moment_ago_is_on_the_list(alice: Subject, charlie: Subject) -> None:
    sequenced()
    assert keys() == []
    say(alice, Action.DENY)
    found = listed()
    assert (keys(found), found.position) == (["m_alice"], sequenced())


def test_whose_erasure_is_under_way_is_listed_and_who_was_erased_is_counted(alice: Subject, charlie: Subject) -> None:
    ledger.append(kind=Kind.ERASURE, by=BY, at=LATER, details={}, subject=alice)
    sequenced()
    found = listed()
    assert (keys(found), found.erased_not_listed) == (["m_alice"], 0)
    subjects.forget(subject=alice, by=BY, at=LATER)
    sequenced()
    later = listed()
    assert (keys(later), later.erased_not_listed) == ([], 1)
    assert later.state != found.state


def test_only_people_of_the_askers_places_are_listed(crowd: list[Subject]) -> None:
    for one in crowd:
        say(one, Action.DENY)
    assert keys(listed(within=("EEA", "US"))) == ["m_p0", "m_p2", "m_p3", "m_p4"]


def test_holds_over_a_span_of_data_are_told(alice: Subject) -> None:
    scope = holds.HoldScope(jurisdictions=["US"], data_from=AT - timedelta(days=9))
    hold = holds.open(scope=scope, reason="They asked us to", by=BY, at=LATER)
    sequenced()
    found = listed()
    assert keys(found) == []
    assert [one["hold"] for one in suppression_formats.spans(found)] == [str(hold.pk)]


def test_addresses_leave_only_hashed(alice: Subject) -> None:
    sequenced()
    with pytest.raises(SuppressionError, match="hashed"):
        listed(scheme="email")


def test_nothing_of_a_list_is_in_what_is_printed_of_it(alice: Subject) -> None:
    ledger.append(kind=Kind.ERASURE, by=BY, at=LATER, details={}, subject=alice)
    sequenced()
    assert "m_alice" not in repr(listed())


def test_whole_numbers_become_a_bitmap_of_themselves_and_others_of_hashes(world: None) -> None:
    for value in ("7", "18446744073709551615", "12000000000"):
        _registered(value)
    sequenced()
    made = suppression_formats.bitmap(listed())
    assert made.of == "integer"
    assert list(BitMap64.deserialize(b"".join(made.pieces))) == [7, 12_000_000_000, 2**64 - 1]
    # one that is none, or is written otherwise, and all are hashed
    _registered("007")
    sequenced()
    made = suppression_formats.bitmap(listed())
    assert made.of == "sha256-64"
    expected = {hashlib.sha256(key.encode()).digest()[:8] for key in keys()}
    assert {number.to_bytes(8, "big") for number in BitMap64.deserialize(b"".join(made.pieces))} == expected


@given(
    numbers=st.sets(st.integers(0, 2**64 - 1) | st.integers(0, 100) | st.integers(2**32 - 9, 2**32 + 9), max_size=60)
)
@hypothesis_settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_bitmap_in_pieces_is_the_one_that_the_library_writes(
    monkeypatch: pytest.MonkeyPatch, numbers: set[int]
) -> None:
    monkeypatch.setattr(suppression_formats, "_PIECE", 3)
    pieces = suppression_formats._serialized(np.array(sorted(numbers), dtype=np.uint64))
    assert b"".join(pieces) == BitMap64(sorted(numbers)).serialize()


def test_a_bitmap_is_in_the_portable_form(world: None) -> None:
    _registered("5")
    _registered(str(2**33 + 1))
    sequenced()
    data = b"".join(suppression_formats.bitmap(listed()).pieces)
    # RoaringFormatSpec, "Extension for 64-bit implementations": how many, then for each its high half and a bitmap
    (count,) = struct.unpack_from("<Q", data)
    (high,) = struct.unpack_from("<I", data, 8)
    assert (count, high) == (2, 0)


def _registered(value: str, place: str = "DE") -> None:
    names = (subjects.name("account", value),)
    subjects.register(newcomer=Newcomer(names=names, jurisdiction=place), by=BY, at=AT)


def _many(number: int) -> None:
    """So many people in Germany, where nobody is in unless they say so, by statements of their own."""
    with connection.cursor() as cursor:
        cursor.execute(
            "WITH made AS (INSERT INTO consents_subject (id, jurisdiction, locale, is_minor, registered_at)"
            " SELECT gen_random_uuid(), 'DE', 'en', false, %s FROM generate_series(1, %s) RETURNING id),"
            " numbered AS (SELECT id, row_number() OVER () AS number FROM made)"
            " INSERT INTO consents_identifier (subject_id, scheme, value, fingerprint, index_key)"
            " SELECT id, 'account', 'm_' || number, sha256(number::text::bytea), '' FROM numbered",
            [AT, number],
        )


def test_a_long_list_takes_no_more_memory_than_a_short_one(world: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("consents.bulk_names.PAGE", 4_096)
    _registered("m_0")
    sequenced()
    peaks = {}
    for people in (10_000, 40_000):
        Identifier.objects.exclude(value="m_0").delete()
        _many(people)
        keeping.rebuild("account")
        found = listed()
        tracemalloc.start()
        rows = 0
        for piece in suppression_formats.ndjson(found):
            rows += piece.count(b"\n")
        peaks[people] = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert rows == people + 2
    assert peaks[40_000] < 1.5 * peaks[10_000]


def test_parquet_is_given_out_while_it_is_made(world: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("consents.bulk_names.PAGE", 1_000)
    _many(5_000)
    sequenced()
    pieces = list(suppression_formats.parquet(listed()))
    assert max(map(len, pieces)) < sum(map(len, pieces)) / 2
    file = pq.ParquetFile(io.BytesIO(b"".join(pieces)))
    assert (file.metadata.num_rows, file.metadata.num_row_groups) == (5_000, 5)
    assert json.loads(file.schema_arrow.metadata[b"heed.spans"]) == []
