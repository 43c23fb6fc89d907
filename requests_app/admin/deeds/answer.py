"""Writing to the person."""

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy
from unfold.widgets import UnfoldAdminFileFieldWidget

from portal import clock
from requests_app import message_templates, messages
from requests_app.admin.deeds.base import Deed, Doing, words
from requests_app.models import Request


class MessageForm(forms.Form):
    """A message, begun with a template where one was chosen."""

    body = words(gettext_lazy("Message"))
    file = forms.FileField(label=gettext_lazy("File"), required=False, widget=UnfoldAdminFileFieldWidget)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        request: Request = self.initial["request"]
        template = message_templates.get(self.initial["of"], locale=request.locale)
        if template is not None:
            self.fields["body"].initial = messages.fill(template, request)


def _send(doing: Doing) -> Any:
    file, template = doing.filled["file"], message_templates.get(doing.of, locale=doing.request.locale)
    return messages.send(
        request=doing.request,
        body=doing.filled["body"],
        template=str(template or ""),
        files=[file] if file else (),
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
        press=gettext_lazy("Send the message"),
        check=lambda request: messages.check_can_send(request, at=clock.now()),
        form=MessageForm,
    ),
)
