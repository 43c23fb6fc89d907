"""The same asked again while it is open: recognised, linked to the first, and answered with it.

A no that counts at once is asked anew, not again, where the person said yes in between: it has to be their last word.
"""

import json
import uuid
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from consents.models import LedgerEvent, Subject
from consents.vocabulary import PROTECTIVE, Kind
from requests_app.models import Request
from requests_app.states import AT_ONCE, FOLLOW_UPS


def find(requests: Sequence[Request], subject: Subject) -> dict[uuid.UUID, Request]:
    """The open request of this person that asks for the same as each of these, by the id of the latter."""
    standing = Request.objects.open().proven().filter(subject=subject, duplicate_of__isnull=True, about__isnull=True)
    wanted = {one.right for one in requests if one.right not in FOLLOW_UPS}
    earlier: dict[tuple[str, str], Request] = {}
    for one in standing.filter(right__in=wanted).order_by("received_at", "pk"):
        # of what was said anew, the newest
        if one.right in AT_ONCE or (one.right, _key(one.scope)) not in earlier:
            earlier[one.right, _key(one.scope)] = one
    found = {one.pk: earlier.get((one.right, _key(one.scope))) for one in requests if one.right in wanted}
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


def _key(scope: Mapping[str, Any]) -> str:
    return json.dumps(scope, sort_keys=True)
