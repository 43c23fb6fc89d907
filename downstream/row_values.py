"""What rows of datasets hold, as JSON: every value that a connector tells has one form, and loses nothing by it."""

import base64
import json
import math
import uuid
from collections.abc import Mapping
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

from downstream.engines.attached import Attached

_LARGEST = 2**63
_DEEPEST = 100
"""Levels of lists and objects within each other; writers and readers of JSON stop at some hundreds."""


def as_json(value: Any) -> Any:
    """The value as JSON can hold it, at any depth.

    | value | JSON |
    |---|---|
    | date and time | RFC 3339; one without a zone counts as UTC, as everywhere in Heed |
    | date, time of day | ISO 8601 |
    | duration | ISO 8601, in seconds: `PT90.5S` |
    | decimal, whole number beyond 64 bits | a string, so that no reader rounds it |
    | NaN and infinities | `"NaN"`, `"Infinity"`, `"-Infinity"` (RFC 8259 has none) |
    | bytes | base64 (RFC 4648) |
    | what is attached | its name, size and sha256 |
    | map | an object where its keys are texts, else pairs |
    | what lies more than 100 levels deep | its JSON, as a string; `…` where that has too many hundreds more |
    | anything else | as Python writes it |
    """
    return _told(value, 0)


def _told(value: Any, depth: int) -> Any:
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str):
        # half a surrogate pair is no text that could be written
        return value.encode("utf-8", "replace").decode() if _is_broken(value) else value
    if isinstance(value, int):
        return int(value) if -_LARGEST <= value < _LARGEST else str(value)
    if isinstance(value, float):
        return _fraction(value)
    if not isinstance(value, Mapping | list | tuple | set | frozenset):
        return _scalar(value)
    if depth > _DEEPEST:
        return _text(value)
    if isinstance(value, Mapping):
        return {_name(key): _told(one, depth + 1) for key, one in value.items()}
    return _items(list(value), depth + 1)


def _text(value: Any) -> str:
    try:
        return json.dumps(value, default=as_json)
    except (RecursionError, ValueError, TypeError):
        return "…"


def _scalar(value: Any) -> Any:
    if isinstance(value, bytes | bytearray | memoryview):
        return base64.b64encode(value).decode()
    if isinstance(value, datetime):
        moment = value if value.tzinfo else value.replace(tzinfo=UTC)
        return moment.isoformat().replace("+00:00", "Z")
    if isinstance(value, date | time):
        return value.isoformat()
    if isinstance(value, timedelta):
        return _duration(value)
    if isinstance(value, Decimal | uuid.UUID):
        return str(value)
    if isinstance(value, Attached):
        return {"name": value.name, "size": value.size, "sha256": value.sha256}
    if hasattr(value, "tolist"):
        # numpy's, of which some libraries make vectors
        return as_json(value.tolist())
    return str(value)


def _fraction(value: float) -> float | str:
    if math.isfinite(value):
        return float(value)
    return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"


def _items(values: list[Any], depth: int) -> Any:
    is_map = bool(values) and all(isinstance(one, tuple) and len(one) == 2 for one in values)
    if is_map and all(isinstance(key, str) for key, _ in values) and len({key for key, _ in values}) == len(values):
        return {_name(key): _told(one, depth) for key, one in values}
    return [_told(one, depth) for one in values]


def _duration(value: timedelta) -> str:
    seconds = value // timedelta(seconds=1) if value >= timedelta() else -(-value // timedelta(seconds=1))
    fraction = abs(value) % timedelta(seconds=1) // timedelta(microseconds=1)
    sign = "-" if value < timedelta() else ""
    return f"{sign}PT{abs(seconds)}{f'.{fraction:06}'.rstrip('0') if fraction else ''}S"


def _name(key: Any) -> str:
    told = as_json(key)
    return told if isinstance(told, str) else str(told)


def _is_broken(text: str) -> bool:
    return any("\ud800" <= letter <= "\udfff" for letter in text) if not text.isascii() else False
