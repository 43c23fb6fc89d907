"""What staff fill in to write a notice and to tell people of it."""

from datetime import datetime
from typing import Any

from django import forms
from django.conf import settings
from django.utils.translation import gettext_lazy as _
from unfold.widgets import (
    UnfoldAdminCheckboxSelectMultipleWidget,
    UnfoldAdminSelectWidget,
    UnfoldAdminTextareaWidget,
    UnfoldAdminTextInputWidget,
    UnfoldBooleanWidget,
)

from consents.deliveries import Audience
from consents.drafts import Text, Wording
from consents.models import Notice, NoticeDraft, Purpose
from portal import clock

_MOMENT = "%Y-%m-%dT%H:%M"


class MomentWidget(UnfoldAdminTextInputWidget):  # type: ignore[misc]
    """Day and time in one field of the browser's own."""

    input_type = "datetime-local"

    def format_value(self, value: Any) -> str | None:
        return value.strftime(_MOMENT) if isinstance(value, datetime) else value


def _moment(label: Any, help_text: Any) -> forms.DateTimeField:
    return forms.DateTimeField(
        label=label, help_text=help_text, required=False, input_formats=[_MOMENT], widget=MomentWidget
    )


class BeginForm(forms.Form):
    """Which notice a draft is for."""

    slug = forms.CharField(
        label=_("Notice"),
        max_length=50,
        widget=UnfoldAdminTextInputWidget,
        help_text=_("Its name in addresses, such as ai-training. Of one that exists, the next version is begun."),
    )


class DraftForm(forms.Form):
    """The texts of a draft, a title and a body for each of the site's languages."""

    revision = forms.IntegerField(widget=forms.HiddenInput)
    is_material = forms.BooleanField(
        label=_("Changes in substance how data is used"),
        required=False,
        widget=UnfoldBooleanWidget,
        help_text=_("Then agreements given before it takes effect no longer count, and people are asked again."),
    )
    publish_at = _moment(_("Publish on (UTC)"), _("Empty: when it is published here."))
    effective_at = _moment(_("In force from (UTC)"), _("Empty: from its publication on."))

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for code, name in settings.LANGUAGES:
            self.fields[f"title_{code}"] = forms.CharField(
                label=_("Title, %s") % name, max_length=200, required=False, widget=UnfoldAdminTextInputWidget
            )
            self.fields[f"body_{code}"] = forms.CharField(
                label=_("Text, %s") % name,
                max_length=100_000,
                required=False,
                widget=UnfoldAdminTextareaWidget(attrs={"rows": 14, "lang": code}),
                help_text=_("An empty line begins a new paragraph."),
            )

    @staticmethod
    def values_of(draft: NoticeDraft) -> dict[str, Any]:
        """What the form holds when it is opened."""
        values: dict[str, Any] = {
            "revision": draft.revision,
            "is_material": draft.is_material,
            "publish_at": draft.publish_at,
            "effective_at": draft.effective_at,
        }
        for code, text in draft.texts.items():
            values |= {f"title_{code}": text["title"], f"body_{code}": text["body"]}
        return values

    def wording(self, draft: NoticeDraft) -> Wording:
        """What was written, as the domain takes it; a language that the site no longer has is left as it was."""
        data = self.cleaned_data
        known = {code: (data[f"title_{code}"], data[f"body_{code}"]) for code, _name in settings.LANGUAGES}
        others: dict[str, Text] = {
            code: (text["title"], text["body"]) for code, text in draft.texts.items() if code not in known
        }
        return Wording({**others, **known}, data["is_material"], data["publish_at"], data["effective_at"])


class DeliveryForm(forms.Form):
    """Of which notice to tell whom."""

    notice = forms.ChoiceField(label=_("Notice"), choices=lambda: _published(), widget=UnfoldAdminSelectWidget)
    jurisdictions = forms.CharField(
        label=_("Jurisdictions"),
        required=False,
        widget=UnfoldAdminTextInputWidget,
        help_text=_("Codes with commas between, such as GB, US-CA, EEA. Empty: everywhere."),
    )
    purposes = forms.ModelMultipleChoiceField(
        Purpose.objects.all(),
        label=_("Only who said yes to"),
        required=False,
        widget=UnfoldAdminCheckboxSelectMultipleWidget,
        help_text=_("None chosen: everyone who lives there."),
    )

    def named(self) -> tuple[str, int]:
        """The notice's slug and version."""
        slug, _slash, version = self.cleaned_data["notice"].rpartition("/")
        return slug, int(version)

    def audience(self) -> Audience:
        """The audience as the domain takes it."""
        places = [code.strip() for code in self.cleaned_data["jurisdictions"].split(",") if code.strip()]
        return Audience(places, [purpose.pk for purpose in self.cleaned_data["purposes"]])


def _published() -> list[tuple[str, str]]:
    """Every version that people can read by now, the latest first."""
    rows = Notice.objects.filter(published_at__lte=clock.now()).order_by("-published_at", "slug", "-version")
    return list({f"{one.slug}/{one.version}": f"{one.title} ({one.slug}/{one.version})" for one in rows}.items())
