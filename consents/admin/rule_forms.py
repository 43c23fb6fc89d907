"""What staff fill in to propose a rule, and to open and note a regulator's case."""

from datetime import UTC, date, datetime, time
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _
from unfold.forms import BaseDialogForm
from unfold.widgets import (
    UnfoldAdminIntegerFieldWidget,
    UnfoldAdminSelectWidget,
    UnfoldAdminTextareaWidget,
    UnfoldAdminTextInputWidget,
    UnfoldBooleanWidget,
)

from consents.models import Hold, Notice, Purpose, Recipient
from consents.rules import Proposal
from consents.vocabulary import Default, LegalBasis


def _notices() -> list[tuple[str, Any]]:
    slugs = Notice.objects.order_by("slug").values_list("slug", flat=True).distinct()
    return [("", _("none is needed")), *((slug, slug) for slug in slugs)]


class RuleForm(forms.Form):
    """A next version of a rule. Days are days in UTC and begin at midnight."""

    purpose = forms.ModelChoiceField(Purpose.objects.all(), label=_("Purpose"), widget=UnfoldAdminSelectWidget)
    jurisdiction = forms.CharField(
        label=_("Jurisdiction"),
        max_length=6,
        widget=UnfoldAdminTextInputWidget,
        help_text=_("A code such as GB or US-CA, a group (EU, EEA), or * for everywhere else."),
    )
    recipient = forms.ModelChoiceField(
        Recipient.objects.all(),
        label=_("Recipient"),
        required=False,
        empty_label=_("every recipient"),
        widget=UnfoldAdminSelectWidget,
        help_text=_("A rule for one recipient goes before the rule for all of them in the same jurisdiction."),
    )
    default = forms.ChoiceField(label=_("Default"), choices=Default.choices, widget=UnfoldAdminSelectWidget)
    legal_basis = forms.ChoiceField(
        label=_("Legal basis"), choices=[("", "–"), *LegalBasis.choices], widget=UnfoldAdminSelectWidget
    )
    effective_from = forms.DateField(
        label=_("In force from"), widget=UnfoldAdminTextInputWidget(attrs={"type": "date"}), help_text=_("0:00 UTC")
    )
    effective_to = forms.DateField(
        label=_("Until"),
        required=False,
        widget=UnfoldAdminTextInputWidget(attrs={"type": "date"}),
        help_text=_("Empty: until a next version. After it, a wider rule answers, or nobody is in."),
    )
    notice = forms.ChoiceField(
        label=_("Notice"),
        required=False,
        choices=_notices,
        widget=UnfoldAdminSelectWidget,
        help_text=_("Without it having been published, the default does not turn on."),
    )
    notice_days = forms.IntegerField(
        label=_("Days between notice and use"), min_value=0, max_value=3650, widget=UnfoldAdminIntegerFieldWidget
    )
    consent_days = forms.IntegerField(
        label=_("Days that an agreement lasts"),
        required=False,
        min_value=1,
        max_value=36500,
        widget=UnfoldAdminIntegerFieldWidget,
        help_text=_("Only where consent is the basis. Empty: no end."),
    )
    gpc_denies = forms.BooleanField(
        label=_("A browser's opt-out signal counts as a no"), required=False, widget=UnfoldBooleanWidget
    )
    admits_minors = forms.BooleanField(label=_("Minors are in too"), required=False, widget=UnfoldBooleanWidget)
    explanation = forms.CharField(
        label=_("Explanation"),
        max_length=1000,
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 2}),
        help_text=_("People read this as the reason for the default."),
    )
    source = forms.CharField(
        label=_("Source"),
        max_length=300,
        widget=UnfoldAdminTextInputWidget,
        help_text=_("The law, the terms or the decision behind it."),
    )

    def proposal(self) -> Proposal:
        """The rule as the domain takes it."""
        given = self.cleaned_data
        words = {name: given[name] for name in ("default", "legal_basis", "notice", "explanation", "source")}
        return Proposal(
            **words,
            jurisdiction=given["jurisdiction"],
            purpose=given["purpose"].pk,
            recipient=given["recipient"].pk if given["recipient"] else "",
            notice_days=given["notice_days"],
            consent_days=given["consent_days"],
            gpc_denies=given["gpc_denies"],
            admits_minors=given["admits_minors"],
            effective_from=_midnight(given["effective_from"]),
            effective_to=_midnight(given["effective_to"]) if given["effective_to"] else None,
        )


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(), UTC)


class CaseForm(forms.Form):
    """An inquiry of an authority."""

    authority = forms.CharField(
        label=_("Authority"), max_length=120, widget=UnfoldAdminTextInputWidget, help_text=_("For example: ICO")
    )
    reference = forms.CharField(
        label=_("Their reference"), max_length=120, required=False, widget=UnfoldAdminTextInputWidget
    )
    title = forms.CharField(label=_("What it is about"), max_length=200, widget=UnfoldAdminTextInputWidget)
    notes = forms.CharField(
        label=_("To begin with"),
        max_length=4000,
        required=False,
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 3}),
        help_text=_("Questions, dates, who speaks with them."),
    )


class NoteForm(BaseDialogForm):  # type: ignore[misc]
    """A note in a case."""

    text = forms.CharField(
        label=_("What happened"),
        max_length=4000,
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 4}),
        help_text=_("It cannot be changed later."),
    )


class LinkForm(BaseDialogForm):  # type: ignore[misc]
    """A hold that belongs to a case."""

    hold = forms.ModelChoiceField(
        Hold.objects.filter(case__isnull=True), label=_("Hold"), widget=UnfoldAdminSelectWidget
    )
