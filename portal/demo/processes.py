"""Web, worker and beat under honcho, from the Procfile; stopped with everything they started."""

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from django.conf import settings

_READY_WITHIN = 60.0


class DidNotStart(Exception):
    """A process ended, or the web server did not answer in time."""


@contextmanager
def running(*, port: int, log: Path | None) -> Iterator["subprocess.Popen[bytes]"]:
    """Start the Procfile's processes and wait until the web server is ready; at the end, stop them all.

    They inherit the engines' addresses, so that none of them starts engines of its own.
    """
    environment = {
        **os.environ,
        "PORT": str(port),
        # honcho gives each process a port of its own, and the worker's would be in the links of its mail
        "HEED_URL": os.environ.get("HEED_URL") or f"http://127.0.0.1:{port}",
        "DATABASE_URL": settings.DATABASE_URL,
        "REDIS_URL": settings.REDIS_URL,
        "HEED_DEMO": "1",
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}",
        "PYTHONUNBUFFERED": "1",
    }
    with (log or Path(os.devnull)).open("ab") as output:
        # a session of its own: Ctrl-C reaches us alone, and we stop honcho, which stops its children;
        # were we killed, the closing of the pipe does it
        process = subprocess.Popen(
            [sys.executable, "-m", "portal.demo.supervise"],
            stdin=subprocess.PIPE,
            cwd=settings.BASE_DIR,
            env=environment,
            stdout=output if log else None,
            stderr=subprocess.STDOUT if log else None,
            start_new_session=True,
        )
        try:
            _wait_until_ready(process, port)
            yield process
        finally:
            stop(process)


def stop(process: "subprocess.Popen[bytes]") -> None:
    """Ask honcho to end; it gives its children a few seconds and then kills their groups."""
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
    try:
        process.wait(timeout=20)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    if process.stdin is not None:
        process.stdin.close()


def free_port(wanted: int) -> int:
    """`wanted` if nobody listens there, else one that the system picks."""
    for port in (wanted, 0):
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return int(probe.getsockname()[1])
    raise DidNotStart("No free port on 127.0.0.1.")


def _wait_until_ready(process: "subprocess.Popen[bytes]", port: int) -> None:
    deadline = time.monotonic() + _READY_WITHIN
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise DidNotStart("A process ended at once; its reason stands above, or in the log folder.")
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=2) as answer:
                if answer.status == 200:
                    return
        except (urllib.error.URLError, OSError):
            time.sleep(0.1)
    raise DidNotStart(f"The web server did not answer within {_READY_WITHIN:.0f} s.")
