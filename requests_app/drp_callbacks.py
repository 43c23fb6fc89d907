"""Telling agents of every change of status (Data Rights Protocol 1.0, `status_callback`); see `callbacks`."""

import json
from datetime import datetime

from django.db.models import QuerySet

from requests_app import callbacks, drp
from requests_app.callbacks import Clock, Line, Message
from requests_app.models import AgentNotice, AgentRequest


def deliver(*, clock: Clock, seconds: float) -> int:
    """Send what is due for about so many seconds; answers how many notices arrived. Not for use in a transaction."""
    return callbacks.deliver(LINE, clock=clock, seconds=seconds)


def _notices() -> "QuerySet[AgentNotice]":
    return AgentNotice.objects.select_related("agent_request__agent", "agent_request__request__subject")


def _message(notice: AgentNotice, at: datetime) -> Message | None:
    sent, news = notice.agent_request, _news(notice)
    if news == drp.told(sent):
        return None
    return Message(sent.status_callback, json.dumps(drp.status_object(sent, news)).encode(), callbacks.JSON)


def _heard(notice: AgentNotice) -> None:
    news = _news(notice)
    AgentRequest.objects.filter(pk=notice.agent_request_id).update(told_status=news.status, told_reason=news.reason)


def _news(notice: AgentNotice) -> drp.Standing:
    request = notice.agent_request.request
    if request is None:
        return drp.of_status(notice.status, notice.ground, is_known=True)
    return drp.of_request(request, notice.status, notice.ground)


LINE = Line(_notices, "agent_request", "agent_request__agent_id", _message, _heard)
