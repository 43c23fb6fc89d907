"""The same asked again while it is open: recognised, linked to the first, and answered with it.

Where only words say what is asked, such as what is to be corrected, they have to be the same too, in whatever order. A
no that counts at once is asked anew, not again, where the person said yes in between: it has to be their last word.
"""

import json
import uuid
from collections.abc import Iterable, Sequence

from consents.models import LedgerEvent, Subject
from consents.vocabulary import PROTECTIVE, Kind
from requests_app import sealing
from requests_app.models import Request
from requests_app.states import AT_ONCE, FOLLOW_UPS, IN_WORDS

_Key = tuple[str | None, ...]


def find(requests: Sequence[Request], subject: Subject) -> dict[uuid.UUID, Request]:
    """The open request of this person that asks for the same as each of these, by the id of the latter.

    What was typed is sealed by the person's key already.
    """
    standing = Request.objects.open().proven().filter(subject=subject, duplicate_of__isnull=True, about__isnull=True)
    wanted = {one.right for one in requests if one.right not in FOLLOW_UPS}
    before = list(standing.filter(right__in=wanted).order_by("received_at", "pk"))
    asked = [one for one in requests if one.right in wanted]
    for one in before:
        one.subject = subject
    keys = _keys([*before, *asked])
    earlier: dict[_Key, Request] = {}
    for one in before:
        # of what was said anew, the newest
        if one.right in AT_ONCE or keys[one.pk] not in earlier:
            earlier[keys[one.pk]] = one
    found = {one.pk: earlier.get(keys[one.pk]) for one in asked}
    firsts = {pk: first for pk, first in found.items() if first is not None and first.pk != pk}
    overtaken = _overtaken(firsts.values(), subject)
    return {pk: first for pk, first in firsts.items() if first.pk not in overtaken}


def _overtaken(firsts: Iterable[Request], subject: Subject) -> set[uuid.UUID]:
    """Those carried out at once since which the person allowed something."""
    done = {one.pk: one.carried_out_at for one in firsts if one.right in AT_ONCE and one.carried_out_at is not None}
    if not done:
        return set()
    yes = LedgerEvent.objects.filter(subject_id=subject.pk, kind=Kind.CHOICE).exclude(action__in=sorted(PROTECTIVE))
    latest = (
        yes.filter(recorded_at__gt=min(done.values())).order_by("recorded_at").values_list("recorded_at", flat=True)
    )
    last = latest.last()
    return {pk for pk, carried_out_at in done.items() if last is not None and last > carried_out_at}


def is_same(one: Request, other: Request) -> bool:
    """Whether both of one person ask for the same."""
    keys = _keys([one, other])
    return keys[one.pk] == keys[other.pk]


def _keys(requests: Sequence[Request]) -> dict[uuid.UUID, _Key]:
    """By what the same is known, for each of these of one person, whose key is read once for all."""
    worded = [one for one in requests if one.right in IN_WORDS]
    sealed = [
        (one, text, context)
        for one in worded
        for text, context in ((one.sealed_note, sealing.NOTE), (one.sealed_details, sealing.DETAILS))
    ]
    opened = iter(sealing.unseal_each(sealed))
    words = {one.pk: (_lines(next(opened) or ""), _particulars(next(opened))) for one in worded}
    return {one.pk: (one.right, json.dumps(one.scope, sort_keys=True), *words.get(one.pk, ())) for one in requests}


def _particulars(details: str | None) -> str:
    """What was said in fields; in which order things are to be corrected makes no other request of it."""
    said = json.loads(_lines(details)) if details else {}
    if isinstance(said.get("corrections"), list):
        said["corrections"] = sorted(json.dumps(one, sort_keys=True) for one in said["corrections"])
    return json.dumps(said, sort_keys=True)


def _lines(text: str) -> str:
    """A browser ends lines otherwise than a partner's program or a spreadsheet does; in JSON they are escaped."""
    return text.replace("\r\n", "\n").replace(r"\r\n", r"\n")
