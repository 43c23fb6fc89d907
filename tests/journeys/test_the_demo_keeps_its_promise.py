"""`make demo` as a user meets it: it drives an opt-out, runs again, and leaves no process behind however it ends."""

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from django.conf import settings

from tests.stack import wait_for

pytestmark = pytest.mark.journey


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Path]:
    """A data folder of the demo's own; its engines end with the test."""
    yield tmp_path / "demo"
    assert _living(tmp_path) == []


def test_once_proves_a_removal_and_a_second_run_proves_another(home: Path) -> None:
    for _ in range(2):
        done = subprocess.run(_command(home, "--once"), env=_environment(home), capture_output=True, timeout=300)
        said = done.stdout.decode()
        assert done.returncode == 0, said + done.stderr.decode()
        assert "said no to ai-training; receipt R-" in said
        assert said.count("removal receipt") == 3
    wait_for(lambda: not _living(home), within=60, what=lambda: f"the end of {_living(home)}")


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL], ids=lambda one: one.name)
def test_however_it_ends_no_process_stays(home: Path, how: signal.Signals) -> None:
    log = home.with_name("demo.log")
    with log.open("wb") as output:
        demo = subprocess.Popen(_command(home, "--port", "0"), env=_environment(home), stdout=output, stderr=output)
    try:
        wait_for(lambda: "Ctrl-C ends everything" in log.read_text(), within=120, what=log.read_text)
        assert "member" in log.read_text()
        assert len(_living(home)) > 4
        # the worker's too, which writes mail
        assert f"People's pages    {_told(home, 'worker')}/" in log.read_text()
        demo.send_signal(how)
        demo.wait(timeout=60)
        wait_for(lambda: not _living(home), within=60, what=lambda: f"the end of {_living(home)}")
    finally:
        if demo.poll() is None:
            demo.kill()


def _command(home: Path, *words: str) -> list[str]:
    return [sys.executable, str(Path(settings.BASE_DIR) / "manage.py"), "demo", *words]


def _environment(home: Path) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if name not in {"DATABASE_URL", "REDIS_URL"}}
    return {**kept, "HEED_DATA": str(home)}


def _told(home: Path, name: str) -> str:
    """Under which address the pages are reached, as this process was told."""
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.NoSuchProcess, psutil.AccessDenied, psutil.ZombieProcess):
            mine = process.environ()
            if mine.get("HEED_DATA") == str(home) and name in process.cmdline():
                return mine.get("HEED_URL", "")
    raise AssertionError(f"no {name}")


def _living(folder: Path) -> list[str]:
    """Command lines of processes that work in this folder."""
    found = []
    for process in psutil.process_iter():
        try:
            words = " ".join(process.cmdline())
            mine = str(folder) in words or process.environ().get("HEED_DATA") == str(folder)
        except (psutil.NoSuchProcess, psutil.AccessDenied, psutil.ZombieProcess):
            continue
        if mine and process.pid != os.getpid():
            found.append(words)
    return found
