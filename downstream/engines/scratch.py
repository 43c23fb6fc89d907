"""Copies of data and keys on this machine: one folder a process, which goes with it.

A process that is killed cannot tidy up. Each folder therefore holds a file that its process keeps locked as long as
it lives; whoever needs a place next throws away every folder whose lock is free.
"""

import atexit
import fcntl
import os
import shutil
import socket
import tempfile
from collections.abc import Iterator
from pathlib import Path

SCRATCH = "HEED_SCRATCH"
"""Names the folder for them where the system's own for temporary files is too small."""
_PREFIX = "heed-scratch-"
_LOCK = "lock"
# by process too: a fork has its parent's memory and not its folder; the lock lives as long as its descriptor
_mine: dict[tuple[int, Path], tuple[Path, int]] = {}


def place(purpose: str, *, shared: str = "") -> Path:
    """A new folder that only this process uses; the caller removes it. `shared`: within one that machines share."""
    root = Path(shared or os.environ.get(SCRATCH) or tempfile.gettempdir())
    sweep(root, of_this_machine=bool(shared))
    return Path(tempfile.mkdtemp(prefix=f"{purpose}-", dir=_own(root)))


def sweep(root: Path, *, of_this_machine: bool = False) -> None:
    """Throw away what processes that are gone have left there; of other machines a lock tells nothing."""
    host = _host() if of_this_machine else ""
    for folder in root.glob(f"{_PREFIX}{host}*"):
        if folder.is_symlink() or not folder.is_dir() or folder in {path for path, _ in _mine.values()}:
            continue
        try:
            _remove_unlocked(folder)
        except OSError:
            # another process is at it, or it is another user's
            continue


def _remove_unlocked(folder: Path) -> None:
    if folder.stat().st_uid != os.getuid():
        return
    try:
        lock = os.open(folder / _LOCK, os.O_RDWR)
    except FileNotFoundError:
        # half made or half removed; it goes only where nothing is in it
        folder.rmdir()
        return
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        for path in folder.iterdir():
            if path.name != _LOCK:
                shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()
        # last, so that whoever dies in between leaves a lock to go by
        (folder / _LOCK).unlink()
        folder.rmdir()
    finally:
        os.close(lock)


def _own(root: Path) -> Path:
    mine = _mine.get((os.getpid(), root))
    if mine is None or not mine[0].exists():
        mine = _mine[os.getpid(), root] = next(_made(root))
        atexit.register(_leave, os.getpid(), mine[0])
    return mine[0]


def _made(root: Path) -> Iterator[tuple[Path, int]]:
    while True:
        folder = Path(tempfile.mkdtemp(prefix=f"{_PREFIX}{_host()}-", dir=root))
        try:
            lock = os.open(folder / _LOCK, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600)
            fcntl.flock(lock, fcntl.LOCK_EX)
            if os.path.samestat(os.fstat(lock), (folder / _LOCK).stat()):
                yield folder, lock
                return
        except FileNotFoundError:
            # somebody took it for a dead process's before it was locked
            continue


def _leave(process: int, folder: Path) -> None:
    if process == os.getpid():
        shutil.rmtree(folder, ignore_errors=True)


def _host() -> str:
    return "".join(letter for letter in socket.gethostname() if letter.isalnum())[:40]
