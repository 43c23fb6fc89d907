"""What agents sent over the Data Rights Protocol, and what they have to be told of it."""

from typing import ClassVar

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from requests_app.models.agents import Agent
from requests_app.models.notices import StatusNotice
from requests_app.models.protocols import ProtocolRequest, became_a_request_or_was_settled
from requests_app.models.requests import Request


class AgentRequest(ProtocolRequest):
    """One message of an agent by which it exercises a right: the request that came of it, or how it was settled.

    What it says of the person is in the request, sealed; here are the agent's own ids alone.
    """

    agent = models.ForeignKey(Agent, on_delete=models.PROTECT, related_name="sent")
    agent_request_id = models.CharField(_("agent's own id"), max_length=200)
    exercise = models.CharField(_("exercises"), max_length=60)
    regime = models.CharField(_("under"), max_length=20, blank=True)
    request = models.OneToOneField(
        Request, null=True, blank=True, on_delete=models.PROTECT, related_name="agent_request"
    )
    settled_reason = models.CharField(max_length=40, blank=True)
    status_callback = models.CharField(_("told at"), max_length=1000, blank=True)
    told_status = models.CharField(_("told last"), max_length=20, blank=True)
    told_reason = models.CharField(max_length=40, blank=True)

    PERSONAL: ClassVar[frozenset[str]] = frozenset({"agent_request_id", "status_callback"})

    class Meta(ProtocolRequest.Meta):
        verbose_name = _("agent's request")
        verbose_name_plural = _("agents' requests")
        constraints = [
            models.UniqueConstraint(fields=["agent", "agent_request_id"], name="one_request_per_agents_id"),
            became_a_request_or_was_settled("became_a_request_or_was_settled"),
        ]

    def __str__(self) -> str:
        return f"{self.exercise} of {self.received_at:%Y-%m-%d}"


class AgentNotice(StatusNotice):
    """A change of status that an agent has to be told of.

    Written by the trigger `tells_the_agent` of Request, in the transaction of the change; sent by `drp_callbacks`.
    """

    agent_request = models.ForeignKey(AgentRequest, on_delete=models.PROTECT, related_name="notices")

    PERSONAL: ClassVar[frozenset[str]] = frozenset()

    class Meta(StatusNotice.Meta):
        verbose_name = _("notice to an agent")
        verbose_name_plural = _("notices to agents")
        indexes = [
            models.Index(fields=["agent_request", "id"], name="agent_notice_due", condition=Q(state="pending")),
        ]
