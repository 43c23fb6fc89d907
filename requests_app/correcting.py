"""What is to be corrected, as a page asks for it without a script: up to twenty things, each three fields.

People's own page and staff's have the same fields. The first correction has plain names, as when there could be one
alone; a further one carries its number in them.
"""

from collections.abc import Callable, Mapping
from typing import Any

from django import forms
from django.http import QueryDict
from django.utils.translation import gettext_lazy

from requests_app.rights import rectification

MOST = rectification.MOST
PARTS = {"about": "what", "wrong": "wrong", "correct": "right"}
"""A field of the page, and what the right calls it."""
ADD, TAKE_AWAY = "add", "take_away"
"""The buttons that ask for room for another, and that take away the one whose number from 0 they carry."""
TWICE = gettext_lazy("You have named this already. Say it once.")
_FIELDS = {said: part for part, said in PARTS.items()}
_EXAMPLE = gettext_lazy("For example: my surname, my last employer. Add another correction if there is more.")
_BLANK = {"what": "", "wrong": "", "right": ""}


class CorrectionsForm(forms.Form):
    """A form with room for corrections. Whoever derives from it calls `open_rows` once it is made."""

    _rows = 0

    def open_rows(self, rows: int, **widgets: Callable[..., forms.Widget]) -> None:
        """Put in the fields of so many corrections, before all others. `widgets` are those of `fields`."""
        self._rows = rows
        self.fields = {**fields(rows, **widgets), **self.fields}

    @property
    def corrections(self) -> list[list[forms.BoundField]]:
        """The fields of each correction."""
        return [[self[name(part, n)] for part in PARTS] for n in range(self._rows)]

    @property
    def others(self) -> list[forms.BoundField]:
        """Every field that belongs to no correction."""
        mine = set(fields(self._rows))
        return [field for field in self if field.name not in mine]

    @property
    def can_add(self) -> bool:
        return 0 < self._rows < MOST

    def filled_corrections(self) -> list[dict[str, str]]:
        """What was filled in; a correction that was left empty is none."""
        return [self._said(number) for number in self._filled_rows()]

    def add_correction_error(self, error: rectification.CorrectionError) -> None:
        """Say beside its field what is wrong with one of `filled_corrections`."""
        self.add_error(name(_FIELDS[error.part], self._filled_rows()[error.number]), error.message)

    def check_corrections(self, *, may_be_none: bool = False) -> None:
        """Forgive what was left empty beside others, or altogether if it may be, and refuse what is named twice."""
        numbers = [n for n in range(self._rows) if any((self[name(part, n)].value() or "").strip() for part in PARTS)]
        asked = numbers or ([] if may_be_none else [0])
        for number in set(range(self._rows)) - set(asked):
            for part in PARTS:
                self.errors.pop(name(part, number), None)
        abouts = [self.cleaned_data.get(name("about", number)) or "" for number in numbers]
        twice = rectification.twice(abouts)
        if twice is not None:
            self.add_error(name("about", numbers[twice]), str(TWICE))

    def _filled_rows(self) -> list[int]:
        return [number for number in range(self._rows) if any(self._said(number).values())]

    def _said(self, number: int) -> dict[str, str]:
        return {said: self.cleaned_data.get(name(part, number)) or "" for part, said in PARTS.items()}


def name(part: str, number: int) -> str:
    """The field of the `number`-th correction, counted from 0."""
    return f"{part}_{number}" if number else part


def rows_of(data: Mapping[str, Any] | None, kept: list[dict[str, str]]) -> int:
    """How many corrections there is room for: as many as were sent, or else as were kept; at least one."""
    sent = [number for number in range(MOST) if data is not None and name("about", number) in data]
    return max([number + 1 for number in sent], default=max(1, min(len(kept), MOST)))


def fields(
    rows: int,
    *,
    line: Callable[..., forms.Widget] = forms.TextInput,
    lines: Callable[..., forms.Widget] = forms.Textarea,
) -> dict[str, forms.Field]:
    """The fields of so many corrections, in order, with a widget for one line and one for several."""
    return {name(part, number): _field(part, number, line, lines) for number in range(rows) for part in PARTS}


def initial(kept: list[dict[str, str]]) -> dict[str, str]:
    """What was kept, by field."""
    return {name(part, number): one[said] for number, one in enumerate(kept) for part, said in PARTS.items()}


def named(kept: list[dict[str, str]]) -> list[dict[str, str]]:
    """Those of which something was said."""
    return [one for one in kept if any(one.values())]


def with_room(kept: list[dict[str, str]]) -> list[dict[str, str]]:
    """The same with room for another, where there may be one."""
    return [*kept, dict(_BLANK)][:MOST]


def is_rearranging(data: Mapping[str, Any]) -> bool:
    """Whether a button was pressed that adds a correction or takes one away, and nothing more is meant."""
    return ADD in data or TAKE_AWAY in data


def rearranged(data: QueryDict) -> QueryDict:
    """What was sent, with room for another correction, or without the one that is to be taken away."""
    kept, rows = data.copy(), rows_of(data, [])
    texts = [{part: data.get(name(part, number), "") for part in PARTS} for number in range(rows)]
    gone = data.get(TAKE_AWAY, "")
    if gone.isdecimal() and int(gone) < rows:
        del texts[int(gone)]
    if ADD in data or not texts:
        texts = [*texts, dict.fromkeys(PARTS, "")][:MOST]
    for number in range(rows):
        for part in PARTS:
            kept.pop(name(part, number), None)
    for number, one in enumerate(texts):
        for part, text in one.items():
            kept[name(part, number)] = text
    return kept


def are_said(kept: list[dict[str, str]]) -> bool:
    """Whether there is one at least, and of each what it is and what is right, once."""
    said = named(kept)
    whole = all(one["what"] and one["right"] for one in said)
    return bool(said) and whole and rectification.twice([one["what"] for one in said]) is None


def _field(
    part: str, number: int, line: Callable[..., forms.Widget], lines: Callable[..., forms.Widget]
) -> forms.CharField:
    if part == "about":
        return forms.CharField(
            label=gettext_lazy("What has to be corrected?"),
            max_length=rectification.LONGEST,
            widget=line(),
            help_text=_EXAMPLE if number == 0 else "",
            error_messages={"required": gettext_lazy("Write what has to be corrected.")},
        )
    return forms.CharField(
        label=gettext_lazy("What does it say now?") if part == "wrong" else gettext_lazy("What should it say instead?"),
        required=part == "correct",
        max_length=rectification.LONGEST,
        widget=lines(attrs={"rows": 2}),
        error_messages={"required": gettext_lazy("Write what is right.")},
    )
