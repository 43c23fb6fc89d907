"""Holding a process still for a while, so that a test sees what lasts only a moment."""

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager

from tests.stack import Stack


@contextmanager
def paused(house: Stack, name: str) -> Iterator[None]:
    """Stop this process of the house and all it started; let them go on afterwards."""
    group = house.running[name].pid
    os.killpg(group, signal.SIGSTOP)
    try:
        yield
    finally:
        os.killpg(group, signal.SIGCONT)
