"""What OpenDSR processors report by themselves: proven to be theirs, then taken as a hint to go and ask.

What a callback says is not believed: it carries no time, so an old one could be sent again. The status that counts is
the one that the processor signs when it is asked.
"""

import json
import uuid
from datetime import datetime
from typing import Any

from django.conf import settings
from django.db import transaction

from downstream import registry
from downstream.asking import CALLBACK
from downstream.connectors.base import ConnectorError
from downstream.holders.opendsr import OpenDSR
from downstream.models import Dataset, HolderRequest, Propagation
from downstream.propagation_states import Status
from portal.errors import DomainError, Forbidden, NotFound


def hear(*, domain: str, signature: str, body: bytes, at: datetime) -> None:
    """Ask soon after the request that this callback is about.

    Raises Forbidden(`wrong_signature`) before anything of the body is looked at, DomainError(`callback_unreadable`),
    NotFound(`unknown_request`).
    """
    theirs = [
        one for one in Dataset.objects.living().filter(kind="opendsr") if _has_signed(one, body, domain, signature)
    ]
    if not theirs:
        raise Forbidden("wrong_signature", "This is not signed by a processor that we ask.")
    _look_soon(_request_id(body), theirs, at=at)


def _has_signed(dataset: Dataset, body: bytes, domain: str, signature: str) -> bool:
    processor = registry.holder(dataset)
    try:
        return isinstance(processor, OpenDSR) and processor.may_have_called(body, domain=domain, signature=signature)
    except ConnectorError:
        # its certificate cannot be had now: its callbacks cannot be proven, and the next look comes anyway
        return False


def _request_id(body: bytes) -> uuid.UUID:
    try:
        said: Any = json.loads(body)
        address, found = str(said["status_callback_url"]), uuid.UUID(str(said["subject_request_id"]))
    except (ValueError, KeyError, TypeError, RecursionError):
        raise DomainError("callback_unreadable", "A callback names its request and its own address.") from None
    if address != f"{settings.SITE_URL}{CALLBACK}":
        raise DomainError(
            "callback_not_ours", "This callback is meant for another address.", field="status_callback_url"
        )
    return found


@transaction.atomic
def _look_soon(request_id: uuid.UUID, theirs: list[Dataset], *, at: datetime) -> None:
    asked = HolderRequest.objects.filter(pk=request_id, propagation__dataset__in=theirs).first()
    if asked is None:
        raise NotFound("unknown_request", "We did not ask this.")
    HolderRequest.objects.filter(pk=request_id, state=HolderRequest.State.SENT).update(next_look_at=at)
    run = Propagation.objects.filter(pk=asked.propagation_id, status=Status.AWAITING)
    run.update(next_try_at=at, handed_over_at=None)
