"""Rectification (GDPR Art. 16): what is wrong is corrected, also where it went (Art. 19).

What Heed itself keeps of a person (where they live, whether they are a minor) is amended at once. Every dataset that
holds the person gets a task: a look finds out which do, and those are corrected by whoever has them.
"""

import uuid
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from consents import amendments, jurisdictions
from downstream import registry
from downstream.models import Dataset
from requests_app import sealing
from requests_app.models import Request
from requests_app.rights import base
from requests_app.states import TaskKind

MOST, LONGEST = 20, 500
JURISDICTION, MINOR = "jurisdiction", "minor"
"""What Heed knows itself: `right` is then a code such as US-CA, or yes or no."""
_PARTS = frozenset({"what", "wrong", "right"})
_YES_NO = {"yes": True, "no": False}
REMOTE = "{owner} holds it. Tell them {what} (see the request), and keep what they answer (Art. 19)."
HELD = (
    "{rows} rows of this person are in it. Have {owner} correct {what}, or have the rows removed; "
    "then say where it was corrected and who was told (GDPR Art. 16, 19)."
)
UNREADABLE = "Nobody could look whether the person is in it ({reason}). Ask {owner}, and have them correct it."


class CorrectionError(base.RightError):
    """One correction of several, counted from 0, and which `part` of it cannot be taken as it was said."""

    def __init__(self, code: str, message: str, *, number: int, part: str = "what") -> None:
        super().__init__(code, message, field="corrections")
        self.number, self.part = number, part


# what is wrong is in the details
scope = base.no_scope
is_settled, finish = base.has_its_place, base.nothing_last


def details(said: Mapping[str, Any]) -> dict[str, Any]:
    """`corrections`: a list of {what, wrong, right}, each a text, each thing once; one alone may stand by itself.

    {} where the note says it instead: a letter, a call. Raises RightError, of one correction CorrectionError.
    """
    if not said:
        return {}
    if said.keys() == _PARTS:
        said = {"corrections": [said]}
    if said.keys() != {"corrections"}:
        raise base.RightError("unknown_details", "Details of this right are corrections.", field="details")
    listed = [said["corrections"]] if isinstance(said["corrections"], Mapping) else said["corrections"]
    if not isinstance(listed, list) or not 0 < len(listed) <= MOST:
        raise base.RightError("corrections_malformed", f"Name 1 to {MOST} things that are wrong.", field="corrections")
    checked = [_checked(one, number) for number, one in enumerate(listed)]
    second = twice([one["what"] for one in checked])
    if second is not None:
        message = f"Correction {second + 1} is about what an earlier one names; say it once."
        raise CorrectionError("correction_twice", message, number=second)
    return {"corrections": checked}


def twice(named: Sequence[str]) -> int | None:
    """The place of the first that names what an earlier one does, in whatever case and spacing; None where none does.

    What is empty names nothing.
    """
    seen: set[str] = set()
    for place, what in enumerate(" ".join(one.split()).casefold() for one in named):
        if what and what in seen:
            return place
        seen.add(what)
    return None


def carry_out(*, request: Request, by: str, at: datetime) -> uuid.UUID | None:
    """Amend what Heed keeps itself, where that is what is wrong."""
    amended: dict[str, Any] = {}
    for one in corrections(request):
        if one["what"] == JURISDICTION:
            amended["jurisdiction"] = one["right"]
        elif one["what"] == MINOR:
            amended["is_minor"] = _YES_NO[one["right"]]
    event = amendments.amend(subject=base.person(request), **amended, by=by, at=at) if amended else None
    return event.pk if event else None


def plan(request: Request) -> list[base.Planned]:
    """A look into every dataset that we can read; the holder of every other is asked."""
    return [_planned(request, dataset) for dataset in base.living()]


def corrections(request: Request) -> list[dict[str, str]]:
    """What is wrong, as the person said it; [] where they wrote a note, or were erased."""
    said = sealing.unseal_json(request, request.sealed_details, context=sealing.DETAILS) or {}
    listed: list[dict[str, str]] = said.get("corrections", [])
    return listed


def in_words(one: Mapping[str, str]) -> str:
    """One correction on a line, for staff."""
    return f"{one['what']}: {one['wrong'] + ' ' if one['wrong'] else ''}→ {one['right']}"


def held(request: Request, *, rows: int, owner: str) -> str:
    """What whoever works on the task of a dataset that holds the person has to do."""
    count = len(corrections(request))
    what = f"all {count} things that the request names" if count > 1 else "what the request says"
    return HELD.format(rows=rows, owner=owner, what=what)


def _planned(request: Request, dataset: Dataset) -> base.Planned:
    if registry.is_remote(dataset):
        count = len(corrections(request))
        what = f"of all {count} things what is wrong and right" if count > 1 else "what is wrong and right"
        words = REMOTE.format(owner=dataset.owner.name, what=what)
        return base.Planned("correct", TaskKind.MANUAL, dataset, None, words)
    return base.Planned("correct", TaskKind.AUTOMATIC, dataset)


def _checked(one: object, number: int) -> dict[str, str]:
    if not isinstance(one, Mapping) or one.keys() != _PARTS:
        message = "Say what, what is wrong, what is right."
        raise CorrectionError("corrections_malformed", message, number=number)
    for part, text in one.items():
        if not isinstance(text, str) or len(text) > LONGEST or "\0" in text:
            message = f"Each part is a text of at most {LONGEST} characters."
            raise CorrectionError("corrections_malformed", message, number=number, part=part)
    tidy = {part: str(one[part]).strip() for part in sorted(_PARTS)}
    for part in ("what", "right"):
        if not tidy[part]:
            message = "Say what it is about, and what is right."
            raise CorrectionError("corrections_malformed", message, number=number, part=part)
    return _known_here(tidy, number)


def _known_here(tidy: dict[str, str], number: int) -> dict[str, str]:
    """The same, in normal form where it is about what Heed keeps itself."""
    if tidy["what"] == JURISDICTION:
        try:
            return tidy | {"right": jurisdictions.check(tidy["right"])}
        except jurisdictions.UnknownJurisdiction as error:
            raise CorrectionError(error.code, error.message, number=number, part="right") from error
    if tidy["what"] == MINOR and tidy["right"] not in _YES_NO:
        raise CorrectionError("corrections_malformed", "Of a minor, yes or no is right.", number=number, part="right")
    return tidy
