"""Secrets of a try-out installation: made at the first start, kept in the data folder, never in the repository."""

import base64
import fcntl
import os
import secrets
import tempfile
from pathlib import Path

from django.core.exceptions import ImproperlyConfigured

NAMES = ("HEED_SECRET_KEY", "HEED_FIELD_KEYS", "HEED_INDEX_KEYS", "HEED_SIGNING_KEYS")


def load_or_make(folder: Path) -> dict[str, str]:
    """Read `folder/secrets.env`, making it, or what it lacks, first; two starts at once agree on one file."""
    path = folder / "secrets.env"
    try:
        held = _read(path)
        if not held.keys() >= set(NAMES):
            folder.mkdir(parents=True, exist_ok=True)
            held = _complete(path)
    except OSError as error:
        raise ImproperlyConfigured(
            f"{path} cannot be read or made ({error.strerror}): it belongs to whoever ran Heed here first. "
            "Run as that user, or set HEED_DATA to a folder of your own."
        ) from error
    return held


def _read(path: Path) -> dict[str, str]:
    if not path.exists():
        return {}
    return dict(line.split("=", 1) for line in path.read_text().splitlines() if "=" in line)


def _complete(path: Path) -> dict[str, str]:
    """Add what the file lacks; what an older version of Heed wrote into it stays."""
    with (path.parent / ".secrets.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        # whoever comes second finds the first one's
        values = {name: _fresh(name) for name in NAMES} | _read(path)
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=".secrets-")
        with os.fdopen(handle, "w") as file:
            file.write("".join(f"{name}={value}\n" for name, value in values.items()))
        os.replace(temporary, path)
    return values


def _fresh(name: str) -> str:
    return secrets.token_urlsafe(48) if name == "HEED_SECRET_KEY" else f"local1:{_random_key()}"


def _random_key() -> str:
    return base64.b64encode(secrets.token_bytes(32)).decode()
