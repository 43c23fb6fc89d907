"""Authorised agents of the Data Rights Protocol, and the keys by which what they send is checked."""

from typing import ClassVar

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _


class Agent(models.Model):
    """Somebody whom people authorise to ask for them (Cal. Civ. Code § 1798.135(e); DRP 1.0)."""

    id = models.CharField(_("agent id"), max_length=120, primary_key=True)
    name = models.CharField(_("name"), max_length=120)
    web_url = models.URLField(_("web page"), blank=True)
    technical_contact = models.CharField(_("technical contact"), max_length=200, blank=True)
    business_contact = models.CharField(_("business contact"), max_length=200, blank=True)
    token_digest = models.BinaryField(max_length=32, null=True, editable=False)
    token_made_at = models.DateTimeField(null=True, blank=True)
    suspended_at = models.DateTimeField(_("suspended"), null=True, blank=True)
    registered_at = models.DateTimeField(_("registered"))

    PERSONAL: ClassVar[frozenset[str]] = frozenset({"technical_contact", "business_contact", "token_digest"})

    class Meta:
        verbose_name = _("authorised agent")
        verbose_name_plural = _("authorised agents")
        ordering = ["name"]
        permissions = [("manage_agents", _("Can register authorised agents, rotate their keys and suspend them"))]
        constraints = [
            models.UniqueConstraint(
                fields=["token_digest"], condition=Q(token_digest__isnull=False), name="one_agent_per_token"
            )
        ]

    def __str__(self) -> str:
        return self.name


class AgentKey(models.Model):
    """An Ed25519 key by which an agent's messages are checked; the newest that is not retired counts."""

    agent = models.ForeignKey(Agent, on_delete=models.PROTECT, related_name="keys")
    verify_key = models.CharField(_("verify key"), max_length=44, help_text=_("Base64 of 32 bytes."))
    added_at = models.DateTimeField()
    added_by = models.CharField(max_length=120)
    retired_at = models.DateTimeField(null=True, blank=True)

    PERSONAL: ClassVar[frozenset[str]] = frozenset()

    class Meta:
        verbose_name = _("agent's key")
        verbose_name_plural = _("agents' keys")
        ordering = ["-added_at", "-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["agent"], condition=Q(retired_at__isnull=True), name="one_living_key_per_agent"
            )
        ]

    def __str__(self) -> str:
        return self.verify_key[:8]
