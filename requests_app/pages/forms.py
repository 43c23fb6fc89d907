"""What people send when they exercise a right."""

from django import forms
from django.utils.translation import gettext_lazy as _

from requests_app.intake import LONGEST_NOTE
from requests_app.states import Right

OFFERED = (Right.ERASURE,)


class RequestForm(forms.Form):
    """A right and, if the person wants, a note."""

    right = forms.ChoiceField(
        label=_("What do you want?"),
        choices=[(right.value, right.label) for right in OFFERED],
        initial=OFFERED[0] if len(OFFERED) == 1 else None,
        widget=forms.RadioSelect,
        error_messages={"required": _("Choose what you want."), "invalid_choice": _("Choose one of these.")},
    )
    note = forms.CharField(
        label=_("Anything we should know"),
        required=False,
        max_length=LONGEST_NOTE,
        widget=forms.Textarea(attrs={"rows": 4}),
    )
    understood = forms.BooleanField(
        label=_("I understand that an erasure cannot be undone."),
        error_messages={"required": _("Tick the box to say that you understand what an erasure does.")},
    )
