"""What staff fill in about authorised agents."""

from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _
from unfold.forms import BaseDialogForm
from unfold.widgets import UnfoldAdminTextInputWidget

from portal.errors import DomainError
from requests_app import agents


def _text(label: Any, *, longest: int, required: bool = False, help_text: Any = "") -> forms.CharField:
    return forms.CharField(
        label=label, max_length=longest, required=required, help_text=help_text, widget=UnfoldAdminTextInputWidget
    )


class RegisterForm(forms.Form):
    """An agent as its directory or its own announcement has it."""

    id = _text(_("Agent id"), longest=100, required=True, help_text=_("As it signs: its agent-id in the protocol."))
    name = _text(_("Name"), longest=120, required=True)
    verify_key = _text(_("Verify key"), longest=60, required=True, help_text=_("Base64 of 32 bytes (Ed25519)."))
    web_url = _text(_("Web page"), longest=200)
    technical_contact = _text(_("Technical contact"), longest=200)
    business_contact = _text(_("Business contact"), longest=200)


class RotateForm(BaseDialogForm):  # type: ignore[misc]  # unfold has no types
    """The key that counts from now on."""

    verify_key = _text(_("New verify key"), longest=60, required=True, help_text=_("Base64 of 32 bytes (Ed25519)."))

    def clean_verify_key(self) -> str:
        try:
            return agents.check_key(self.cleaned_data["verify_key"])
        except DomainError as error:
            raise ValidationError(error.message) from error
