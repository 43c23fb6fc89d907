"""NDJSON: one JSON object a line, flat as the columns are, or with `subject` as POST /choices has it."""

from typing import Any

import orjson

from consents.importing import lines
from consents.importing.lines import Readable
from consents.importing.rows import COLUMNS, REQUIRED, InputRefused, Refused, Row, Rows

_KNOWN = frozenset(COLUMNS)
_JSON = Refused("malformed_line", "The line is not one JSON object.")
_SUBJECT = Refused("malformed_line", "subject is an object of scheme and value, and nothing else.")
_UNKNOWN = Refused("unknown_field", "The line has a field that does not exist.")
_TYPE = Refused("wrong_type", "Each field is a text; is_minor may be true or false.")
_LACKS = {name: Refused("required", f"The line lacks {name}.") for name in REQUIRED}


def read(source: Readable) -> Rows:
    """Each object with its line; empty lines are passed over.

    Raises InputRefused: `empty`, `line_too_long`, `cut_off` where it ends within a line.
    """
    number = 0
    for number, line in lines.split(source):
        if line.strip():
            row = _row(line)
            if row is _JSON and not line.endswith(b"\n"):
                raise InputRefused("cut_off", f"It ends within line {number}.")
            yield number, row
    if not number:
        raise InputRefused("empty", "There is nothing in it.")


def _row(line: bytes) -> Row | Refused:
    try:
        sent = orjson.loads(line)
    except orjson.JSONDecodeError:
        return _JSON
    if not isinstance(sent, dict):
        return _JSON
    if "subject" in sent:
        subject = sent.pop("subject")
        if (
            not isinstance(subject, dict)
            or subject.keys() != {"scheme", "value"}
            or not subject.keys().isdisjoint(sent)
        ):
            return _SUBJECT
        sent.update(subject)
    return of_fields(sent)


def of_fields(sent: dict[str, Any]) -> Row | Refused:
    """The row of these fields, or what is wrong with them."""
    if not sent.keys() <= _KNOWN:
        return _UNKNOWN
    for name in REQUIRED:
        if sent.get(name) is None:
            return _LACKS[name]
    is_minor = sent.get("is_minor")
    if isinstance(is_minor, bool):
        sent["is_minor"] = "yes" if is_minor else "no"
    values = ["" if (value := sent.get(name)) is None else value for name in COLUMNS]
    if not all(type(value) is str for value in values):
        return _TYPE
    return Row._make(values)
