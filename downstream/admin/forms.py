"""What staff fill in to open a hold."""

from datetime import UTC, date, datetime, time

from django import forms
from django.utils.translation import gettext_lazy as _
from unfold.forms import BaseDialogForm
from unfold.widgets import (
    UnfoldAdminCheckboxSelectMultipleWidget,
    UnfoldAdminSelectWidget,
    UnfoldAdminTextareaWidget,
    UnfoldAdminTextInputWidget,
)

from consents import holds
from consents.models import Purpose, Recipient, RegulatorCase


class HoldForm(forms.Form):
    """Scope, case, authority and reason of a hold."""

    purposes = forms.ModelMultipleChoiceField(
        Purpose.objects.all(),
        label=_("Purposes"),
        required=False,
        widget=UnfoldAdminCheckboxSelectMultipleWidget,
        help_text=_("None chosen: every purpose."),
    )
    jurisdictions = forms.CharField(
        label=_("Jurisdictions"),
        required=False,
        widget=UnfoldAdminTextInputWidget,
        help_text=_("Codes with commas between, such as GB, US-CA, EEA. Empty: everywhere."),
    )
    recipients = forms.ModelMultipleChoiceField(
        Recipient.objects.all(),
        label=_("Recipients"),
        required=False,
        widget=UnfoldAdminCheckboxSelectMultipleWidget,
        help_text=_("Who may not use the data. None chosen: nobody may."),
    )
    data_from = forms.DateField(
        label=_("Only data made from"),
        required=False,
        widget=UnfoldAdminTextInputWidget(attrs={"type": "date"}),
        help_text=_("For an undertaking over a span of data. Empty: from the beginning."),
    )
    data_until = forms.DateField(
        label=_("Only data made before"),
        required=False,
        widget=UnfoldAdminTextInputWidget(attrs={"type": "date"}),
        help_text=_("This day itself is outside, at 0:00 UTC. Empty: without end. Both empty: all data."),
    )
    case = forms.ModelChoiceField(
        RegulatorCase.objects.filter(closed_at__isnull=True),
        label=_("Regulator case"),
        required=False,
        empty_label=_("none"),
        widget=UnfoldAdminSelectWidget,
    )
    authority = forms.CharField(
        label=_("Authority"),
        max_length=120,
        required=False,
        widget=UnfoldAdminTextInputWidget,
        help_text=_("Who asked for it, such as ICO; empty if nobody did."),
    )
    reason = forms.CharField(
        label=_("Reason"),
        max_length=4000,
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 3}),
        help_text=_("People in scope read this on their pages."),
    )

    def scope(self) -> holds.HoldScope:
        """The scope as the domain takes it."""
        places = [code.strip() for code in self.cleaned_data["jurisdictions"].split(",") if code.strip()]
        return holds.HoldScope(
            purposes=[purpose.pk for purpose in self.cleaned_data["purposes"]],
            jurisdictions=places,
            recipients=[recipient.pk for recipient in self.cleaned_data["recipients"]],
            data_from=_midnight(self.cleaned_data["data_from"]),
            data_until=_midnight(self.cleaned_data["data_until"]),
        )


def _midnight(day: date | None) -> datetime | None:
    return datetime.combine(day, time(), UTC) if day else None


class ColumnForm(BaseDialogForm):  # type: ignore[misc]
    """The column that tells when a row was made."""

    column = forms.CharField(label=_("Column"), max_length=200, widget=UnfoldAdminTextInputWidget)
