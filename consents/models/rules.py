"""What data is used for, by whom, and under which rule and notice."""

from typing import ClassVar

import pgtrigger
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.utils.translation import gettext_lazy as _

from consents.vocabulary import ANYWHERE, EVERY, Category, Default, LegalBasis
from portal.append_only import AppendOnly

REGIME_CHANGES = pgtrigger.Trigger(
    name="regime_changes",
    level=pgtrigger.Statement,
    when=pgtrigger.After,
    operation=pgtrigger.Insert | pgtrigger.Update | pgtrigger.Delete,
    func=(
        "INSERT INTO consents_regimestate (id, token) VALUES (1, gen_random_uuid())"
        " ON CONFLICT (id) DO UPDATE SET token = excluded.token; RETURN NULL;"
    ),
)
"""Whatever decisions are made by, other than what people say, renews the token under which it may be kept in memory."""


class RegimeState(models.Model):
    """One row: a token that changes, in the same transaction, with every rule, notice, hold, purpose and recipient."""

    id = models.PositiveSmallIntegerField(primary_key=True, default=1)
    token = models.UUIDField()

    PERSONAL: ClassVar[frozenset[str]] = frozenset()

    class Meta:
        constraints = [models.CheckConstraint(condition=models.Q(id=1), name="one_regime")]

    def __str__(self) -> str:
        return str(self.token)


class Recipient(models.Model):
    """A legal entity that receives data: the controller itself or an affiliate."""

    slug = models.SlugField(primary_key=True)
    name = models.CharField(_("name"), max_length=120)
    country = models.CharField(_("country"), max_length=2)
    is_controller = models.BooleanField(_("controller"), default=False)

    PERSONAL: ClassVar[frozenset[str]] = frozenset()

    class Meta:
        verbose_name = _("recipient")
        verbose_name_plural = _("recipients")
        triggers = [REGIME_CHANGES]

    def __str__(self) -> str:
        return self.name


class Purpose(models.Model):
    """Why data is used. The slug may be a path: `ai-training/affiliates`."""

    slug = models.CharField(primary_key=True, max_length=80)
    name = models.CharField(_("name"), max_length=120)
    description = models.TextField(_("description"))
    models_text = models.TextField(_("what happens to models trained before a no"), blank=True)
    dpv_term = models.CharField(_("DPV term"), max_length=200)
    categories = ArrayField(
        models.CharField(max_length=40, choices=Category.choices), default=list, verbose_name=_("data")
    )
    recipients = models.ManyToManyField(Recipient, related_name="purposes", blank=True)
    order = models.PositiveSmallIntegerField(default=0)

    PERSONAL: ClassVar[frozenset[str]] = frozenset()

    class Meta:
        verbose_name = _("purpose")
        verbose_name_plural = _("purposes")
        ordering = ["order", "slug"]
        triggers = [REGIME_CHANGES]

    def __str__(self) -> str:
        return self.name


class Notice(AppendOnly):
    """The text that tells people of a purpose; each publication is a row of its own."""

    slug = models.SlugField()
    version = models.PositiveIntegerField()
    locale = models.CharField(max_length=10, default="en")
    title = models.CharField(max_length=200)
    body = models.TextField()
    is_material = models.BooleanField(
        default=True, help_text=_("Older agreements no longer count under a material change.")
    )
    published_at = models.DateTimeField()
    effective_at = models.DateTimeField()
    recorded_at = models.DateTimeField()

    PERSONAL: ClassVar[frozenset[str]] = frozenset()

    class Meta(AppendOnly.Meta):
        verbose_name = _("notice")
        verbose_name_plural = _("notices")
        triggers = [*AppendOnly.Meta.triggers, REGIME_CHANGES]
        ordering = ["slug", "-version"]
        constraints = [
            models.UniqueConstraint(fields=["slug", "version", "locale"], name="one_text_per_notice_version"),
            models.CheckConstraint(
                condition=models.Q(effective_at__gte=models.F("published_at")), name="notice_before_effect"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.title} ({self.version})"


class Rule(AppendOnly):
    """For a jurisdiction, purpose and recipient: what holds where a person has not chosen. A change is a new row."""

    jurisdiction = models.CharField(max_length=6, help_text=_("A code, EU, EEA, or * for everywhere else"))
    purpose = models.ForeignKey(Purpose, on_delete=models.PROTECT, related_name="rules")
    recipient = models.CharField(max_length=50, default=EVERY, blank=True)
    legal_basis = models.CharField(max_length=30, choices=LegalBasis.choices)
    default = models.CharField(max_length=5, choices=Default.choices)
    gpc_denies = models.BooleanField(default=False, help_text=_("A browser's opt-out signal counts as a no."))
    notice = models.SlugField(blank=True, help_text=_("The notice that must have been published; empty if none."))
    notice_days = models.PositiveSmallIntegerField(default=0)
    consent_days = models.PositiveIntegerField(null=True, blank=True)
    admits_minors = models.BooleanField(default=False)
    explanation = models.TextField(help_text=_("The default and its reason, in words for the person."))
    source = models.CharField(max_length=300)
    effective_from = models.DateTimeField()
    effective_to = models.DateTimeField(null=True, blank=True)
    recorded_at = models.DateTimeField()

    PERSONAL: ClassVar[frozenset[str]] = frozenset()

    class Meta(AppendOnly.Meta):
        verbose_name = _("rule")
        verbose_name_plural = _("rules")
        triggers = [*AppendOnly.Meta.triggers, REGIME_CHANGES]
        ordering = ["purpose", "jurisdiction", "-effective_from"]
        permissions = [("enact_rule", _("Can enact a rule"))]
        constraints = [
            models.CheckConstraint(
                condition=models.Q(effective_to__isnull=True) | models.Q(effective_to__gt=models.F("effective_from")),
                name="rule_ends_after_it_begins",
            ),
            models.CheckConstraint(
                condition=models.Q(jurisdiction=ANYWHERE) | models.Q(jurisdiction__regex=r"^[A-Z]{2,3}(-[A-Z0-9]+)?$"),
                name="rule_names_a_jurisdiction",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.purpose_id} in {self.jurisdiction} from {self.effective_from:%Y-%m-%d}"


class RuleTurn(AppendOnly):
    """That the log was told of a rule's beginning or end, which came after the rule was enacted."""

    rule = models.ForeignKey(Rule, on_delete=models.PROTECT, related_name="turns")
    moment = models.DateTimeField()
    event_id = models.UUIDField()

    PERSONAL: ClassVar[frozenset[str]] = frozenset()

    class Meta(AppendOnly.Meta):
        constraints = [models.UniqueConstraint(fields=["rule", "moment"], name="told_once")]

    def __str__(self) -> str:
        return f"{self.rule_id} {self.moment:%Y-%m-%d}"


class NoticeTurn(AppendOnly):
    """That the log was told of a notice's publication or effect, which came after the version was recorded."""

    slug = models.SlugField()
    version = models.PositiveIntegerField()
    moment = models.DateTimeField()
    event_id = models.UUIDField()

    PERSONAL: ClassVar[frozenset[str]] = frozenset()

    class Meta(AppendOnly.Meta):
        constraints = [models.UniqueConstraint(fields=["slug", "version", "moment"], name="notice_told_once")]

    def __str__(self) -> str:
        return f"{self.slug}/{self.version} {self.moment:%Y-%m-%d}"
