"""Calls are counted in windows, by every process for itself and by all of them together."""

from typing import Any

import pytest

from portal import rate_limits

pytestmark = pytest.mark.usefixtures("own_cache")
MINUTE = 60


class Clock:
    """Seconds since some minute began."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def __call__(self) -> float:
        return 1_800_000_000 + self.seconds


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    found = Clock()
    monkeypatch.setattr(rate_limits, "_now", found)
    return found


def called(times: int = 1, *, key: str = "acme") -> list[bool]:
    return [rate_limits.count(key, limit=3, window=MINUTE).allowed for _ in range(times)]


def test_so_many_are_allowed_and_the_next_window_begins_anew(clock: Clock) -> None:
    assert called(5) == [True, True, True, False, False]
    clock.seconds = 59.9
    assert called() == [False]
    clock.seconds = 60
    assert called() == [True]


def test_everybody_is_counted_alone(clock: Clock) -> None:
    assert called(4) == [True, True, True, False]
    assert called(key="bolt") == [True]


def test_it_says_what_is_left_and_how_long_to_wait(clock: Clock) -> None:
    clock.seconds = 15
    found = [rate_limits.count("acme", limit=2, window=MINUTE) for _ in range(3)]
    assert [(one.left, one.seconds) for one in found] == [(1, 45), (0, 45), (0, 45)]


def test_another_process_hears_of_it_within_a_moment(clock: Clock) -> None:
    called(2)
    clock.seconds = 1
    # tells Redis of those that were not sent yet
    called()
    rate_limits.forget()
    assert called() == [False]


def test_without_redis_each_process_counts_alone(clock: Clock, settings: Any, caplog: Any) -> None:
    settings.CACHES = {"default": {**settings.CACHES["default"], "LOCATION": "redis://127.0.0.1:1/0"}}
    assert called(4) == [True, True, True, False]
    assert "rate_limits.alone" in caplog.text
