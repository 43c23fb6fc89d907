"""What staff fill in to decide about a model."""

from django import forms
from django.utils.translation import gettext_lazy as _
from unfold.forms import BaseDialogForm
from unfold.widgets import UnfoldAdminSelectWidget, UnfoldAdminTextareaWidget, UnfoldAdminTextInputWidget

from downstream.exposures import Decision
from downstream.models import ExposureDecision


class DecisionForm(BaseDialogForm):  # type: ignore[misc]
    """What shall become of a model, by when or on which ground."""

    kind = forms.ChoiceField(
        choices=ExposureDecision.CHOICES, label=_("What shall become of it"), widget=UnfoldAdminSelectWidget
    )
    due_on = forms.DateField(
        label=_("By which day"),
        required=False,
        widget=UnfoldAdminTextInputWidget(attrs={"type": "date"}),
        help_text=_("To train it anew or to retire it."),
    )
    ground = forms.CharField(
        label=_("Ground"),
        max_length=4000,
        required=False,
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 3}),
        help_text=_("To keep it: why it may stay as it is."),
    )
    legal_ground = forms.CharField(
        label=_("Legal ground"),
        max_length=200,
        required=False,
        widget=UnfoldAdminTextInputWidget,
        help_text=_("To keep it: the ground in law, such as GDPR Art. 21(1)."),
    )

    def decision(self) -> Decision:
        """The decision as the domain takes it."""
        return Decision(**{name: self.cleaned_data[name] for name in ("kind", "due_on", "ground", "legal_ground")})
