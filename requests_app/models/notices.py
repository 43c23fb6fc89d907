"""What others have to be told of a request's changes; see `callbacks` for how."""

from typing import ClassVar

import pgtrigger
from django.db import models
from django.utils.translation import gettext_lazy as _

from requests_app.states import Status

_TELL_THE_AGENT = """
    INSERT INTO requests_app_agentnotice
                (agent_request_id, status, ground, changed_at, state, attempts, last_reason)
         SELECT id, NEW.status, NEW.refusal_ground, clock_timestamp(), 'pending', 0, ''
           FROM requests_app_agentrequest WHERE request_id = NEW.id AND status_callback <> '';
    RETURN NULL;
"""


_TELL_THE_CONTROLLER = """
    INSERT INTO requests_app_controllernotice
                (callback_id, status, ground, changed_at, state, attempts, last_reason)
         SELECT callback.id, NEW.status, NEW.refusal_ground, clock_timestamp(), 'pending', 0, ''
           FROM requests_app_controllerrequest AS sent
           JOIN requests_app_controllercallback AS callback ON callback.controller_request_id = sent.id
          WHERE sent.request_id = NEW.id;
    RETURN NULL;
"""
TELLING_OTHERS = [
    # protocols want every change told, whoever makes it; see `drp_callbacks` and `opendsr_callbacks`
    pgtrigger.Trigger(
        name="tells_the_agent",
        operation=pgtrigger.Update,
        when=pgtrigger.After,
        condition=pgtrigger.Condition("NEW.agent_id IS NOT NULL AND OLD.status IS DISTINCT FROM NEW.status"),
        func=_TELL_THE_AGENT,
    ),
    pgtrigger.Trigger(
        name="tells_the_controller",
        operation=pgtrigger.Update,
        when=pgtrigger.After,
        condition=pgtrigger.Condition("NEW.capacity = 'controller' AND OLD.status IS DISTINCT FROM NEW.status"),
        func=_TELL_THE_CONTROLLER,
    ),
]
"""Triggers of Request."""


class StatusNotice(models.Model):
    """A change of status that somebody has to be told of. A model that derives from it says who."""

    class State(models.TextChoices):
        PENDING = "pending", _("to be sent")
        SENT = "sent", _("sent")
        SKIPPED = "skipped", _("nothing new to tell")
        GIVEN_UP = "given_up", _("given up")

    id = models.BigAutoField(primary_key=True)
    status = models.CharField(_("status"), max_length=20, choices=Status.choices)
    ground = models.CharField(max_length=30, blank=True)
    changed_at = models.DateTimeField(_("changed"))
    state = models.CharField(_("state"), max_length=10, choices=State.choices, default=State.PENDING)
    next_try_at = models.DateTimeField(null=True, blank=True, help_text=_("Empty: at once."))
    lease_until = models.DateTimeField(null=True, blank=True)
    token = models.UUIDField(null=True, blank=True)
    attempts = models.PositiveSmallIntegerField(_("attempts"), default=0)
    last_reason = models.CharField(max_length=40, blank=True, help_text=_("HTTP status, or what went wrong."))

    PERSONAL: ClassVar[frozenset[str]] = frozenset()

    class Meta:
        abstract = True
        ordering = ["id"]

    def __str__(self) -> str:
        return self.status
