"""Telling controllers of every change of status (OpenDSR 2.0, section 8.5), signed; see `callbacks`."""

import json
from datetime import datetime

from django.conf import settings
from django.db.models import QuerySet

from consents.models import Partner
from downstream.opendsr_wire import DOMAIN_HEADER, SIGNATURE_HEADER
from requests_app import callbacks, opendsr, opendsr_keys
from requests_app.callbacks import Clock, Line, Message
from requests_app.models import ControllerCallback, ControllerNotice, ControllerRequest
from requests_app.states import VOUCH

_SCOPE = "opendsr"


def deliver(*, clock: Clock, seconds: float) -> int:
    """Send what is due for about so many seconds; answers how many notices arrived. Not for use in a transaction."""
    if not settings.OPENDSR_DOMAIN:
        # in nobody's name; they wait until it is spoken again
        return 0
    return callbacks.deliver(LINE, clock=clock, seconds=seconds)


def _notices() -> "QuerySet[ControllerNotice]":
    sent = "callback__controller_request"
    return ControllerNotice.objects.select_related(f"{sent}__request__subject", f"{sent}__request__duplicate_of")


def _message(notice: ControllerNotice, at: datetime) -> Message | None:
    callback, word = notice.callback, opendsr.word_of(notice.status)
    if word == callback.told_status:
        return None
    sent = callback.controller_request
    told = opendsr.status_object(sent, word, is_told=_is_told(sent), at=at)
    body = json.dumps({**told, "status_callback_url": callback.url}).encode()
    signed = {DOMAIN_HEADER: settings.OPENDSR_DOMAIN, SIGNATURE_HEADER: opendsr_keys.sign(body)}
    return Message(callback.url, body, callbacks.JSON | signed)


def _is_told(sent: ControllerRequest) -> bool:
    """By the registration alone: no token comes with what we send."""
    controller = Partner.objects.filter(slug=sent.partner).first()
    if controller is None or _SCOPE not in controller.scopes:
        return False
    vouches = VOUCH in controller.scopes
    return opendsr.may_be_told(sent, controller=controller, vouches=vouches)


def _heard(notice: ControllerNotice) -> None:
    ControllerCallback.objects.filter(pk=notice.callback_id).update(told_status=opendsr.word_of(notice.status))


LINE = Line(_notices, "callback", "callback__controller_request__partner", _message, _heard)
