"""Objecting without an account: what about, then a code by mail, then the receipt. Taking it back goes the same way.

Every address gets the same pages and the same mail, whoever it belongs to; no address is ever in a URL.
"""

import uuid
from smtplib import SMTPException
from typing import Any

from allauth.account.adapter import get_adapter
from django import forms
from django.conf import settings
from django.contrib import messages
from django.core.mail import EmailMultiAlternatives
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.template.loader import render_to_string
from django.utils.translation import get_language, gettext_lazy
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_http_methods

from consents import contact_verification, ledger
from consents.contact_verification import CodeRefused, Sent, TooMany, Wish
from consents.models import LedgerEvent, Purpose, Subject
from consents.pages import gpc, views
from consents.subjects import IdentifierError
from consents.vocabulary import Action
from portal import addresses, clock, nudge
from portal.countries import country_names
from portal.errors import DomainError

_WAITING, _DONE = "contact_verification", "contact_said"
_REFUSED = gettext_lazy("This code does not serve: it is mistyped, or too old. Look again, or ask for a new one.")
_TOO_MANY = gettext_lazy("That was asked for too often just now. Wait an hour, then try again.")
_NOT_SENT = gettext_lazy("The mail could not be sent. Look at the address, or try again later.")
_NO_ADDRESS = gettext_lazy("This is not a mail address.")
# a ValueError is an address that no mail can be written to
_UNDELIVERED = (SMTPException, OSError, ValueError)


class ObjectionForm(forms.Form):
    """What somebody says who has no account."""

    purposes = forms.MultipleChoiceField(
        label=gettext_lazy("What is it about?"),
        widget=forms.CheckboxSelectMultiple,
        error_messages={"required": gettext_lazy("Tick at least one.")},
    )
    country = forms.ChoiceField(
        label=gettext_lazy("Where do you live?"), error_messages={"required": gettext_lazy("Choose your country.")}
    )
    email = forms.EmailField(
        label=gettext_lazy("Your mail address"),
        max_length=254,
        help_text=gettext_lazy(
            "The one by which we may have your data. We send a code there, to see that it is yours. "
            "A telephone number will not do, because we send no text messages."
        ),
        widget=forms.EmailInput(attrs={"autocomplete": "email"}),
        error_messages={
            "required": gettext_lazy("Write your mail address."),
            "invalid": _NO_ADDRESS,
        },
    )
    is_minor = forms.BooleanField(label=gettext_lazy("I am under 18"), required=False)
    content = forms.CharField(
        label=gettext_lazy("Content of yours that you know of"),
        required=False,
        max_length=2000,
        help_text=gettext_lazy("Links or a description. It is kept encrypted, as evidence of what you mean."),
        widget=forms.Textarea(attrs={"rows": 3}),
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        named: Any = self.fields["purposes"]
        named.choices = [(one.slug, _(one.name)) for one in Purpose.objects.all()]
        places: Any = self.fields["country"]
        places.choices = [("", "–"), *country_names()]


class CodeForm(forms.Form):
    """The code from the mail."""

    code = forms.CharField(
        label=gettext_lazy("Code"),
        max_length=40,
        widget=forms.TextInput(attrs={"autocomplete": "one-time-code", "autocapitalize": "characters"}),
        error_messages={"required": gettext_lazy("Type the code from the mail.")},
    )


@never_cache
@require_http_methods(["GET", "POST"])
def ask(request: HttpRequest, action: Action) -> HttpResponse:
    """The form; what was filled in waits, sealed, until the code is typed."""
    first = {"purposes": [views.MAIN_PURPOSE], "country": request.GET.get("country", "").upper()}
    form = ObjectionForm(request.POST if request.method == "POST" else None, initial=first)
    status = 200
    if request.method == "POST":
        status = 400
        if form.is_valid():
            status = _send_for(request, form, action)
    if status == 302:
        return redirect("object-code")
    return render(request, "consents/object.html", {"form": form, "takes_back": action == Action.GRANT}, status=status)


@never_cache
@require_http_methods(["GET", "POST"])
def code(request: HttpRequest) -> HttpResponse:
    """Typing the code; or asking for a new one."""
    waiting = request.session.get(_WAITING)
    if waiting is None:
        return redirect("object")
    if "again" in request.POST:
        return _send_again(request, uuid.UUID(waiting))
    form = CodeForm(request.POST if request.method == "POST" else None)
    if form.is_bound and form.is_valid() and _confirmed(request, form, uuid.UUID(waiting)):
        return redirect("object-done")
    return render(request, "consents/object_code.html", {"form": form}, status=400 if form.is_bound else 200)


@never_cache
@require_GET
def done(request: HttpRequest) -> HttpResponse:
    """The receipts' references, shown to whoever typed the code."""
    said = request.session.get(_DONE)
    if said is None:
        return redirect("object")
    names = dict(Purpose.objects.values_list("slug", "name"))
    entries = [(_(names.get(slug, slug)), reference) for slug, reference in said["entries"]]
    return render(request, "consents/object_done.html", {"entries": entries, "takes_back": said["takes_back"]})


def _send_for(request: HttpRequest, form: ObjectionForm, action: Action) -> int:
    """Answers the status to go on with: 302 once a code is on its way."""
    filled = form.cleaned_data
    about = Purpose.objects.filter(slug__in=filled["purposes"])
    wish = Wish(
        action=action,
        purposes=tuple(one.slug for one in about),
        jurisdiction=filled["country"],
        is_minor=filled["is_minor"],
        content=filled["content"],
        locale=(get_language() or "en")[:10],
        notices={one.slug: views.notice_shown(one) for one in about},
    )
    client = _client(request)
    try:
        _mail(request, contact_verification.ask(contact=filled["email"], wish=wish, client=client, at=clock.now()))
    except TooMany:
        form.add_error(None, str(_TOO_MANY))
        return 429
    except _UNDELIVERED:
        form.add_error("email", str(_NOT_SENT))
        return 502
    except IdentifierError:
        form.add_error("email", str(_NO_ADDRESS))
        return 400
    return 302


def _send_again(request: HttpRequest, waiting: uuid.UUID) -> HttpResponse:
    try:
        sent = contact_verification.ask_again(verification_id=waiting, client=_client(request), at=clock.now())
        _mail(request, sent)
    except TooMany:
        messages.error(request, _TOO_MANY)
    except _UNDELIVERED:
        messages.error(request, _NOT_SENT)
    except CodeRefused:
        messages.error(request, _("This took too long. Begin again, please."))
        return redirect("object")
    else:
        _told_of(request, sent, before=waiting)
    return redirect("object-code")


def _told_of(request: HttpRequest, sent: Sent, *, before: uuid.UUID) -> None:
    if sent.code is None:
        messages.success(request, _("Look in your mail, please: the code that you have still works."))
        return
    contact_verification.withdraw(verification_id=before)
    messages.success(request, _("A new code is on its way. The one before no longer works."))


def _mail(request: HttpRequest, sent: Sent) -> None:
    """Send it, and let this browser confirm it. Raises what sending raises, and then it does not wait.

    Where the address got as many mails as it may, the page that comes is the same, and an earlier code serves.
    """
    if sent.code is None:
        request.session.setdefault(_WAITING, str(sent.id))
        return
    try:
        _send(sent)
    except _UNDELIVERED:
        contact_verification.withdraw(verification_id=sent.id)
        raise
    request.session[_WAITING] = str(sent.id)


def _send(sent: Sent) -> None:
    context = {"code": sent.code, "site_name": settings.SITE_NAME}
    mail = EmailMultiAlternatives(
        subject=render_to_string("consents/email/code_subject.txt", context).strip(),
        body=render_to_string("consents/email/code_message.txt", context),
        to=[sent.contact],
    )
    mail.attach_alternative(render_to_string("consents/email/code_message.html", context), "text/html")
    mail.send()


def _confirmed(request: HttpRequest, form: CodeForm, waiting: uuid.UUID) -> bool:
    try:
        events = contact_verification.confirm(verification_id=waiting, code=form.cleaned_data["code"], at=clock.now())
    except DomainError:
        form.add_error("code", str(_REFUSED))
        return False
    gpc.record_of(request, Subject.objects.get(pk=str(events[0].subject_id)))
    nudge.after_commit(ledger.SEQUENCE_TASK)
    del request.session[_WAITING]
    request.session[_DONE] = _kept(events)
    return True


def _kept(events: list[LedgerEvent]) -> dict[str, Any]:
    return {
        "takes_back": events[0].action == Action.GRANT,
        "entries": [(event.purpose, ledger.reference(event.pk)) for event in events],
    }


def _client(request: HttpRequest) -> str:
    """The caller's network address as sign-in sees it, behind proxies too; of IPv6 the part that one caller has."""
    return addresses.of_one_caller(get_adapter().get_client_ip(request))
