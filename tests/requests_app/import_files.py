"""Files of requests."""

import csv
import io
from typing import Any

from requests_app.import_rows import REQUIRED

LINE = {
    "reference": "T-1",
    "received_on": "2026-03-01",
    "rights": "access",
    "scheme": "email",
    "identifier": "alice@example.org",
}


def line(number: int = 1, **other: str) -> dict[str, str]:
    return {**LINE, "reference": f"T-{number}", **other}


def csv_of(*rows: dict[str, Any], columns: list[str] | None = None) -> bytes:
    names = columns or [*REQUIRED, *sorted({name for row in rows for name in row} - set(REQUIRED))]
    text = io.StringIO()
    writer = csv.DictWriter(text, names, restval="")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue().encode()
