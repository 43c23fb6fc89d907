"""A worker's process of its own, which carries one run out under hard circumstances; `acting.worker` starts it.

`python -m tests.downstream.a_worker RUN [forbid|full|hungry]`: with `forbid` root loses its power over permissions,
with `full` no file may grow beyond a few bytes, with `hungry` it may take little more memory than it has.
It prints whether the run is verified.
"""
# ruff: noqa: E402

import os
import resource
import sys
import uuid
from pathlib import Path

import django

django.setup()

from django.db import connection

from downstream import propagation
from downstream.connectors import parquet_folder
from downstream.engines import embedded
from tests.downstream.acting import LATER
from tests.downstream.connectors import running

# imported now, because nothing can be imported once permissions are gone
assert parquet_folder
assert embedded

_SPARE = 512 * 2**20


def _starve() -> None:
    """Little more address space than is taken now: what asks for more is refused, as under a limit of a container."""
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    limit = pages * resource.getpagesize() + _SPARE
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))


def main(run: str, how: str = "") -> None:
    connection.ensure_connection()
    if how == "forbid":
        running._forbid()
    if how == "full":
        running.ROOM = 300
        running._fill()
    if how == "hungry":
        _starve()
    print(propagation.carry_out(propagation_id=uuid.UUID(run), holder=str(os.getpid()), clock=lambda: LATER))


if __name__ == "__main__":
    main(*sys.argv[1:])
