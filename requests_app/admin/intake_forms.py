"""What staff fill in for somebody who called, wrote or came by."""

from dataclasses import dataclass
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
from requests_app.admin.correction_forms import StaffCorrectionsForm
from requests_app.intake import Asked, Requester
from requests_app.models import Request
from requests_app.states import BY_STAFF, BY_WHOM, FOLLOW_UPS, LIMITED, Channel, CheckMethod, Right
from requests_app.taking_down import TakenDown

FIELDS = {
    "received_at": "received_on",
    "right": "rights",
    "scope": "rights",
    "subject": "identifier",
    "requester": "requester_name",
    "about": "earlier",
}
"""What domain refusals name, as it is called here."""


ABOUT = {
    Right.OBJECTION: _("What they object to"),
    Right.WITHDRAW_CONSENT: _("Which consent they take back"),
    Right.OPT_OUT_SALE: _("What their data is not to be sold or shared for"),
    Right.RESTRICTION: _("Which uses are to be put on hold"),
}
MAY_BE_ALL = {
    Right.OPT_OUT_SALE: _("None ticked: everything for which data is sold or shared."),
    Right.RESTRICTION: _("None ticked: every use."),
}
"""Of these naming none means all."""


@dataclass(frozen=True)
class Particular:
    """Fields that belong to these rights alone; whether something stands in them, so that they are shown anyhow."""

    rights: tuple[Right, ...]
    fields: list[forms.BoundField]
    is_corrections: bool = False

    @property
    def is_said(self) -> bool:
        return any(one.errors or one.value() for one in self.fields)


def _purposes() -> list[tuple[str, str]]:
    return [(one.slug, one.name) for one in Purpose.objects.order_by("slug")]


def _purposes_of(right: Right) -> forms.MultipleChoiceField:
    return forms.MultipleChoiceField(
        label=ABOUT[right],
        required=False,
        choices=_purposes,
        widget=UnfoldAdminCheckboxSelectMultipleWidget,
        help_text=MAY_BE_ALL.get(right, ""),
    )


class IntakeForm(StaffCorrectionsForm):
    """One call, letter, mail or visit. Several rights become requests of one group, each with its own particulars."""

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
    purposes_objection = _purposes_of(Right.OBJECTION)
    purposes_withdraw_consent = _purposes_of(Right.WITHDRAW_CONSENT)
    purposes_opt_out_sale = _purposes_of(Right.OPT_OUT_SALE)
    purposes_restriction = _purposes_of(Right.RESTRICTION)
    note = forms.CharField(
        label=_("What they said"),
        required=False,
        max_length=intake.LONGEST_NOTE,
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 4}),
    )
    earlier = forms.CharField(
        label=_("About the earlier request"),
        required=False,
        max_length=60,
        widget=UnfoldAdminTextInputWidget,
        help_text=_("The reference (Q-…) of what the appeal or the complaint is about."),
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

    @property
    def particulars(self) -> list[Particular]:
        """What single rights need to know, in the order of the rights."""
        listed = [Particular((right,), [self[_named(right)]]) for right in LIMITED]
        corrections = [field for one in self.corrections for field in one]
        listed.append(Particular((Right.RECTIFICATION,), corrections, is_corrections=True))
        listed.append(Particular((Right.APPEAL, Right.COMPLAINT), [self["earlier"]]))
        return listed

    @property
    def common(self) -> list[forms.BoundField]:
        """Every field that belongs to whatever is asked."""
        particular = {field.name for one in self.particulars for field in one.fields}
        return [field for field in self if field.name not in particular]

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean()
        rights = set(cleaned.get("rights", []))
        for right in LIMITED:
            if right in rights and right not in MAY_BE_ALL and not cleaned.get(_named(right)):
                self.add_error(_named(right), _("Tick which use it is about."))
        if rights:
            self._refuse_what_belongs_to_nothing(rights)
        return cleaned

    def taken(self, *, at: datetime) -> TakenDown:
        """What was filled in. Raises DomainError."""
        filled = self.cleaned_data
        earlier = _about(filled["earlier"]) if set(filled["rights"]) & FOLLOW_UPS else None
        corrections = self.filled_corrections()
        asked = Asked(
            rights=tuple(filled["rights"]),
            jurisdiction=filled["jurisdiction"],
            note=filled["note"],
            scopes={right: {"purposes": filled[_named(right)]} for right in LIMITED if filled[_named(right)]},
            particulars={Right.RECTIFICATION: {"corrections": corrections}} if corrections else {},
            locale=filled["locale"],
            channel=Channel(filled["channel"]),
            capacity=filled["capacity"],
            requester=_requester(filled),
            about=earlier,
            received_at=taking_down.received(filled["received_on"], at=at),
        )
        return TakenDown(asked, subjects.name(filled["scheme"], filled["identifier"]), filled["shown"])

    def _refuse_what_belongs_to_nothing(self, rights: set[str]) -> None:
        """What was filled in for a right that is not ticked would be lost without a word."""
        for one in self.particulars:
            first = next((field for field in one.fields if field.value()), None)
            if first is not None and rights.isdisjoint(one.rights):
                label = " / ".join(str(right.label) for right in one.rights)
                self.add_error(first.name, _("Tick “%s” above too, or leave this empty.") % label)


class ImportForm(forms.Form):
    """A file of requests from elsewhere."""

    file = forms.FileField(
        label=_("File"),
        widget=UnfoldAdminFileFieldWidget,
        help_text=_(
            "CSV in UTF-8 with a header, as spreadsheets save it: divided by commas or semicolons. Nothing is taken in "
            "before you have seen how it is read and what is wrong with it."
        ),
    )


def _named(right: Right) -> str:
    return f"purposes_{right.value}"


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
