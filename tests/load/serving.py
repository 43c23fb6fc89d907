"""Granian as the Procfile runs it, one worker and four threads, and a client that counts its CPU per request."""

import http.client
import os
import statistics
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil

from portal.demo import processes
from tests.load.bench import Row, cpu_seconds
from tests.stack import database_url

ROOT = Path(__file__).parents[2]
Request = tuple[str, str, bytes | None, dict[str, str]]
"""Method, path, body, headers."""
Make = Callable[[int], Request]


@dataclass(frozen=True)
class Served:
    """Medians over rounds: server CPU in milliseconds a request, requests a second, p50 latency in milliseconds."""

    cpu_ms: float
    per_second: float
    p50_ms: float


@dataclass(frozen=True)
class Call:
    """A call of ours, the bare one that it is compared with, its target, and how many statements it takes."""

    name: str
    make: Make
    floor: Make
    target: str
    statements: int


def compared(calls: Sequence[Call], *, size: str, count: int) -> Iterator[Row]:
    """Each call over 1 and 8 connections, all bare ones first, so that only one server runs at a time."""
    url = database_url()
    floor: dict[tuple[str, int], Served] = {}
    with serving("tests.load.bare:application", database_url=url) as (port, pids):
        for call in calls:
            for connections in (1, 8):
                floor[call.name, connections] = measured(port, pids, call.floor, count=count, connections=connections)
    with serving("portal.wsgi:application", database_url=url, HEED_RATE="100000000/min") as (port, pids):
        for call in calls:
            for connections in (1, 8):
                ours = measured(port, pids, call.make, count=count, connections=connections)
                bare = floor[call.name, connections]
                yield Row(
                    what=f"{call.name}, {connections} connection{'s' if connections > 1 else ''}",
                    size=size,
                    unit="ms CPU",
                    ours=ours.cpu_ms,
                    floor=bare.cpu_ms,
                    floor_is="bare Django and DRF",
                    more_is_better=False,
                    target=call.target,
                    note=f"{call.statements} statements; {ours.per_second:,.0f} to {bare.per_second:,.0f} req/s;"
                    f" p50 {ours.p50_ms:.1f} to {bare.p50_ms:.1f} ms",
                )


@contextmanager
def serving(target: str, *, database_url: str, **environment: str) -> Iterator[tuple[int, list[int]]]:
    """Start the WSGI application `module:name`; answers its port and the ids of its processes."""
    port = processes.free_port(0)
    command = [str(Path(sys.executable).parent / "granian"), "--interface", "wsgi", "--host", "127.0.0.1"]
    command += ["--port", str(port), "--workers", "1", "--blocking-threads", "4", "--no-ws", "--log-level", "error"]
    process = subprocess.Popen(
        [*command, target], cwd=ROOT, env={**os.environ, "DATABASE_URL": database_url, **environment}
    )
    try:
        _wait(process, port)
        yield port, [process.pid, *(child.pid for child in psutil.Process(process.pid).children(recursive=True))]
    finally:
        process.terminate()
        process.wait(timeout=20)


def measured(port: int, pids: list[int], make: Make, *, count: int, connections: int, rounds: int = 3) -> Served:
    """Send `count` requests a round over so many connections; every answer must be a success."""
    _round(port, make, count=max(count // 5, connections), connections=connections, first=10_000_000)
    cpu, wall, latencies = [], [], []
    for number in range(rounds):
        before, start = cpu_seconds(pids), time.perf_counter()
        latencies += _round(port, make, count=count, connections=connections, first=number * count)
        wall.append(time.perf_counter() - start)
        cpu.append(cpu_seconds(pids) - before)
    return Served(
        cpu_ms=statistics.median(cpu) / count * 1000,
        per_second=count / statistics.median(wall),
        p50_ms=statistics.median(latencies) * 1000,
    )


def _round(port: int, make: Make, *, count: int, connections: int, first: int) -> list[float]:
    latencies: list[float] = []
    failures: list[str] = []

    def work(offset: int) -> None:
        client = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        for number in range(first + offset, first + count, connections):
            method, path, body, headers = make(number)
            start = time.perf_counter()
            client.request(method, path, body=body, headers=headers)
            answer = client.getresponse()
            text = answer.read()
            latencies.append(time.perf_counter() - start)
            if answer.status >= 300:
                failures.append(f"{answer.status} {text[:200]!r}")
                break
        client.close()

    threads = [threading.Thread(target=work, args=(offset,)) for offset in range(connections)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failures:
        raise RuntimeError(f"{len(failures)} requests failed, the first with {failures[0]}")
    return latencies


def _wait(process: "subprocess.Popen[bytes]", port: int) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and process.poll() is None:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=2):
                return
        except OSError:
            time.sleep(0.1)
    raise RuntimeError("The server did not answer.")
