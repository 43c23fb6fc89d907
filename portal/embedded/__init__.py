"""The embedded engines: a real PostgreSQL and a real Redis out of wheels, for trying out and for tests.

`database_url` and `redis_url` start the engine if it does not run yet, make this process one of its users
and return its address. The engines end with their last user, however that user ends.

Nothing here imports Django or another module of ours: the settings call it, and the watcher runs it alone.
"""

import atexit
import fcntl
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from . import engines, places, servers
from .failures import EngineError, explain
from .places import Place

__all__ = ("EngineError", "data_folder", "database_url", "redis_url", "status", "stop")

# The open `users` files of this process, by data folder. Forked children inherit them.
_joined: dict[Path, int] = {}


def data_folder() -> Path:
    """`HEED_DATA`, or `.heed` in the checkout."""
    return Path(os.environ.get("HEED_DATA") or Path(__file__).resolve().parents[2] / ".heed")


def database_url(*, data: Path) -> str:
    """The address of this data folder's PostgreSQL, which runs at least as long as this process.

    Raises EngineError.
    """
    with _joining(data) as place:
        if not (place.cluster / "PG_VERSION").exists():
            servers.make_cluster(place)
        engines.ensure(servers.postgres(place), place)
        return f"postgresql://postgres@/{servers.DATABASE}?host={place.sockets}&port={servers.PORT}"


def redis_url(*, data: Path) -> str:
    """The address of this data folder's Redis, which runs at least as long as this process.

    Raises EngineError.
    """
    with _joining(data) as place:
        engines.ensure(servers.redis(place), place)
        return f"unix://{place.sockets}/redis.sock?db=0"


def status(*, data: Path) -> dict[str, int | None]:
    """The process id of each engine by its name, None where it does not run."""
    place = places.find(data)
    if not place.lock("start").exists():
        return {engine.name: None for engine in servers.every(place)}
    with places.starting(place):
        return {
            engine.name: engines.pid(engine) if engines.is_alive(engine, place) else None
            for engine in servers.every(place)
        }


def stop(*, data: Path) -> None:
    """Stop the engines of this data folder, whoever uses them. Raises EngineError."""
    place = places.find(data)
    if place.lock("start").exists():
        with places.starting(place):
            servers.stop_all(place)


@contextmanager
def _joining(data: Path) -> Iterator[Place]:
    """Become a user of the place, alone in it for the moment. Every failure leaves as EngineError."""
    try:
        place = places.find(data)
        places.make_data_folder(place)
        with places.starting(place):
            places.make_run_folders(place)
            servers.open_programs(place)
            _join(place)
            engines.ensure(servers.watcher(place), place)
            yield place
    except (OSError, subprocess.SubprocessError) as error:
        output = getattr(error, "stderr", None) or ""
        raise explain("The embedded engines", f"{error}\n{output}") from error


def _join(place: Place) -> None:
    if place.data in _joined:
        return
    opened = places.open_lock(place, "users")
    fcntl.flock(opened, fcntl.LOCK_SH)
    _joined[place.data] = opened
    atexit.register(_leave, place, os.getpid())


def _leave(place: Place, joined_as: int) -> None:
    """Stop the engines at once if nobody else uses them, so that nothing is left when a command returns."""
    if os.getpid() != joined_as:
        return  # a forked child: its copy of the lock closes by itself
    # Closed, not unlocked: unlocking would also take the lock from forked children.
    os.close(_joined.pop(place.data))
    # The folder may be gone already; then the watcher cleans up.
    with suppress(FileNotFoundError), places.starting(place):
        if not places.is_held(place, "users"):
            servers.stop_all(place)
