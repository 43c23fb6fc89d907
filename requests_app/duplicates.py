"""The same asked again while it is open: recognised, linked to the first, and answered with it."""

import json
import uuid
from collections.abc import Mapping, Sequence
from typing import Any

from consents.models import Subject
from requests_app.models import Request
from requests_app.states import FOLLOW_UPS


def find(requests: Sequence[Request], subject: Subject) -> dict[uuid.UUID, Request]:
    """The open request of this person that asks for the same as each of these, by the id of the latter."""
    standing = Request.objects.open().proven().filter(subject=subject, duplicate_of__isnull=True, about__isnull=True)
    wanted = {one.right for one in requests if one.right not in FOLLOW_UPS}
    earlier = {(one.right, _key(one.scope)): one for one in standing.filter(right__in=wanted).order_by("-received_at")}
    found = {one.pk: earlier.get((one.right, _key(one.scope))) for one in requests if one.right in wanted}
    return {pk: first for pk, first in found.items() if first is not None and first.pk != pk}


def _key(scope: Mapping[str, Any]) -> str:
    return json.dumps(scope, sort_keys=True)
