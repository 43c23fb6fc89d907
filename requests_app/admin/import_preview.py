"""How a file of requests is read before anything of it is taken in, in words; and an empty file to fill in."""

import csv
import io
from datetime import datetime
from typing import Any

from django.utils.translation import gettext as _

from consents.models import Purpose
from requests_app import import_rows, importing
from requests_app.admin import happenings
from requests_app.import_rows import Row
from requests_app.models import RequestImport
from requests_app.rights import rectification
from requests_app.states import Capacity, Right
from requests_app.taking_down import TakenDown

SHOWN = 50
"""Lines on one page."""
_CORRECTIONS_BEGUN = 3
"""For how many things to correct the empty file has columns; more are added by their number."""


def context(one: RequestImport, *, start: int, at: datetime) -> dict[str, Any]:
    """What the page shows, from the `start`-th line on that is not refused. Raises Conflict(`wrong_state`)."""
    read = importing.understood(one, start=start, count=SHOWN, at=at)
    names = dict(Purpose.objects.values_list("slug", "name"))
    good = one.rows - one.refused
    return {
        "totals": [(Right(right).label, count) for right, count in sorted(read.rights.items())],
        "things": read.things_to_correct,
        "lines": [_line(row, said, names) for row, said in read.lines],
        "first": start + 1,
        "last": start + len(read.lines),
        "good": good,
        "earlier": max(0, start - SHOWN) if start else None,
        "later": start + SHOWN if start + SHOWN < good else None,
    }


def empty_file() -> bytes:
    """The header of every column, in UTF-8 with the mark by which spreadsheets know it."""
    corrections = [
        column for column, (number, _part) in import_rows.CORRECTIONS.items() if number <= _CORRECTIONS_BEGUN
    ]
    text = io.StringIO()
    names = [*import_rows.REQUIRED, *import_rows.OPTIONAL, *import_rows.USES, *corrections]
    csv.writer(text).writerow(names)
    return text.getvalue().encode("utf-8-sig")


def _line(row: Row, said: TakenDown, names: dict[str, str]) -> dict[str, Any]:
    asked = said.asked
    return {
        "number": row.line,
        "reference": row.reference,
        "received_on": asked.received_at,
        "came_in": happenings.came_in(asked.channel),
        "asks": [(Right(right).label, _about(said, right, names)) for right in asked.rights],
        "capacity": Capacity(asked.capacity).label if asked.capacity != Capacity.SELF else "",
        "has_note": bool(asked.note),
        "waits": not said.shown,
    }


def _about(said: TakenDown, right: str, names: dict[str, str]) -> list[str]:
    """What one right of a line is about: uses by their names, or what is to be corrected."""
    asked = said.asked
    scope = asked.scopes.get(right, asked.scope if right in import_rows.USES.values() else {})
    about = [", ".join(names.get(slug, slug) for slug in scope["purposes"])] if scope else []
    corrections = asked.particulars.get(right, {}).get("corrections", [])
    about += [rectification.in_words(one) for one in corrections]
    if right == Right.RECTIFICATION and not corrections:
        about.append(_("in the words of its note alone") if asked.note else _("it does not say what"))
    return about
