"""What staff type in to leave something out of an answer."""

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _
from unfold.widgets import UnfoldAdminSelectWidget, UnfoldAdminTextareaWidget, UnfoldAdminTextInputWidget

from requests_app.packages import What
from requests_app.packages.redaction import EVERYWHERE
from requests_app.states import Ground


class RedactionForm(forms.Form):
    """Rows come from the boxes in the preview, the part from the page."""

    where = forms.ChoiceField(
        label=_("In"),
        choices=[("part", _("this part")), ("everywhere", _("every part (words only)"))],
        widget=UnfoldAdminSelectWidget,
    )
    column = forms.CharField(
        label=_("Column"),
        required=False,
        widget=UnfoldAdminTextInputWidget,
        help_text=_("Empty for the whole row, or for words in any column."),
    )
    words = forms.CharField(
        label=_("Words"),
        required=False,
        widget=UnfoldAdminTextInputWidget,
        help_text=_("Made unreadable wherever they stand, however they are written."),
    )
    ground = forms.ChoiceField(
        label=_("Ground"), choices=Ground.choices, initial=Ground.RIGHTS_OF_OTHERS, widget=UnfoldAdminSelectWidget
    )
    reason = forms.CharField(label=_("Why"), widget=UnfoldAdminTextareaWidget(attrs={"rows": 2}))

    def what(self, part: str, rows: list[str]) -> What:
        said: dict[str, Any] = self.cleaned_data
        where = EVERYWHERE if said["where"] == "everywhere" else part
        return What(part=where, column=said["column"].strip(), rows=tuple(rows), words=said["words"].strip())
