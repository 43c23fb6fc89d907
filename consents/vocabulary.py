"""The words of consents: enumerations that import nothing of ours."""

import re

from django.db import models
from django.utils.translation import gettext_lazy as _

EVERY = ""
"""In purpose, recipient or category: all of them."""

ANYWHERE = "*"
"""In a rule's jurisdiction: wherever no more specific rule applies."""


NOTICE = re.compile(r"(?:[-a-zA-Z0-9_]{1,50}/[0-9]{1,6})?")
"""The notice that a choice names, as slug/version. No other text: the ledger keeps it for good."""


class Action(models.TextChoices):
    """What one person decided."""

    GRANT = "grant", _("Yes")
    DENY = "deny", _("No")
    WITHDRAW = "withdraw", _("Withdrawn")
    OBJECT = "object", _("Objection")
    RESTRICT = "restrict", _("Restricted")
    UNRESTRICT = "unrestrict", _("Restriction lifted")
    SIGNAL_ON = "signal_on", _("Opt-out signal")
    SIGNAL_OFF = "signal_off", _("Opt-out signal ended")


class Slot(models.TextChoices):
    """A person's choice, a restriction and an opt-out signal stand beside each other; none overwrites another."""

    CHOICE = "choice", _("choice")
    RESTRICTION = "restriction", _("restriction")
    SIGNAL = "signal", _("opt-out signal")


SLOT_OF = {
    Action.GRANT: Slot.CHOICE,
    Action.DENY: Slot.CHOICE,
    Action.WITHDRAW: Slot.CHOICE,
    Action.OBJECT: Slot.CHOICE,
    Action.RESTRICT: Slot.RESTRICTION,
    Action.UNRESTRICT: Slot.RESTRICTION,
    Action.SIGNAL_ON: Slot.SIGNAL,
    Action.SIGNAL_OFF: Slot.SIGNAL,
}
SAID = tuple(action for action, slot in SLOT_OF.items() if slot != Slot.SIGNAL)
"""What a person can say of a purpose; a signal is sent by their browser instead."""
PROTECTIVE = frozenset({Action.DENY, Action.WITHDRAW, Action.OBJECT, Action.RESTRICT, Action.SIGNAL_ON})
"""Of two choices made at the same moment, one of these wins."""


class Source(models.TextChoices):
    """Through which door a choice came in."""

    SELF_SERVICE = "self_service", _("on these pages")
    PARTNER = "partner", _("through a partner service")
    STAFF = "staff", _("through our privacy staff")
    IMPORT = "import", _("taken over from another system")
    GPC = "gpc", _("by your browser's signal")
    REQUEST = "request", _("through a request")


TAKEN_OVER = frozenset({Source.PARTNER, Source.IMPORT})
"""Doors through which somebody else tells us what a person said."""
OURS = frozenset({Source.REQUEST, Source.STAFF})
"""Doors of whoever answers a person's request. What they restrict, only they or the person lift (GDPR Art. 18)."""


class Kind(models.TextChoices):
    """What a ledger event tells of; everything that can change a decision is one."""

    CHOICE = "choice", _("choice")
    RULE = "rule", _("rule enacted")
    NOTICE = "notice", _("notice published")
    HOLD_OPENED = "hold_opened", _("hold opened")
    HOLD_LIFTED = "hold_lifted", _("hold lifted")
    ERASURE = "erasure", _("erasure")
    PEOPLE = "people", _("people registered")
    AMENDMENT = "amendment", _("person amended")
    EXPIRY = "expiry", _("agreement lapsed")


class Default(models.TextChoices):
    ALLOW = "allow", _("on unless refused")
    DENY = "deny", _("off unless agreed")


class LegalBasis(models.TextChoices):
    """GDPR Art. 6(1); DPV terms eu-gdpr:A6-1-a … f."""

    CONSENT = "consent", _("consent")
    CONTRACT = "contract", _("contract")
    LEGAL_OBLIGATION = "legal_obligation", _("legal obligation")
    VITAL_INTEREST = "vital_interest", _("vital interest")
    PUBLIC_TASK = "public_task", _("public task")
    LEGITIMATE_INTEREST = "legitimate_interest", _("legitimate interest")


class Category(models.TextChoices):
    """Kinds of data a choice may be limited to."""

    POSTS = "posts", _("posts and comments")
    PROFILE = "profile", _("profile")
    MESSAGES = "messages", _("messages")
    AI_INTERACTIONS = "ai_interactions", _("what you write to AI tools")


class Scheme(models.TextChoices):
    """Ways to name a person; a partner may bring schemes of its own beside these."""

    ACCOUNT = "account", _("account reference")
    EMAIL = "email", _("mail address")
    PHONE = "phone", _("telephone number")
    DEVICE = "device", _("device")


CONTACT_SCHEMES = frozenset({Scheme.EMAIL.value, Scheme.PHONE.value})
"""Kept encrypted, never written in a URL, a log or an export."""
