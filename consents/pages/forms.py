"""What people send from their pages."""

from django import forms

from consents.vocabulary import Action


class ChoiceForm(forms.Form):
    """One switch: a purpose, and yes or no."""

    purpose = forms.CharField(max_length=80)
    action = forms.ChoiceField(choices=[(Action.GRANT, "grant"), (Action.DENY, "deny")])
