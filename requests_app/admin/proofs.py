"""Staff's part in showing who asks: sending a code and typing what is read out, asking for a proof, looking at it."""

import smtplib
from collections.abc import Callable
from datetime import datetime

from django import forms
from django.conf import settings
from django.contrib import admin
from django.core.mail import EmailMessage
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils import translation
from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.decorators import action
from unfold.enums import ActionVariant
from unfold.forms import BaseDialogForm
from unfold.widgets import UnfoldAdminSelectWidget, UnfoldAdminTextInputWidget

from portal import clock
from portal.errors import Conflict, DomainError
from portal.staff_dialogs import ConfirmForm, asking
from portal.staff_pages import attempt, badge, by, found, lines, named
from requests_app import identity, proofs
from requests_app.identity import Sent
from requests_app.models import IdentityCheck, Request
from requests_app.states import CheckMethod, CheckStatus, Status

CARRY_OUT = "requests_app.carry_out"
PROOF_ACTIONS = ("send_code", "type_code", "require_proof", "decide_proof")
_KINDS = {
    CheckStatus.PENDING: "warning",
    CheckStatus.PASSED: "success",
    CheckStatus.FAILED: "danger",
    CheckStatus.EXPIRED: "default",
}
_UNDELIVERED = (OSError, smtplib.SMTPException)


class TypeForm(BaseDialogForm):  # type: ignore[misc]  # unfold has no types
    """The code that somebody reads out."""

    code = forms.CharField(
        label=gettext_lazy("Code"),
        max_length=40,
        widget=UnfoldAdminTextInputWidget(attrs={"autocomplete": "off"}),
        help_text=gettext_lazy("As the person reads it out: XXXX-XXXX."),
    )


class RequireForm(BaseDialogForm):  # type: ignore[misc]  # unfold has no types
    """Which second proof is asked for."""

    method = forms.ChoiceField(
        label=gettext_lazy("Proof"),
        choices=[(one.value, one.label) for one in CheckMethod if one in proofs.CHOSEN],
        widget=UnfoldAdminSelectWidget,
        help_text=gettext_lazy("Ask for no more than is needed to be sure."),
    )


class DecideForm(BaseDialogForm):  # type: ignore[misc]  # unfold has no types
    """What the look or the call showed."""

    passed = forms.ChoiceField(
        label=gettext_lazy("It shows who asks, and where they ask for another, that they may"),
        choices=[("", "–"), ("yes", gettext_lazy("yes")), ("no", gettext_lazy("no"))],
        widget=UnfoldAdminSelectWidget,
    )


class ProofPages:
    """For the page of one request: what is lacking, what was shown, and what staff do about it."""

    @admin.display(description=gettext_lazy("identity"))
    def identity(self, one: Request) -> str:
        lacking = [(badge("warning", _("lacking")), need.label) for need in proofs.missing(one)]
        checks = proofs.of_group(one.group).order_by("asked_at", "pk")
        shown = [
            (
                badge(_KINDS[CheckStatus(check.status)], str(check.get_status_display())),
                check.get_method_display(),
                date_format(check.decided_at or check.asked_at, "DATETIME_FORMAT"),
                named(check.decided_by or check.asked_by),
            )
            for check in checks
        ]
        return lines([*lacking, *shown], otherwise=_("signed in"))

    def has_send_code_permission(self, request: HttpRequest, object_id: str | None = None) -> bool:
        return _may(request, object_id, lambda one: one.status == Status.VERIFYING)

    def has_type_code_permission(self, request: HttpRequest, object_id: str | None = None) -> bool:
        return _may(request, object_id, lambda one: _to_type(one) is not None)

    def has_require_proof_permission(self, request: HttpRequest, object_id: str | None = None) -> bool:
        return _may(request, object_id, identity.can_require)

    def has_decide_proof_permission(self, request: HttpRequest, object_id: str | None = None) -> bool:
        return _may(request, object_id, lambda one: _to_decide(one) is not None)

    @action(
        description=gettext_lazy("Send a code"),
        permissions=["send_code"],
        dialog=asking(
            title=gettext_lazy("Send a code"),
            says=gettext_lazy(
                "Whoever reads the mail of this address can read the code out to you. It holds for 15 minutes."
            ),
            button=gettext_lazy("Send it"),
        ),
    )
    def send_code(self, request: HttpRequest, form: ConfirmForm, object_id: str) -> HttpResponse:
        one = Request.objects.get(pk=object_id)

        return attempt(
            request,
            lambda: send(one, by=by(request), at=clock.now()),
            done=_("A code is on its way, or one sent before still serves."),
            then=_page(one),
        )

    @action(
        description=gettext_lazy("Type the code"),
        permissions=["type_code"],
        dialog={
            "title": gettext_lazy("Type the code"),
            "description": gettext_lazy(
                "It proves everything that was asked in one go. It is tried five times at most."
            ),
            "form_class": TypeForm,
            "form_submit_text": gettext_lazy("Check it"),
        },
    )
    def type_code(self, request: HttpRequest, form: TypeForm, object_id: str) -> HttpResponse:
        one = Request.objects.get(pk=object_id)

        code = form.cleaned_data["code"]
        return attempt(
            request, lambda: type_in(one, code, at=clock.now()), done=_("The code is right."), then=_page(one)
        )

    @action(
        description=gettext_lazy("Ask for a proof"),
        permissions=["require_proof"],
        dialog={
            "title": gettext_lazy("Ask for a proof"),
            "description": gettext_lazy(
                "A second code is sent by “Send a code” then; a document is sent in by the person."
            ),
            "form_class": RequireForm,
            "form_submit_text": gettext_lazy("Ask for it"),
        },
    )
    def require_proof(self, request: HttpRequest, form: RequireForm, object_id: str) -> HttpResponse:
        one = Request.objects.get(pk=object_id)
        method = form.cleaned_data["method"]
        return attempt(
            request,
            lambda: identity.require(request=one, method=method, by=by(request), at=clock.now()),
            done=_("The proof is asked for."),
            then=_page(one),
        )

    @action(
        description=gettext_lazy("Decide the proof"),
        permissions=["decide_proof"],
        variant=ActionVariant.PRIMARY,
        dialog={
            "title": gettext_lazy("Decide the proof"),
            "description": gettext_lazy("Of the document that you looked at, or the call that you made."),
            "form_class": DecideForm,
            "form_submit_text": gettext_lazy("Decide"),
        },
    )
    def decide_proof(self, request: HttpRequest, form: DecideForm, object_id: str) -> HttpResponse:
        one = Request.objects.get(pk=object_id)
        passed = form.cleaned_data["passed"] == "yes"

        def act() -> None:
            check = _to_decide(one)
            if check is None:
                raise Conflict("decided", _("This proof was decided already."))
            identity.decide(check=check, passed=passed, by=by(request), at=clock.now())

        return attempt(request, act, done=_("It is written down."), then=_page(one))


def send(one: Request, *, by: str, at: datetime) -> None:
    """Mail a code that the person reads out to staff. Raises what `identity.ask_code` raises, and `mail_not_sent`."""
    _mail(one, identity.ask_code(request=one, by=by, at=at, client=by))


def type_in(one: Request, code: str, *, at: datetime) -> None:
    """The code as it was read out. Raises Conflict(`nothing_to_prove`), CodeRefused."""
    check = _to_type(one)
    if check is None:
        raise Conflict("nothing_to_prove", _("No code is waited for; send one."))
    identity.check_code(check_id=check.pk, code=code, at=at)


def _to_type(one: Request) -> IdentityCheck | None:
    """The newest asking whose code may still be typed."""
    return _pending(one).filter(method__in=proofs.BY_CODE, tries__lt=identity.MOST_TRIES).last()


def _to_decide(one: Request) -> IdentityCheck | None:
    return _pending(one).filter(method__in=proofs.LOOKED_AT).first()


def _pending(one: Request) -> QuerySet[IdentityCheck]:
    waiting = proofs.of_group(one.group).filter(status=CheckStatus.PENDING, expires_at__gt=clock.now())
    return waiting.order_by("asked_at", "pk")


def _mail(one: Request, sent: Sent) -> None:
    """Send the code in the person's language; where that fails, it does not count as one that they have."""
    if sent.code is None:
        return
    context = {"code": sent.code, "site_name": settings.SITE_NAME}
    with translation.override(one.locale):
        subject = render_to_string("requests/mail/read_out_subject.txt", context).strip()
        body = render_to_string("requests/mail/read_out_message.txt", context)
    try:
        EmailMessage(subject=subject, body=body, to=[sent.contact]).send()
    except _UNDELIVERED as error:
        identity.not_sent(check_id=sent.check_id)
        raise DomainError("mail_not_sent", _("The mail could not be sent. Try again in a while.")) from error


def _page(one: Request) -> str:
    return reverse("admin:requests_app_request_change", args=[one.pk])


def _may(request: HttpRequest, object_id: str | None, can: Callable[[Request], bool]) -> bool:
    """Whether the role allows it, and the state of this request too."""
    if object_id is None or not request.user.has_perm(CARRY_OUT):
        return bool(request.user.has_perm(CARRY_OUT))
    one = found(Request.objects.all(), object_id)
    return one is not None and can(one)
