"""The real processes of the Procfile against the test database: web server, worker and beat."""

import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote, urlencode

from django.conf import settings
from django.db import connection

from portal.demo import processes

ROOT = Path(settings.BASE_DIR)
COMMANDS = dict(
    (part.strip() for part in line.split(":", 1))
    for line in (ROOT / "Procfile").read_text().splitlines()
    if ":" in line
)


class Stack:
    """Processes by their Procfile name, each in a group of its own so that it can be killed whole."""

    def __init__(self, folder: Path, *, redis_number: int, extra: dict[str, str] | None = None) -> None:
        self.folder = folder
        self.port = processes.free_port(0)
        self.base = f"http://127.0.0.1:{self.port}"
        self.mail_dir = folder / "log" / "mail"
        self.redis_url = settings.REDIS_URL.split("?")[0] + f"?db={redis_number}"
        self.running: dict[str, subprocess.Popen[bytes]] = {}
        self.environment = {
            **os.environ,
            "DATABASE_URL": database_url(),
            "REDIS_URL": self.redis_url,
            "HEED_DATA": str(folder),
            "PORT": str(self.port),
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
            "HEED_LEASE_SECONDS": "3",
            "HEED_REQUEUE_SECONDS": "2",
            "HEED_LOG_LEVEL": "INFO",
            "HEED_SECRET_KEY": settings.SECRET_KEY,
            **(extra or {}),
        }

    def start(self, name: str, **extra: str) -> None:
        """Start one process; its output is appended to `<name>.log`."""
        with (self.folder / f"{name}.log").open("ab") as log:
            self.running[name] = subprocess.Popen(
                ["/bin/sh", "-c", f"exec {COMMANDS[name]}"],
                cwd=ROOT,
                env={**self.environment, **extra},
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def start_all(self) -> None:
        for name in ("web", "worker", "beat"):
            self.start(name)
        self.wait_until_ready()

    def wait_until_ready(self) -> None:
        def answers() -> bool:
            try:
                with urllib.request.urlopen(f"{self.base}/readyz", timeout=2) as answer:
                    return bool(answer.status == 200)
            except OSError:
                return False

        wait_for(answers, within=60, what=lambda: f"web to answer; its log: {self.log('web')[-2000:]}")

    def kill(self, name: str) -> None:
        """SIGKILL the process and everything it started."""
        process = self.running.pop(name)
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()

    def stop_all(self) -> None:
        for process in self.running.values():
            if process.poll() is None:
                process.terminate()
        for process in self.running.values():
            try:
                process.wait(timeout=15)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
        self.running.clear()

    def log(self, name: str) -> str:
        return (self.folder / f"{name}.log").read_text(errors="replace")


def wait_for(met: object, *, within: float, what: object) -> None:
    """Look until `met()` is true; fail with `what` after `within` seconds."""
    deadline = time.monotonic() + within
    while not met():  # type: ignore[operator]
        if time.monotonic() > deadline:
            said = what() if callable(what) else what
            raise AssertionError(f"Waited {within:.0f} s in vain for {said}")
        time.sleep(0.1)


@contextmanager
def running(folder: Path, *, redis_number: int) -> Iterator[Stack]:
    """All three processes, ended afterwards whatever happens."""
    stack = Stack(folder, redis_number=redis_number)
    try:
        stack.start_all()
        yield stack
    finally:
        stack.stop_all()


def database_url() -> str:
    """The test database's address, with nothing but what libpq itself takes."""
    given = connection.get_connection_params()
    query = {key: given[key] for key in ("host", "port") if given.get(key)}
    login = quote(given["user"]) + (f":{quote(given['password'])}" if given.get("password") else "")
    return f"postgresql://{login}@/{given['dbname']}?{urlencode(query)}"
