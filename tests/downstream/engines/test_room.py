"""Several small ones at the same time, a large one alone."""

import threading

from downstream.engines.room import _CAPACITY, room_for


def enters(size: int) -> "tuple[threading.Thread, threading.Event]":
    inside = threading.Event()

    def enter() -> None:
        with room_for(size):
            inside.set()

    thread = threading.Thread(target=enter)
    thread.start()
    return thread, inside


def test_small_ones_share_it() -> None:
    with room_for(_CAPACITY // 2):
        thread, inside = enters(_CAPACITY // 2)
        assert inside.wait(10)
        thread.join()


def test_a_large_one_waits_and_is_then_alone() -> None:
    with room_for(1):
        thread, inside = enters(_CAPACITY * 5)
        assert not inside.wait(0.05)
    assert inside.wait(10)
    thread.join()
