"""An event has one leaf, whoever computes it, and the leaf gives nothing away."""

import hashlib
import json
import uuid
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from django.db import connection
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.django import TestCase

from consents import leaves
from consents.models import LedgerEvent
from consents.vocabulary import Action, Kind, Source
from tests.conftest import AT, BY

# PostgreSQL's text holds no NUL, and UTF-8 no surrogates; 40 is the shortest of the columns
TEXT = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=40)
NUMBERS = st.one_of(st.integers(-(10**30), 10**30), st.floats(allow_nan=False, allow_infinity=False))
JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), NUMBERS, TEXT),
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(TEXT, inner, max_size=4)),
    max_leaves=12,
)
ZONES = [UTC, timezone(timedelta(hours=5, minutes=45))]
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
TIMES = st.builds(
    lambda microseconds, zone: (EPOCH + timedelta(microseconds=microseconds)).astimezone(zone),
    st.integers(0, 2 * 10**17),
    st.sampled_from(ZONES),
)


def by_postgresql(event: LedgerEvent) -> tuple[bytes, bytes]:
    """(entry, leaf hash) as the database computes them."""
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT {leaves.ENTRY_SQL}, {leaves.LEAF_SQL} FROM consents_ledgerevent event WHERE id = %s", [event.pk]
        )
        entry, leaf = cursor.fetchone()
        return bytes(entry), bytes(leaf)


def by_python(event: LedgerEvent) -> tuple[bytes, bytes]:
    entry = leaves.entry(kind=event.kind, salt=event.salt, content=leaves.content(event))
    return entry, hashlib.sha256(b"\0" + entry).digest()


def event_with(**fields: Any) -> LedgerEvent:
    usual = {"kind": Kind.NOTICE, "source": Source.STAFF, "actor": BY, "occurred_at": AT, "recorded_at": AT}
    return LedgerEvent.objects.create(**{**usual, **fields})


class PythonAndPostgresqlAgree(TestCase):
    @settings(max_examples=150, deadline=None)
    @given(
        texts=st.tuples(TEXT, TEXT, TEXT, TEXT, TEXT),
        subject=st.one_of(st.none(), st.uuids()),
        evidence=st.one_of(st.none(), st.binary(max_size=80)),
        details=st.dictionaries(TEXT, JSON, max_size=4),
        times=st.tuples(TIMES, TIMES),
    )
    def test_on_every_event(
        self,
        texts: tuple[str, ...],
        subject: uuid.UUID | None,
        evidence: bytes | None,
        details: Any,
        times: tuple[datetime, datetime],
    ) -> None:
        names = ("purpose", "recipient", "category", "actor", "notice")
        kind = Kind.CHOICE if subject else Kind.HOLD_OPENED
        made = event_with(
            **dict(zip(names, texts, strict=True)),
            kind=kind,
            action=Action.DENY,
            subject_id=subject,
            evidence=evidence,
            details=details,
            occurred_at=times[0],
            recorded_at=times[1],
        )
        read = LedgerEvent.objects.get(pk=made.pk)
        assert by_postgresql(read) == by_python(read) == by_python(made)


@pytest.mark.django_db
def test_control_characters_quotes_and_nested_details_are_spelled_alike() -> None:
    odd = "\x01\x08\x0b\x1f\x7f\x80\"\\/\u2028é😀\t\n\r\f'"
    details = {"b": [1.0, 1e22, 1e-7, -0.0, 10**25, {"zz": None, "é": True, "a": odd}], "aa": {}, odd: []}
    event = event_with(actor=odd[:60], notice=odd, details=details)
    event.refresh_from_db()
    assert by_postgresql(event) == by_python(event)
    assert json.loads(leaves.content(event))[9] == odd


@pytest.mark.django_db
def test_content_reads_as_agreed() -> None:
    event = event_with(details={"version": 2}, notice="ai-training@1")
    empty, details = None, hashlib.sha256(b'{"version": 2}').hexdigest()
    moment = "2026-03-02T12:00:00.000000Z"
    assert json.loads(leaves.content(event)) == [
        *[str(event.pk), "notice", None, "", "", "", "", "staff", BY, "ai-training@1"],
        *[empty, details, moment, moment],
    ]


@pytest.mark.django_db
def test_the_leaf_is_short_and_says_only_the_kind() -> None:
    event = event_with(details={"name": "Zaphod"})
    entry, _ = by_python(event)
    assert entry.split()[:2] == [b"heed-event-v1", b"notice"]
    assert len(entry) == len("heed-event-v1 notice ") + 64


@pytest.mark.django_db
def test_two_events_that_say_the_same_have_leaves_that_differ() -> None:
    event = event_with()
    content = leaves.content(event)
    one, other = (leaves.entry(kind="notice", salt=salt, content=content) for salt in (event.salt, uuid.uuid4()))
    assert one != other
