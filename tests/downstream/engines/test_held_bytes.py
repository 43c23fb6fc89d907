"""Bytes come out as they are held, wherever they are held and wherever they go."""

import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from downstream.engines.held_bytes import EndsEarlyError, Held, InFile, InMemory, Range

DATA = bytes(range(256)) * 40


@pytest.fixture(params=["file", "part of a file", "memory"])
def held(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Held]:
    if request.param == "memory":
        yield InMemory(memoryview(DATA))
        return
    before = b"before" if request.param != "file" else b""
    path = tmp_path / "held"
    path.write_bytes(before + DATA)
    handle = os.open(path, os.O_RDONLY)
    yield InFile(handle, len(DATA), len(before))
    os.close(handle)


def test_a_range_is_read(held: Held) -> None:
    assert held.size == len(DATA)
    assert held.read(Range(300, 500)) == DATA[300:800]
    assert held.read(Range(0, 0)) == b""


def test_what_is_not_there_is_an_error(held: Held) -> None:
    with pytest.raises(EndsEarlyError):
        held.read(Range(len(DATA) - 1, 2))


def test_a_range_is_copied_to_the_end_of_a_file(held: Held, tmp_path: Path) -> None:
    with (tmp_path / "out").open("wb", buffering=0) as out:
        out.write(b"head")
        held.copy(Range(10, 9_000), out.fileno())
        held.copy(Range(0, 3), out.fileno())
    assert (tmp_path / "out").read_bytes() == b"head" + DATA[10:9_010] + DATA[:3]


def test_what_the_kernel_does_not_copy_is_read_and_written(held: Held) -> None:
    here, there = socket.socketpair()
    with here, there:
        held.copy(Range(10, 2_000), here.fileno())
        here.close()
        assert b"".join(iter(lambda: there.recv(4_096), b"")) == DATA[10:2_010]
