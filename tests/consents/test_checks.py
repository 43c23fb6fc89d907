"""System checks of consents."""

import os
from typing import Any

from django.db import connection

from consents import checks, subjects
from consents.models import Subject
from portal.crypto import Ring
from tests.conftest import AT, BY


def test_keys_that_are_there_are_fine(alice: Subject) -> None:
    assert checks.keys_are_there() == []


def test_a_key_that_left_too_early_is_warned_of_with_the_remedy(alice: Subject, settings: Any) -> None:
    settings.FIELD_KEYS = settings.INDEX_KEYS = Ring({"new": os.urandom(32)})
    warnings = checks.keys_are_there()
    assert [one.id for one in warnings] == ["heed.W010", "heed.W011"]
    assert all("'local1'" in one.msg and "Put it back" in one.hint for one in warnings)


def test_the_key_of_erased_people_is_missed_too(alice: Subject, settings: Any) -> None:
    subjects.forget(subject=alice, by=BY, at=AT)
    settings.INDEX_KEYS = Ring({"new": os.urandom(32)})
    assert [one.id for one in checks.keys_are_there()] == ["heed.W011"]


def test_before_the_first_migration_there_is_nothing_to_check(db: None) -> None:
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE consents_suppressed RENAME TO elsewhere")
    assert checks.keys_are_there() == []
