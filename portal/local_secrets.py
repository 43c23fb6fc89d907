"""Secrets of a try-out installation: made at the first start, kept in the data folder, never in the repository."""

import base64
import os
import secrets
import tempfile
from pathlib import Path

from django.core.exceptions import ImproperlyConfigured

NAMES = ("HEED_SECRET_KEY", "HEED_FIELD_KEYS", "HEED_INDEX_KEYS")


def load_or_make(folder: Path) -> dict[str, str]:
    """Read `folder/secrets.env`, making it first if needed; two starts at once agree on one file."""
    path = folder / "secrets.env"
    try:
        if not path.exists():
            folder.mkdir(parents=True, exist_ok=True)
            _make(path)
        lines = path.read_text().splitlines()
    except OSError as error:
        raise ImproperlyConfigured(
            f"{path} cannot be read or made ({error.strerror}): it belongs to whoever ran Heed here first. "
            "Run as that user, or set HEED_DATA to a folder of your own."
        ) from error
    return dict(line.split("=", 1) for line in lines if "=" in line)


def _make(path: Path) -> None:
    values = {
        "HEED_SECRET_KEY": secrets.token_urlsafe(48),
        "HEED_FIELD_KEYS": f"local1:{_random_key()}",
        "HEED_INDEX_KEYS": f"local1:{_random_key()}",
    }
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=".secrets-")
    with os.fdopen(handle, "w") as file:
        file.write("".join(f"{name}={value}\n" for name, value in values.items()))
    try:
        # link() refuses to replace: whoever comes second uses the first one's file
        os.link(temporary, path)
    except FileExistsError:
        pass
    finally:
        os.unlink(temporary)


def _random_key() -> str:
    return base64.b64encode(secrets.token_bytes(32)).decode()
