"""What staff fill in for somebody who called, wrote or came by."""

from datetime import datetime
from typing import Any

from django import forms
from django.conf import settings
from django.utils.translation import gettext_lazy as _
from unfold.widgets import (
    UnfoldAdminCheckboxSelectMultipleWidget,
    UnfoldAdminFileFieldWidget,
    UnfoldAdminSelectWidget,
    UnfoldAdminTextareaWidget,
    UnfoldAdminTextInputWidget,
)

from consents import subjects
from consents.models import Purpose
from consents.vocabulary import Scheme
from portal import references
from portal.errors import NotFound
from requests_app import intake, taking_down
from requests_app.intake import Asked, Requester
from requests_app.models import Request
from requests_app.states import BY_STAFF, BY_WHOM, FOLLOW_UPS, Channel, CheckMethod, Right
from requests_app.taking_down import TakenDown

FIELDS = {
    "received_at": "received_on",
    "right": "rights",
    "scope": "purposes",
    "subject": "identifier",
    "requester": "requester_name",
}
"""What domain refusals name, as it is called here."""


def _purposes() -> list[tuple[str, str]]:
    return [(one.slug, one.name) for one in Purpose.objects.order_by("slug")]


class IntakeForm(forms.Form):
    """One call, letter, mail or visit. Several rights become requests of one group."""

    channel = forms.ChoiceField(
        label=_("How it came in"),
        choices=[(one.value, one.label) for one in BY_STAFF],
        widget=UnfoldAdminSelectWidget,
    )
    received_on = forms.DateField(
        label=_("Day received"),
        widget=UnfoldAdminTextInputWidget(attrs={"type": "date"}),
        help_text=_("The day on which it reached the company, as its stamp says: the clock counts from that day."),
    )
    scheme = forms.ChoiceField(
        label=_("The person is named by"),
        choices=[(one.value, one.label) for one in (Scheme.EMAIL, Scheme.PHONE, Scheme.ACCOUNT)],
        widget=UnfoldAdminSelectWidget,
    )
    identifier = forms.CharField(
        label=_("Address, number or reference"),
        max_length=255,
        widget=UnfoldAdminTextInputWidget,
        help_text=_(
            "Exactly as it is. Each look-up is recorded. Whoever is not known waits for a code to this address."
        ),
    )
    jurisdiction = forms.CharField(
        label=_("Lives in"),
        max_length=6,
        required=False,
        widget=UnfoldAdminTextInputWidget,
        help_text=_("A code such as GB or US-CA. Empty where we know the person: then what we know counts."),
    )
    rights = forms.MultipleChoiceField(
        label=_("Asks to"),
        choices=[(one.value, one.label) for one in Right],
        widget=UnfoldAdminCheckboxSelectMultipleWidget,
    )
    purposes = forms.MultipleChoiceField(
        label=_("Uses that it is about"),
        required=False,
        choices=_purposes,
        widget=UnfoldAdminCheckboxSelectMultipleWidget,
        help_text=_("For an objection, taking back a consent, an opt-out from sale, a hold on some uses."),
    )
    note = forms.CharField(
        label=_("What they said"),
        required=False,
        max_length=intake.LONGEST_NOTE,
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 4}),
    )
    corrections = forms.CharField(
        label=_("What is to be corrected"),
        required=False,
        max_length=2_000,
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 2}),
        help_text=_("What is wrong, and what is right. Kept with the note, under the person's own key."),
    )
    about = forms.CharField(
        label=_("About the earlier request"),
        required=False,
        max_length=60,
        widget=UnfoldAdminTextInputWidget,
        help_text=_("The reference (Q-…) of what an appeal or a complaint is about."),
    )
    capacity = forms.ChoiceField(label=_("Asks"), choices=BY_WHOM, widget=UnfoldAdminSelectWidget)
    requester_name = forms.CharField(
        label=_("Name of who asks for the person"),
        required=False,
        max_length=200,
        widget=UnfoldAdminTextInputWidget,
        help_text=_("Empty where they ask for themselves."),
    )
    requester_contact = forms.EmailField(
        label=_("Mail address of who asks"), required=False, max_length=255, widget=UnfoldAdminTextInputWidget
    )
    relation = forms.CharField(
        label=_("What they say of their authority"), required=False, max_length=300, widget=UnfoldAdminTextInputWidget
    )
    shown = forms.ChoiceField(
        label=_("Identity"),
        required=False,
        choices=[
            ("", _("not shown yet: they are asked for it")),
            (CheckMethod.DOCUMENT.value, _("shown: I looked at a document")),
            (CheckMethod.CALLBACK.value, _("shown: I called a number that we know")),
        ],
        widget=UnfoldAdminSelectWidget,
        help_text=_("Of somebody who asks for another, also that they may."),
    )
    locale = forms.ChoiceField(label=_("Answered in"), choices=settings.LANGUAGES, widget=UnfoldAdminSelectWidget)

    def taken(self, *, at: datetime) -> TakenDown:
        """What was filled in. Raises DomainError."""
        filled = self.cleaned_data
        about = _about(filled["about"]) if set(filled["rights"]) & FOLLOW_UPS else None
        asked = Asked(
            rights=tuple(filled["rights"]),
            jurisdiction=filled["jurisdiction"],
            note="\n\n".join(part for part in (filled["note"], filled["corrections"]) if part.strip()),
            scope={"purposes": filled["purposes"]} if filled["purposes"] else {},
            locale=filled["locale"],
            channel=Channel(filled["channel"]),
            capacity=filled["capacity"],
            requester=_requester(filled),
            about=about,
            received_at=taking_down.received(filled["received_on"], at=at),
        )
        return TakenDown(asked, subjects.name(filled["scheme"], filled["identifier"]), filled["shown"])


class ImportForm(forms.Form):
    """A file of requests from elsewhere."""

    file = forms.FileField(
        label=_("File"),
        widget=UnfoldAdminFileFieldWidget,
        help_text=_("CSV in UTF-8 with a header. Nothing is taken in before you have seen what is wrong with it."),
    )


def _requester(filled: dict[str, Any]) -> Requester | None:
    if not filled["requester_name"].strip():
        return None
    return Requester(filled["requester_name"].strip(), filled["requester_contact"], filled["relation"].strip())


def _about(reference: str) -> Request | None:
    """Raises NotFound(`unknown_request`)."""
    if not reference.strip():
        return None
    try:
        earlier = Request.objects.filter(pk=references.decode("Q", reference.strip())).first()
    except NotFound:
        earlier = None
    if earlier is None:
        raise NotFound("unknown_request", "There is no request of this reference.", field="about")
    return earlier
