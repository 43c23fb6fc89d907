"""Starting and stopping a program that outlives us, and knowing whether it lives.

It lives as long as somebody holds its lock (see `places`); its pid file only says whom to signal.
"""

import fcntl
import os
import signal
import subprocess
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from . import places
from .failures import EngineError, explain
from .places import Place

_START_SECONDS = 60.0  # crash recovery may take a while
_FOUND_SECONDS = 5.0  # for one that runs already, unless whoever started it was killed over it
_STOP_SECONDS = 15.0  # for each signal
_PAUSE = 0.02


@dataclass(frozen=True)
class Engine:
    """One program: how it is started, recognised and stopped."""

    name: str
    argv: tuple[str, ...]
    pid_file: Path
    leftovers: tuple[Path, ...]  # what a crash may leave behind
    is_ready: Callable[[], bool]
    signals: tuple[signal.Signals, ...]  # from polite to final
    as_account: bool = True

    @property
    def lock(self) -> str:
        return self.name.lower()

    def log(self, place: Place) -> Path:
        return place.run / f"{self.lock}.log"


def ensure(engine: Engine, place: Place) -> None:
    """Have this engine run and answer, starting it if need be. Raises EngineError."""
    if _wait_until_ready(engine, place, seconds=_FOUND_SECONDS):
        return
    stop(engine, place)
    for path in engine.leftovers:
        path.unlink(missing_ok=True)
    _spawn(engine, place)
    if not _wait_until_ready(engine, place, seconds=_START_SECONDS):
        log = engine.log(place)
        stop(engine, place)
        raise explain(engine.name, f"{log.read_text(errors='replace')[-1500:]}\n(from {log})")


def stop(engine: Engine, place: Place) -> None:
    """End it and wait until its last process is gone. Raises EngineError."""
    for name in engine.signals:
        if not is_alive(engine, place):
            return
        known = pid(engine)
        if known is not None:
            with suppress(ProcessLookupError):
                os.kill(known, name)
        end = time.monotonic() + _STOP_SECONDS
        while is_alive(engine, place) and time.monotonic() < end:
            time.sleep(_PAUSE)
    if is_alive(engine, place):
        raise EngineError(f"{engine.name} of {place.data} does not end: end its processes by hand and run again.")


def is_alive(engine: Engine, place: Place) -> bool:
    """Whether any process of it lives. Ask only while `places.starting`."""
    return places.is_held(place, engine.lock)


def pid(engine: Engine) -> int | None:
    """The process to signal; meaningful while it is alive."""
    with suppress(FileNotFoundError, ValueError, IndexError):
        return int(engine.pid_file.read_text().split()[0])
    return None


def circumstances(place: Place, *, as_account: bool = True) -> dict[str, Any]:
    """How to call a program: in a neutral folder and environment, so that our keys stay ours."""
    kept = ("PATH", "LD_LIBRARY_PATH")
    env = {name: os.environ[name] for name in kept if name in os.environ} | {"LC_ALL": "C", "TZ": "UTC"}
    found: dict[str, Any] = {"cwd": "/", "env": env, "umask": 0o077, "stderr": subprocess.PIPE, "text": True}
    if place.account and as_account:
        found |= {"user": place.account.pw_uid, "group": place.account.pw_gid, "extra_groups": []}
    return found


def _spawn(engine: Engine, place: Place) -> None:
    """Start it as nobody's child and in a session of its own: Ctrl-C and our end must not reach it."""
    held = places.open_lock(place, engine.lock)
    try:
        fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        subprocess.run(  # noqa: S603  (the shell's text is constant, the rest are its arguments)
            ("/bin/sh", "-c", 'exec >"$0" 2>&1 </dev/null; "$@" &', str(engine.log(place)), *engine.argv),
            check=True,
            start_new_session=True,
            pass_fds=(held,),
            **circumstances(place, as_account=engine.as_account),
        )
    finally:
        os.close(held)


def _wait_until_ready(engine: Engine, place: Place, *, seconds: float) -> bool:
    """Wait until it answers; False when it has ended or the time is over."""
    end = time.monotonic() + seconds
    while time.monotonic() < end and is_alive(engine, place):
        if engine.is_ready():
            return True
        time.sleep(_PAUSE)
    return False
