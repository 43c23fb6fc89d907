"""`manage.py rotate_keys` as an operator sees it."""

import io
import os
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import transaction

from consents import subjects
from consents.models import Subject
from portal import signing
from portal.crypto import Ring
from portal.models import AuditEntry
from tests.conftest import AT, BY, person
from tests.consents.test_key_rotation import beside


def said(*options: str) -> str:
    out = io.StringIO()
    call_command("rotate_keys", *options, stdout=out)
    return out.getvalue()


@pytest.fixture
def rotating(alice: Subject, settings: Any) -> None:
    settings.FIELD_KEYS = Ring({"new": os.urandom(32), **settings.FIELD_KEYS.keys})
    settings.INDEX_KEYS = Ring({"new": os.urandom(32), **settings.INDEX_KEYS.keys})


def test_it_says_what_it_did_and_enters_it(rotating: None) -> None:
    told = said()
    assert "people's keys: 1 brought under new" in told
    assert "identifiers: 2 brought under new" in told
    assert AuditEntry.objects.filter(action="keys.rotate").count() == 2
    assert "Everything that can be" in said()
    assert AuditEntry.objects.filter(action="keys.rotate").count() == 2


def test_one_ring_alone(rotating: None) -> None:
    assert "identifiers" not in said("--field")
    assert "people" not in said("--index")


def test_status_changes_nothing_and_names_what_may_go(rotating: None, settings: Any) -> None:
    settings.SIGNING_KEYS = signing.SigningRing(
        seeds={"s2": os.urandom(32), **settings.SIGNING_KEYS.seeds}, retired={"s0": signing.raw_public_key("local1")}
    )
    before = said("--status")
    assert "new: current, protects nothing" in before
    assert "local1: protects 1 people's keys" in before
    said()
    after = said("--status")
    assert "new: current, protects 1 people's keys" in after
    assert after.count("local1: protects nothing, may be removed from the environment") == 2
    assert "s2: signs" in after
    assert "local1: verifies what it signed; the seed may go" in after
    assert "s0: public half" in after


def test_status_says_that_the_key_of_erased_people_stays(rotating: None, settings: Any, alice: Subject) -> None:
    new_first = settings.INDEX_KEYS
    settings.INDEX_KEYS = Ring({"local1": settings.INDEX_KEYS.keys["local1"]})
    subjects.forget(subject=alice, by=BY, at=AT)
    settings.INDEX_KEYS = new_first
    said()
    assert "local1: protects 2 names of erased people, which cannot be made again: it stays" in said("--status")


def test_status_cries_out_for_a_key_that_is_missing(alice: Subject, settings: Any) -> None:
    settings.FIELD_KEYS = Ring({"new": os.urandom(32)})
    assert "local1: protects 1 people's keys, AND IS NOT IN THE RING" in said("--status")


def test_what_cannot_be_brought_ends_it_with_an_error_and_the_rest_is_done(rotating: None) -> None:
    person("bert")
    alice = subjects.get(subjects.name("account", "m_alice"))
    Subject.objects.filter(pk=alice.pk).update(wrapped_key=b"\x01\x04lost" + bytes(60))
    with pytest.raises(CommandError, match="1 people's keys, 1 identifiers"):
        said()
    assert subjects.find(subjects.name("account", "m_alice")) == alice


@pytest.mark.django_db(transaction=True)
def test_a_row_that_somebody_keeps_is_named_in_the_end(rotating: None, alice: Subject, monkeypatch: Any) -> None:
    monkeypatch.setattr("consents.management.commands.rotate_keys._REST", 0.0)
    with transaction.atomic():
        Subject.objects.select_for_update(no_key=True).get(pk=alice.pk)
        assert "1 people's keys" in beside(refusal)
    assert "Everything" in said()


def refusal() -> str:
    with pytest.raises(CommandError) as refused:
        said()
    return str(refused.value)


@pytest.mark.parametrize("wrong", [("--batch", "0"), ("--pause", "-1")])
def test_nonsense_is_refused(wrong: tuple[str, str]) -> None:
    with pytest.raises(CommandError):
        said(*wrong)
