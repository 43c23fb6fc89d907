"""What staff fill in to open a hold."""

from django import forms
from django.utils.translation import gettext_lazy as _
from unfold.widgets import (
    UnfoldAdminCheckboxSelectMultipleWidget,
    UnfoldAdminTextareaWidget,
    UnfoldAdminTextInputWidget,
)

from consents import holds
from consents.models import Purpose


class HoldForm(forms.Form):
    """Scope, authority and reason of a hold."""

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
        return holds.HoldScope(purposes=[purpose.pk for purpose in self.cleaned_data["purposes"]], jurisdictions=places)
