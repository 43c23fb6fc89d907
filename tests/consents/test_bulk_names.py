"""Many names at once: whose they are, which were erased people's, and all there are, page by page."""

import os
from typing import Any

import pytest

from consents import bulk_names, subjects
from consents.models import Subject
from portal.crypto import Ring
from tests.conftest import AT, BY, person

pytestmark = pytest.mark.django_db


def test_names_are_told_apart_from_those_of_erased_people_and_of_nobody(alice: Subject, charlie: Subject) -> None:
    subjects.forget(subject=charlie, by=BY, at=AT)
    values = ["m_alice", "m_charlie", "m_nobody", "", "\0", "x" * 999]
    assert bulk_names.people(values, scheme="account") == {alice.pk}
    assert bulk_names.erased(values, scheme="account") == {"m_charlie"}
    assert bulk_names.erased(values, scheme="device") == set()
    assert (bulk_names.anybody_erased("account"), bulk_names.how_many_erased("account")) == (True, 1)
    assert not bulk_names.anybody_erased("device")


def test_an_erased_name_is_known_however_it_is_spelt(charlie: Subject) -> None:
    subjects.forget(subject=charlie, by=BY, at=AT)
    spelt = ["Charlie@Example.org", " charlie@example.org ", "other@example.org"]
    assert bulk_names.erased(spelt, scheme="email") == set(spelt[:2])


def test_fingerprints_of_an_older_key_are_found_as_well(alice: Subject, charlie: Subject, settings: Any) -> None:
    subjects.forget(subject=charlie, by=BY, at=AT)
    settings.INDEX_KEYS = Ring({"new": os.urandom(32), **settings.INDEX_KEYS.keys})
    assert bulk_names.people(["m_alice"], scheme="account") == {alice.pk}
    assert bulk_names.erased(["m_charlie"], scheme="account") == {"m_charlie"}


def test_names_are_recognised_by_fingerprints_that_were_kept(alice: Subject, charlie: Subject, settings: Any) -> None:
    prints = bulk_names.fingerprints(alice.pk, scheme="account")
    assert len(prints) == 1
    subjects.forget(subject=alice, by=BY, at=AT)
    assert bulk_names.fingerprints(alice.pk, scheme="account") == set()
    settings.INDEX_KEYS = Ring({"new": os.urandom(32), **settings.INDEX_KEYS.keys})
    values = ["m_alice", "m_charlie", "", "\0"]
    assert bulk_names.having(values, scheme="account", among=prints) == {"m_alice"}
    assert bulk_names.having(values, scheme="account", among=()) == set()


@pytest.mark.parametrize("size", [1, 2, 3, 100])
def test_pages_hold_every_name_once_and_in_order(world: None, monkeypatch: pytest.MonkeyPatch, size: int) -> None:
    monkeypatch.setattr(bulk_names, "PAGE", size)
    monkeypatch.setattr(bulk_names, "BATCH", size)
    people = {name: person(name) for name in ("b", "a", "d", "c")}
    pages = list(bulk_names.pages(scheme="account"))
    assert [name for page in pages for name in page] == ["m_a", "m_b", "m_c", "m_d"]
    assert max(map(len, pages)) <= size
    opened = {name: pk for page in bulk_names.every(scheme="email") for name, pk in page.items()}
    assert opened == {f"{name}@example.org": one.pk for name, one in people.items()}


def test_what_is_sealed_is_on_no_page_of_readable_names(alice: Subject) -> None:
    assert list(bulk_names.pages(scheme="email")) == []


def test_asking_for_many_takes_a_statement_for_some_thousands(
    alice: Subject, django_assert_num_queries: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bulk_names, "BATCH", 10)
    with django_assert_num_queries(2):
        assert bulk_names.people([f"m_{number}" for number in range(19)] + ["m_alice"], scheme="account") == {alice.pk}
