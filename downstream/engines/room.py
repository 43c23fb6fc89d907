"""Memory for row groups that are decoded at the same time: several small ones, or one large one alone."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pyarrow as pa

_CAPACITY = 96 * 2**20
_DOOR = threading.Condition()
_taken: list[int] = []


@contextmanager
def room_for(size: int) -> Iterator[None]:
    """Wait until `size` bytes, as the file's footer counts them, fit beside what is decoded now; alone, all fits."""
    with _DOOR:
        _DOOR.wait_for(lambda: not _taken or sum(_taken) + size <= _CAPACITY)
        _taken.append(size)
    try:
        yield
    finally:
        # the allocator would keep what was used for the largest, beside what others use
        pa.default_memory_pool().release_unused()
        with _DOOR:
            _taken.remove(size)
            _DOOR.notify_all()
