"""The watcher: a small process that stops the engines once nobody uses them, however the last user ended."""

import os
import signal
import time
from contextlib import suppress
from pathlib import Path

from . import engines, places, servers

_SECONDS = 0.5


def watch(data: str) -> None:
    """Wait until nobody uses the engines of this data folder, and stop them."""
    place = places.find(Path(data))
    me, *others = servers.every(place)
    me.pid_file.write_text(f"{os.getpid()}\n")
    known: list[int | None] = []
    while place.lock("users").exists():
        with suppress(FileNotFoundError), places.starting(place):
            if not places.is_held(place, "users"):
                servers.stop_all(place)
                # While still alone, so that nobody takes us for a watcher that goes on.
                me.pid_file.unlink()
                os._exit(0)
            known = [engines.pid(engine) for engine in others if engines.is_alive(engine, place)]
        time.sleep(_SECONDS)
    for pid in filter(None, known):  # the folder was deleted while they ran
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGTERM)
