"""Finding out who asks: codes that are read out, proofs that staff choose and look at."""

import smtplib

from django import forms
from django.conf import settings
from django.core.mail import EmailMessage
from django.db.models import QuerySet
from django.template.loader import render_to_string
from django.utils import translation
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.widgets import UnfoldAdminRadioSelectWidget, UnfoldAdminTextInputWidget

from portal import clock
from portal.errors import Conflict, DomainError
from requests_app import identity, proofs, workflow
from requests_app.admin.deeds.base import Deed, Doing
from requests_app.identity import Sent
from requests_app.models import IdentityCheck, Request
from requests_app.states import CheckMethod, CheckStatus

_UNDELIVERED = (OSError, smtplib.SMTPException)


class TypeForm(forms.Form):
    code = forms.CharField(
        label=gettext_lazy("Code"),
        max_length=40,
        widget=UnfoldAdminTextInputWidget(attrs={"autocomplete": "off"}),
        help_text=gettext_lazy("As the person reads it out: XXXX-XXXX."),
    )


class RequireForm(forms.Form):
    method = forms.ChoiceField(
        label=gettext_lazy("Which proof"),
        choices=[(one.value, one.label) for one in CheckMethod if one in proofs.CHOSEN],
        widget=UnfoldAdminRadioSelectWidget,
        help_text=gettext_lazy("Ask for no more than is needed to be sure."),
    )


class DecideForm(forms.Form):
    passed = forms.TypedChoiceField(
        label=gettext_lazy("It shows who asks, and where they ask for another, that they may"),
        choices=[("yes", gettext_lazy("yes")), ("no", gettext_lazy("no"))],
        coerce=lambda value: value == "yes",
        empty_value=None,
        widget=UnfoldAdminRadioSelectWidget,
    )


def _send_code(doing: Doing) -> None:
    sent = identity.ask_code(request=doing.request, by=doing.by, at=doing.at, client=doing.by)
    if sent.code is not None:
        _mail(doing.request, sent)


def _mail(one: Request, sent: Sent) -> None:
    """Send the code in the person's language; where that fails, it does not count as one that they have."""
    context = {"code": sent.code, "site_name": settings.SITE_NAME}
    with translation.override(one.locale):
        subject = render_to_string("requests/mail/read_out_subject.txt", context).strip()
        body = render_to_string("requests/mail/read_out_message.txt", context)
    try:
        EmailMessage(subject=subject, body=body, to=[sent.contact]).send()
    except _UNDELIVERED as error:
        identity.not_sent(check_id=sent.check_id)
        raise DomainError("mail_not_sent", _("The mail could not be sent. Try again in a while.")) from error


def _to_type(one: Request) -> IdentityCheck:
    """The newest asking whose code may still be typed. Raises Conflict(`nothing_to_type`)."""
    found = identity.to_type(one, at=clock.now())
    if found is None:
        raise Conflict("nothing_to_type", _("No code is waited for; send one."))
    return found


def _to_decide(one: Request) -> IdentityCheck:
    """The proof that staff look at. Raises Conflict(`nothing_to_decide`)."""
    found = _pending(one).filter(method__in=proofs.LOOKED_AT).first()
    if found is None:
        raise Conflict("nothing_to_decide", _("No document and no call is waited for."))
    return found


def _pending(one: Request) -> "QuerySet[IdentityCheck]":
    waiting = proofs.of_group(one.group).filter(status=CheckStatus.PENDING, expires_at__gt=clock.now())
    return waiting.order_by("asked_at", "pk")


DEEDS = (
    Deed(
        name="send_code",
        label=gettext_lazy("Send a code"),
        says=gettext_lazy(
            "Whoever reads the mail of this address can read the code out to you. It holds for 15 minutes."
        ),
        done=gettext_lazy("A code is on its way, or one sent before still serves."),
        act=_send_code,
        check=workflow.check_can_prove,
    ),
    Deed(
        name="type_code",
        label=gettext_lazy("Type the code"),
        says=gettext_lazy("It proves everything that was asked in one go. It is tried five times at most."),
        done=gettext_lazy("The code is right."),
        act=lambda doing: identity.check_code(
            check_id=_to_type(doing.request).pk, code=doing.filled["code"], at=doing.at
        ),
        check=_to_type,
        form=TypeForm,
    ),
    Deed(
        name="require_proof",
        label=gettext_lazy("Ask for a proof"),
        says=gettext_lazy(
            "A second code is sent by “Send a code” then; a document is sent in by the person, is encrypted, and is "
            "deleted when the request closes."
        ),
        done=gettext_lazy("The proof is asked for."),
        act=lambda doing: identity.require(
            request=doing.request, method=doing.filled["method"], by=doing.by, at=doing.at
        ),
        check=workflow.check_can_prove,
        form=RequireForm,
    ),
    Deed(
        name="decide_proof",
        label=gettext_lazy("Decide the proof"),
        says=gettext_lazy("Of the document that you looked at, or the call that you made. It is recorded who decided."),
        done=gettext_lazy("It is written down."),
        act=lambda doing: identity.decide(
            check=_to_decide(doing.request), passed=doing.filled["passed"], by=doing.by, at=doing.at
        ),
        check=_to_decide,
        form=DecideForm,
    ),
    Deed(
        name="doubt",
        label=gettext_lazy("Doubt who asks"),
        says=gettext_lazy("The request waits until it is shown who asks. Say so only where you have reason to."),
        done=gettext_lazy("It waits for a proof of identity."),
        act=lambda doing: workflow.doubt(request=doing.request, by=doing.by, at=doing.at),
        check=workflow.check_can_doubt,
    ),
)
