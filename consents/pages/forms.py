"""What people send from their pages."""

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from consents.receipts import reading
from consents.vocabulary import Action


class ChoiceForm(forms.Form):
    """One switch: a purpose, and yes or no."""

    purpose = forms.CharField(max_length=80)
    action = forms.ChoiceField(choices=[(Action.GRANT, "grant"), (Action.DENY, "deny")])


class ReceiptForm(forms.Form):
    """A receipt to be checked: a file, or its text."""

    is_either = True
    """One of the fields is filled in, so that none of them is called optional."""

    file = forms.FileField(
        label=_("The receipt as a file"),
        help_text=_("PDF, JSON or JWS, as you downloaded it."),
        required=False,
        widget=forms.FileInput(attrs={"accept": ".pdf,.json,.jsonld,.jws,application/pdf,application/json"}),
    )
    text = forms.CharField(
        label=_("Or its text"),
        required=False,
        strip=False,
        widget=forms.Textarea(attrs={"rows": 5, "spellcheck": "false", "autocomplete": "off"}),
    )

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or {}
        if not self.errors and not cleaned.get("file") and not cleaned.get("text"):
            self.add_error("file", _("Choose a file, or paste the text of a receipt."))
        return cleaned

    def used(self) -> str:
        """The field by which the receipt came."""
        return "file" if self.cleaned_data.get("file") else "text"

    def brought(self) -> bytes:
        """What was brought, and one byte more than is looked at if there is more."""
        file = self.cleaned_data.get("file")
        if file:
            return bytes(file.read(reading.LARGEST + 1))
        return str(self.cleaned_data["text"]).encode(errors="replace")
