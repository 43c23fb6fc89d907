"""Where the engines of one data folder keep things, as whom they run, and who is there.

The kernel keeps the books, by `flock` on the files in `<data>/locks/`: a lock is held as long as any process
has the file open, so there is no list of process ids that a killed process or a reboot could make stale, and
a forked child counts with its parent.

- `start` is held by whoever starts, stops or looks.
- `users` is shared by all users.
- Each engine inherits, locked, the file named after it; so a free lock means that no process of it lives.
"""

import fcntl
import hashlib
import os
import pwd
import re
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from .failures import OWN_SERVER, EngineError

_SYSTEM_USER = "pgserver"
_LONGEST_SOCKET = 103  # bytes of a socket's path: 107 on Linux, 103 on macOS
# What needs quoting neither in a URL nor in libpq's list of hosts.
_PLAIN_PATH = re.compile(r"[A-Za-z0-9/_.-]+")


@dataclass(frozen=True)
class Place:
    """The folders of one data folder, and the account the engines run as when we are root."""

    data: Path
    sockets: Path
    account: pwd.struct_passwd | None  # PostgreSQL refuses root

    @property
    def run(self) -> Path:
        """Process id files and logs."""
        return self.data / "run"

    @property
    def cluster(self) -> Path:
        """PostgreSQL's own files."""
        return self.data / "postgres"

    @property
    def owner(self) -> int:
        return self.account.pw_uid if self.account else os.geteuid()

    def lock(self, name: str) -> Path:
        return self.data / "locks" / name


def find(data: Path) -> Place:
    """The place that belongs to this data folder, the same for every command. Makes nothing there."""
    data = data.expanduser().resolve()
    account = _account(data) if os.geteuid() == 0 else None
    place = Place(data=data, sockets=data / "run", account=account)
    longest = os.fsencode(place.sockets / ".s.PGSQL.5432")
    if len(longest) <= _LONGEST_SOCKET and _PLAIN_PATH.fullmatch(str(place.sockets)):
        return place
    name = hashlib.sha256(os.fsencode(data)).hexdigest()[:12]
    # Not the temporary folder of the environment: all commands must agree on it.
    short = Path(f"/tmp/heed-{place.owner}-{name}")  # noqa: S108  (make_run_folders keeps it private)
    return Place(data=data, sockets=short, account=account)


def _account(data: Path) -> pwd.struct_passwd:
    """Whoever owns the data, so that root and the owner may take turns; a system user where that is root."""
    nearest = next(folder for folder in (data / "postgres", data, *data.parents) if folder.exists())
    owner = nearest.stat().st_uid
    if owner != 0:
        with suppress(KeyError):
            return pwd.getpwuid(owner)
    with suppress(KeyError):
        return pwd.getpwnam(_SYSTEM_USER)
    with suppress(OSError):
        command = ("useradd", "--system", "--no-create-home", "--shell", "/bin/sh", _SYSTEM_USER)
        if subprocess.run(command, capture_output=True, check=False).returncode != 0:  # noqa: S603
            time.sleep(1)  # perhaps another process is just making it
    try:
        return pwd.getpwnam(_SYSTEM_USER)
    except KeyError as error:
        raise EngineError(
            f"PostgreSQL refuses to run as root, and its system user {_SYSTEM_USER!r} could not be made. "
            f"Run as an ordinary user, or make it yourself: useradd --system {_SYSTEM_USER}. {OWN_SERVER}"
        ) from error


def make_data_folder(place: Place) -> None:
    """Make the folder and its locks if they are missing, readable by this user (and the account) only."""
    _make_missing(place, place.data, place.data / "locks")


def make_run_folders(place: Place) -> None:
    """Make the folders that running engines need. Only while `starting`: whoever stops them removes one."""
    _make_missing(place, place.run, place.sockets)
    if place.sockets.is_symlink() or place.sockets.lstat().st_uid != place.owner:
        raise EngineError(f"{place.sockets} belongs to somebody else: remove it and run again.")
    place.sockets.chmod(0o700)
    if place.account:
        let_pass(place.run, account=place.account)


def _make_missing(place: Place, *folders: Path) -> None:
    for folder in folders:
        if not folder.exists():
            folder.mkdir(parents=True, mode=0o700, exist_ok=True)
            hand_over(folder, place)


def hand_over(path: Path, place: Place) -> None:
    """Give the account what we made for it."""
    if place.account:
        os.chown(path, place.account.pw_uid, place.account.pw_gid)


def let_pass(path: Path, *, account: pwd.struct_passwd) -> None:
    """Let this account walk through the folders above `path`, no more: it cannot list them."""
    for folder in path.parents:
        held = folder.stat()
        mine, ours = held.st_uid == account.pw_uid, held.st_gid == account.pw_gid
        needed = 0o100 if mine else 0o010 if ours else 0o001
        if not held.st_mode & needed:
            folder.chmod(held.st_mode & 0o7777 | needed)


@contextmanager
def starting(place: Place) -> Iterator[None]:
    """Be the only one who starts, stops or looks."""
    held = open_lock(place, "start")
    try:
        fcntl.flock(held, fcntl.LOCK_EX)
        yield
    finally:
        os.close(held)


def open_lock(place: Place, name: str) -> int:
    """The open file to be locked; closing it in every process that has it releases the lock."""
    path = place.lock(name)
    new = not path.exists()
    opened = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    if new:
        hand_over(path, place)
    return opened


def is_held(place: Place, name: str) -> bool:
    """Whether any living process holds this lock. Ask only while `starting`: it is taken for an instant."""
    opened = open_lock(place, name)
    try:
        fcntl.flock(opened, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(opened)
    return False
