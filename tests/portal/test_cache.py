"""A cache that is away remembers nothing, and turns nobody away."""

from datetime import timedelta
from typing import Any

import pytest
from django.core.cache import cache

from portal import one_time_codes, staff_pages

pytestmark = pytest.mark.usefixtures("away")


@pytest.fixture
def away(settings: Any) -> None:
    default = settings.CACHES["default"]
    settings.CACHES = {"default": {**default, "LOCATION": "redis://127.0.0.1:1/0"}}


def test_it_answers_as_an_empty_one_does() -> None:
    cache.set("colour", "green")
    assert cache.get("colour", "none") == "none"
    assert cache.get_or_set("colour", "red") == "red"
    assert cache.delete("colour") is False
    with pytest.raises(ValueError, match="away"):
        cache.incr("count")


def test_a_code_may_be_asked_for() -> None:
    counts = [one_time_codes.count("place", "somebody", window=timedelta(hours=1)) for _ in range(3)]
    assert counts == [1, 1, 1]


@pytest.mark.django_db
def test_staff_read_who_acted() -> None:
    assert staff_pages.named("staff:5b2dbd6c-4e0e-4d2f-9d12-4f6d3c9a4d2e") == "a former member of staff"
