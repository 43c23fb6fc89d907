"""Writing to the person, and what they get."""

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy

from requests_app import messages, packages
from requests_app.admin.deeds.base import Deed, Doing, words


class MessageForm(forms.Form):
    """A message, begun with a template where one was chosen."""

    body = words(gettext_lazy("Message"), help_text=gettext_lazy("Mail only says that a message waits."))
    file = forms.FileField(label=gettext_lazy("File"), required=False)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["body"].initial = messages.begin(self.initial["request"], self.initial["of"])


def _send(doing: Doing) -> Any:
    file = doing.filled["file"]
    return messages.send(
        request=doing.request,
        body=doing.filled["body"],
        template=doing.of,
        files=[(file.name, file)] if file else (),
        by=doing.by,
        at=doing.at,
    )


DEEDS = (
    Deed(
        name="write",
        label=gettext_lazy("Write to the person"),
        says=gettext_lazy("They read it on the page of their request; mail says only that something waits."),
        done=gettext_lazy("The message is sent."),
        act=_send,
        check=messages.check_can_send,
        form=MessageForm,
    ),
    Deed(
        name="ask_package",
        label=gettext_lazy("Build the answer package"),
        says=gettext_lazy("Everything that is kept of the person is gathered. You see it before they do."),
        done=gettext_lazy("The package is being built."),
        act=lambda doing: packages.ask(request=doing.request, by=doing.by, at=doing.at),
        check=packages.check_can_ask,
    ),
)
