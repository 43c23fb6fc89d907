"""A snapshot on disk: a folder of arrays, mapped into memory by every process of the machine.

The page cache is shared and changes stay each process's own (copy on write). A folder is written aside, synced and
renamed; `current` names the one that counts. Whatever does not fit (another format, key or machine library, a broken
file) is as good as none: the snapshot is built again.
"""

import contextlib
import fcntl
import hashlib
import json
import os
import shutil
import uuid
import zlib
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import structlog
from django.conf import settings
from django.db import connection

from consents.bulk_decisions.hashed_names import NameTable, seeds
from consents.bulk_decisions.snapshots import Sayings, Snapshot, microseconds, moment

logger = structlog.get_logger(__name__)

FORMAT = 1
_CURRENT = "current"


def place(scheme: str) -> Path:
    """The folder of this scheme's snapshots of this very database."""
    known = connection.settings_dict
    database = "\0".join(str(known.get(part) or "") for part in ("HOST", "PORT", "NAME"))
    folder: Path = settings.DATA_DIR / "decisions" / hashlib.sha256(database.encode()).hexdigest()[:16] / scheme
    return folder


@contextlib.contextmanager
def one_at_a_time(scheme: str) -> Iterator[None]:
    """One process builds; the others wait, and find it built."""
    folder = place(scheme)
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def save(snapshot: Snapshot) -> None:
    """Write the snapshot aside and let it count. Call it holding `one_at_a_time` and the snapshot's lock."""
    folder = place(snapshot.scheme)
    aside = folder / f"{snapshot.position}-{uuid.uuid4().hex[:8]}"
    aside.mkdir(mode=0o700)
    arrays = _arrays(snapshot)
    about = {
        **_conditions(),
        "scheme": snapshot.scheme,
        "salt": snapshot.salt.hex(),
        "key": _key(snapshot.salt),
        "position": snapshot.position,
        "marker": str(snapshot.marker),
        "latest": microseconds(snapshot.latest),
        "bits": snapshot.names.bits,
        "profiles": snapshot.profiles,
        "scopes": snapshot.scopes,
        "sums": {name: _sum(array) for name, array in arrays.items()},
    }
    for name, array in arrays.items():
        with (aside / f"{name}.npy").open("wb") as file:
            np.save(file, array, allow_pickle=False)
            os.fsync(file.fileno())
    _write(aside / "about.json", json.dumps(about))
    _write(folder / f"{_CURRENT}.new", aside.name)
    os.replace(folder / f"{_CURRENT}.new", folder / _CURRENT)
    for older in folder.iterdir():
        # whoever has mapped an older one keeps it until they let go
        if older.is_dir() and older != aside:
            shutil.rmtree(older, ignore_errors=True)


def load(scheme: str) -> Snapshot | None:
    """The snapshot that counts, mapped into memory; None where there is none that fits."""
    folder = place(scheme)
    try:
        inner = folder / (folder / _CURRENT).read_text()
        about = json.loads((inner / "about.json").read_text())
        if {name: about[name] for name in _conditions()} != _conditions() or about["scheme"] != scheme:
            return None
        salt = bytes.fromhex(about["salt"])
        if about["key"] != _key(salt):
            return None
        arrays = {name: np.load(inner / f"{name}.npy", mmap_mode="c", allow_pickle=False) for name in about["sums"]}
        if any(_sum(array) != about["sums"][name] for name, array in arrays.items()):
            raise ValueError("a sum differs")
        return _snapshot(about, arrays, salt)
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError) as error:
        logger.warning("bulk_decisions.snapshot_unreadable", scheme=scheme, error=type(error).__name__)
        return None


def _arrays(snapshot: Snapshot) -> dict[str, Any]:
    said = snapshot.sayings
    return {
        "slots": snapshot.names.slots,
        "people": snapshot.people,
        "profile": snapshot.profile,
        "said_rows": said.rows,
        "said_scopes": said.scopes,
        "said_actions": said.actions,
        "said_times": said.times,
    }


def _snapshot(about: dict[str, Any], arrays: dict[str, Any], salt: bytes) -> Snapshot:
    return Snapshot(
        scheme=about["scheme"],
        salt=salt,
        seeds=seeds(salt),
        position=about["position"],
        marker=uuid.UUID(about["marker"]),
        latest=moment(about["latest"]),
        names=NameTable(arrays["slots"], about["bits"]),
        people=arrays["people"],
        profile=arrays["profile"],
        profiles=[(place, minor) for place, minor in about["profiles"]],
        sayings=Sayings(*(arrays[f"said_{part}"] for part in ("rows", "scopes", "actions", "times"))),
        scopes=[(slot, purpose, who, what) for slot, purpose, who, what in about["scopes"]],
    )


def _conditions() -> dict[str, object]:
    """What must be equal for the arrays to mean the same: polars may hash otherwise in another version."""
    return {"format": FORMAT, "polars": pl.__version__, "order": np.dtype("u8").str}


def _key(salt: bytes) -> str:
    """Tells whether the blind-index key is still the one, and tells nothing of the key."""
    return hashlib.sha256(repr(sorted(asdict(seeds(salt)).items())).encode()).hexdigest()


def _sum(array: Any) -> int:
    contiguous: Any = np.ascontiguousarray(array)
    return zlib.crc32(contiguous)


def _write(path: Path, text: str) -> None:
    with path.open("w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
