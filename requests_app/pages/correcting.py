"""What somebody wants corrected: up to twenty things, each three fields, on a page that needs no script.

The first has plain names, as when there could be one alone; a further one carries its number in them.
"""

from collections.abc import Mapping
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy

from requests_app.rights import rectification

MOST = rectification.MOST
PARTS = {"about": "what", "wrong": "wrong", "correct": "right"}
"""A field of the page, and what the right calls it."""
ADD = "add"
"""The button that asks for room for another."""
TWICE = gettext_lazy("You have named this already. Say it once.")
_EXAMPLE = gettext_lazy("For example: my surname, my last employer. Add another correction if there is more.")
_BLANK = {"what": "", "wrong": "", "right": ""}


def name(part: str, number: int) -> str:
    """The field of the `number`-th correction, counted from 0."""
    return f"{part}_{number}" if number else part


def rows_of(data: Mapping[str, Any] | None, kept: list[dict[str, str]]) -> int:
    """How many corrections there is room for: as many as were sent, or else as were kept; at least one."""
    sent = [number for number in range(MOST) if data is not None and name("about", number) in data]
    return max([number + 1 for number in sent], default=max(1, min(len(kept), MOST)))


def fields(rows: int) -> dict[str, forms.Field]:
    """The fields of so many corrections, in order."""
    return {name(part, number): _field(part, number) for number in range(rows) for part in PARTS}


def initial(kept: list[dict[str, str]]) -> dict[str, str]:
    """What was kept, by field."""
    return {name(part, number): one[said] for number, one in enumerate(kept) for part, said in PARTS.items()}


def filled(cleaned: Mapping[str, Any], rows: int) -> list[dict[str, str]]:
    """What was filled in; a correction that was left empty is none."""
    return named([{said: cleaned.get(name(part, n)) or "" for part, said in PARTS.items()} for n in range(rows)])


def named(kept: list[dict[str, str]]) -> list[dict[str, str]]:
    """Those of which something was said."""
    return [one for one in kept if any(one.values())]


def with_room(kept: list[dict[str, str]]) -> list[dict[str, str]]:
    """The same with room for another, where there may be one."""
    return [*kept, dict(_BLANK)][:MOST]


def are_said(kept: list[dict[str, str]]) -> bool:
    """Whether there is one at least, and of each what it is and what is right, once."""
    said = named(kept)
    whole = all(one["what"] and one["right"] for one in said)
    return bool(said) and whole and rectification.twice([one["what"] for one in said]) is None


def check(form: forms.Form, rows: int) -> None:
    """Forgive what was left empty beside others, and refuse what is named twice."""
    numbers = [n for n in range(rows) if any((form.data.get(form.add_prefix(name(p, n))) or "").strip() for p in PARTS)]
    for number in set(range(rows)) - set(numbers or [0]):
        for part in PARTS:
            form.errors.pop(name(part, number), None)
    abouts = [form.cleaned_data.get(name("about", number)) or "" for number in numbers]
    twice = rectification.twice(abouts)
    if twice is not None:
        form.add_error(name("about", numbers[twice]), str(TWICE))


def _field(part: str, number: int) -> forms.CharField:
    if part == "about":
        return forms.CharField(
            label=gettext_lazy("What has to be corrected?"),
            max_length=rectification.LONGEST,
            help_text=_EXAMPLE if number == 0 else "",
            error_messages={"required": gettext_lazy("Write what has to be corrected.")},
        )
    return forms.CharField(
        label=gettext_lazy("What does it say now?") if part == "wrong" else gettext_lazy("What should it say instead?"),
        required=part == "correct",
        max_length=rectification.LONGEST,
        widget=forms.Textarea(attrs={"rows": 2}),
        error_messages={"required": gettext_lazy("Write what is right.")},
    )
