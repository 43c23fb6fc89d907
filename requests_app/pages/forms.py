"""What people send when they exercise a right."""

from typing import Any

from django import forms
from django.conf import settings
from django.core.files.uploadedfile import UploadedFile
from django.utils.functional import lazy
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from consents import subjects
from consents.models import Purpose
from consents.pages.views import MAIN_PURPOSE
from consents.vocabulary import Scheme
from portal.countries import country_names
from requests_app import correcting
from requests_app.intake import LONGEST_NOTE
from requests_app.pages import words
from requests_app.pages.drafts import Draft
from requests_app.states import BY_WHOM, LIMITED, Capacity, Right

OFFERED = (
    Right.OBJECTION,
    Right.ACCESS,
    Right.ERASURE,
    Right.RECTIFICATION,
    Right.WITHDRAW_CONSENT,
    Right.OPT_OUT_SALE,
    Right.RESTRICTION,
    Right.PORTABILITY,
    Right.AUTOMATED_DECISION,
)
LONGEST_MESSAGE = 10_000
MOST_FILES = 5
OF_SOMEBODY_ELSE = ("name", "contact", "relation")
_FILE_TYPES = ".pdf,.png,.jpg,.jpeg,.webp,.heic,.txt,.csv,.json,.docx,.xlsx,.odt,.ods,.zip"
_LONG = {"rows": 4}
_which = lazy(lambda: [(right.value, words.offer(right)) for right in OFFERED], list)
_places = lazy(lambda: [("", "–"), *country_names()], list)


class RightsForm(forms.Form):
    """Step one: what is wanted."""

    rights = forms.MultipleChoiceField(
        label=gettext_lazy("Tick what you want"),
        help_text=gettext_lazy("More than one is fine."),
        choices=_which,
        widget=forms.CheckboxSelectMultiple,
        error_messages={
            "required": gettext_lazy("Tick at least one."),
            "invalid_choice": gettext_lazy("Choose from the list."),
        },
    )


class DetailsForm(correcting.CorrectionsForm):
    """Step two: only what the chosen rights need."""

    understood = forms.BooleanField(
        label=gettext_lazy("I understand that an erasure cannot be undone."),
        error_messages={
            "required": gettext_lazy("Tick the box to say that you understand what an erasure does."),
        },
    )
    note = forms.CharField(
        label=gettext_lazy("Anything we should know"),
        required=False,
        max_length=LONGEST_NOTE,
        widget=forms.Textarea(attrs=_LONG),
    )

    def __init__(self, data: Any, *, draft: Draft) -> None:
        super().__init__(data, initial=_kept(draft))
        self._limited = [right for right in LIMITED if right in draft.rights]
        corrects = Right.RECTIFICATION in draft.rights
        self.is_adding = corrects and data is not None and correcting.ADD in data
        if Right.ERASURE not in draft.rights:
            del self.fields["understood"]
        self.open_rows(correcting.rows_of(data, draft.corrections) if corrects else 0)
        named = [(one.slug, _(one.name)) for one in Purpose.objects.all()]
        self.fields = {**{_named(right): _purposes_field(right, named) for right in self._limited}, **self.fields}

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or {}
        self.check_corrections()
        if self.is_adding:
            # what is not filled in yet is asked for when they go on
            for name, errors in list(self.errors.items()):
                if all(error.code == "required" for error in errors.as_data()):
                    del self.errors[name]
        return cleaned

    def store(self, draft: Draft) -> None:
        """Take what was filled in over into the draft; with room for another correction, where that is asked for."""
        filled = self.cleaned_data
        draft.purposes = {right.value: filled.get(_named(right), []) for right in self._limited}
        draft.corrections = self.filled_corrections()
        if self.is_adding:
            draft.corrections = correcting.with_room(draft.corrections)
        draft.understood, draft.note = filled.get("understood", False), filled["note"]
        draft.has_details = True


class WhoForm(forms.Form):
    """Step three, of whoever is not signed in: where to find them, and for whom they ask."""

    use_required_attribute = False

    capacity = forms.ChoiceField(
        label=gettext_lazy("For whom do you ask?"),
        choices=[(one, words.CAPACITIES[Capacity(one)]) for one, _label in BY_WHOM],
        widget=forms.RadioSelect,
        error_messages={
            "required": gettext_lazy("Say for whom you ask."),
            "invalid_choice": gettext_lazy("Choose from the list."),
        },
    )
    country = forms.ChoiceField(
        label=gettext_lazy("Where do you live?"),
        choices=_places,
        help_text=gettext_lazy("It decides which law counts. If you ask for somebody else: where they live."),
        error_messages={
            "required": gettext_lazy("Choose your country."),
            "invalid_choice": gettext_lazy("Choose from the list."),
        },
    )
    email = forms.EmailField(
        label=gettext_lazy("Your mail address"),
        max_length=254,
        help_text=gettext_lazy(
            "The one under which we may have the data. We send a code there. "
            "If you ask for somebody else: the address of that person."
        ),
        widget=forms.EmailInput(attrs={"autocomplete": "email"}),
        error_messages={
            "required": gettext_lazy("Write your mail address."),
            "invalid": gettext_lazy("This is not a mail address."),
        },
    )
    name = forms.CharField(
        label=gettext_lazy("Your own name"),
        max_length=200,
        widget=forms.TextInput(attrs={"autocomplete": "name"}),
        error_messages={"required": gettext_lazy("Write your own name.")},
    )
    contact = forms.EmailField(
        label=gettext_lazy("Your own mail address"),
        max_length=254,
        help_text=gettext_lazy("Where we answer you."),
        error_messages={
            "required": gettext_lazy("Write where we can answer you."),
            "invalid": gettext_lazy("This is not a mail address."),
        },
    )
    relation = forms.CharField(
        label=gettext_lazy("What gives you the right to ask?"),
        max_length=1_000,
        widget=forms.Textarea(attrs={"rows": 3}),
        help_text=gettext_lazy(
            "For example: I am her mother; I have power of attorney; I am his heir. You can add a document in the "
            "next step."
        ),
        error_messages={"required": gettext_lazy("Say what gives you the right to ask.")},
    )

    def clean_email(self) -> str:
        try:
            return subjects.name(Scheme.EMAIL, self.cleaned_data["email"]).value
        except subjects.IdentifierError as error:
            raise forms.ValidationError(_("This is not a mail address.")) from error

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or {}
        if cleaned.get("capacity") in (None, Capacity.SELF):
            # who asks for themselves is nobody else, whatever stands in fields that they do not see
            for name in OF_SOMEBODY_ELSE:
                self.errors.pop(name, None)
                cleaned[name] = ""
        return cleaned

    def store(self, draft: Draft) -> None:
        """Take what was filled in over into the draft."""
        for name in self.fields:
            setattr(draft, name, self.cleaned_data[name])
        draft.has_who = True


class CodeForm(forms.Form):
    """The code from the mail."""

    code = forms.CharField(
        label=gettext_lazy("Code"),
        max_length=40,
        widget=forms.TextInput(attrs={"autocomplete": "one-time-code", "autocapitalize": "characters"}),
        error_messages={"required": gettext_lazy("Type the code from the mail.")},
    )


class SeveralFiles(forms.ClearableFileInput):
    """A file input that takes several."""

    allow_multiple_selected = True


class FilesField(forms.FileField):
    """Any number of files up to MOST_FILES; answers a list. What is in them is looked at where they are kept."""

    def __init__(self, *, required: bool = False, **kwargs: Any) -> None:
        super().__init__(required=required, widget=SeveralFiles(attrs={"accept": _FILE_TYPES}), **kwargs)

    def clean(self, data: Any, initial: Any = None) -> Any:
        given = data if isinstance(data, list | tuple) else [data] if data else []
        if len(given) > MOST_FILES:
            raise forms.ValidationError(_("Send at most %d files at once.") % MOST_FILES)
        cleaned: list[UploadedFile[Any]] = [super(FilesField, self).clean(one, initial) for one in given]
        return cleaned


def _files_help() -> str:
    said = _(
        "PDF, pictures, text or office documents; at most %(count)d, of %(size)d MB each. They are kept encrypted."
    )
    return said % {"count": MOST_FILES, "size": settings.LARGEST_FILE // (1024 * 1024)}


_FILES_HELP = lazy(_files_help, str)()


class SendForm(forms.Form):
    """Last step: evidence, of whoever asks for somebody else."""

    evidence = FilesField(label=gettext_lazy("Evidence of your authority"), help_text=_FILES_HELP)


class MessageForm(forms.Form):
    """A message to staff."""

    body = forms.CharField(
        label=gettext_lazy("Your message"),
        max_length=LONGEST_MESSAGE,
        widget=forms.Textarea(attrs=_LONG),
        error_messages={"required": gettext_lazy("Write something first.")},
    )
    attached = FilesField(label=gettext_lazy("Files"), help_text=_FILES_HELP)


class ProofForm(forms.Form):
    """A document that shows who somebody is."""

    use_required_attribute = False

    document = FilesField(label=gettext_lazy("The document"), required=True, help_text=_FILES_HELP)

    def clean_document(self) -> Any:
        if not self.cleaned_data["document"]:
            raise forms.ValidationError(_("Choose a file first."))
        return self.cleaned_data["document"]


class AppealForm(forms.Form):
    """Why somebody does not accept the answer; or that none came, which needs no words."""

    note = forms.CharField(
        label=gettext_lazy("What is wrong with our answer?"),
        max_length=LONGEST_NOTE,
        widget=forms.Textarea(attrs=_LONG),
        error_messages={"required": gettext_lazy("Write in a few words what we should look at again.")},
    )

    def __init__(self, data: Any, *, is_silence: bool) -> None:
        super().__init__(data)
        if is_silence:
            self.fields["note"].label, self.fields["note"].required = _("Anything we should know"), False


def _named(right: Right) -> str:
    return f"purposes_{right.value}"


def _purposes_field(right: Right, choices: list[tuple[str, Any]]) -> forms.MultipleChoiceField:
    return forms.MultipleChoiceField(
        label=str(words.ABOUT[right]),
        help_text=_("Tick none to put every use on hold.") if right == Right.RESTRICTION else "",
        required=right != Right.RESTRICTION,
        choices=choices,
        widget=forms.CheckboxSelectMultiple,
        error_messages={"required": _("Tick at least one."), "invalid_choice": _("Choose from the list.")},
    )


def _kept(draft: Draft) -> dict[str, Any]:
    if not draft.has_details:
        # what most people come for; an objection is a no, so nobody is led to a yes
        return {_named(Right.OBJECTION): draft.purposes.get(Right.OBJECTION) or [MAIN_PURPOSE]}
    return {
        **{_named(right): draft.purposes.get(right) for right in LIMITED},
        **correcting.initial(draft.corrections),
        **{name: getattr(draft, name) for name in ("understood", "note")},
    }
