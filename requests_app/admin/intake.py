"""Taking down what somebody asks by telephone, letter, mail or in person: first what it will do, then the deed."""

from typing import Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.html import format_html, format_html_join
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from consents import subjects
from consents.models import Purpose
from consents.vocabulary import Scheme
from portal import clock
from portal.errors import DomainError
from portal.staff_pages import by
from requests_app import taking_down
from requests_app.admin.intake_forms import ABOUT, FIELDS, IntakeForm
from requests_app.models import Request
from requests_app.states import Right
from requests_app.taking_down import TakenDown

CARRY_OUT = "requests_app.carry_out"


class IntakePages:
    """For the request queue's admin: its button "add" takes a request down."""

    add_label = gettext_lazy("Take a request down")
    admin_site: Any

    def has_add_permission(self, request: HttpRequest) -> bool:
        return bool(request.user.has_perm(CARRY_OUT))

    def add_view(self, request: HttpRequest, form_url: str = "", extra_context: Any = None) -> HttpResponse:
        """The second submit carries `confirmed`; what it takes down is fixed there."""
        if not self.has_add_permission(request):
            raise PermissionDenied
        initial = {"received_on": clock.now().date(), "locale": "en"}
        form = IntakeForm(request.POST if request.method == "POST" else None, initial=initial)
        shown = None
        if form.is_valid():
            try:
                if "confirmed" in request.POST:
                    return _take_in(request, form)
                shown = None if "edit" in request.POST else _shown(request, form)
            except DomainError as error:
                name = FIELDS.get(error.field or "", error.field)
                form.add_error(name if name in form.fields else None, error.message)
        context = {**self.admin_site.each_context(request), "form": form, "shown": shown, "title": _("Requests")}
        status = 400 if form.errors else 200
        return TemplateResponse(request, "admin/requests_app/request/intake.html", context, status=status)


def _shown(request: HttpRequest, form: IntakeForm) -> dict[str, Any]:
    """What taking it down will do."""
    at = clock.now()
    taken = form.taken(at=at)
    outlook = taking_down.outlook(taken=taken, by=by(request), at=at)
    known = outlook.subject
    return {
        "rights": [Right(one).label for one in taken.asked.rights],
        "purposes": _uses(taken),
        "corrections": form.filled_corrections(),
        "lacks_corrections": Right.RECTIFICATION in taken.asked.rights and not form.filled_corrections(),
        "person": _person(known),
        "received_on": form.cleaned_data["received_on"],
        "repeats": [_link(one) for one in outlook.repeats.values()],
        "waits": not taken.shown,
    }


def _uses(taken: TakenDown) -> list[tuple[Any, str]]:
    """(what they are about, their names) of each right that names uses."""
    names = dict(Purpose.objects.values_list("slug", "name"))
    named = {Right(right): scope["purposes"] for right, scope in taken.asked.scopes.items()}
    return [(ABOUT[right], ", ".join(names.get(slug, slug) for slug in slugs)) for right, slugs in named.items()]


def _person(subject: Any) -> str:
    if subject is None:
        return _("nobody whom we know")
    reference = subjects.values([subject.pk], scheme=Scheme.ACCOUNT).get(subject.pk)
    address = reverse("admin:consents_subject_change", args=[subject.pk])
    return format_html('<a class="text-link" href="{}">{}</a>', address, reference or subject.pk)


def _take_in(request: HttpRequest, form: IntakeForm) -> HttpResponse:
    at = clock.now()
    taken = taking_down.take_in(taken=form.taken(at=at), by=by(request), at=at)
    links = format_html_join(", ", "{}", ((_link(one),) for one in taken))
    said = ngettext("Taken down: {}", "Taken down as requests that belong together: {}", len(taken))
    messages.success(request, format_html(said, links))
    for one in taken:
        if one.duplicate_of is not None:
            words = _("{} asks for the same as {}, which is open, and is answered with it.")
            messages.warning(request, format_html(words, _link(one), _link(one.duplicate_of)))
    if len(taken) == 1:
        return redirect("admin:requests_app_request_change", taken[0].pk)
    return redirect("admin:requests_app_request_changelist")


def _link(one: Request) -> str:
    address = reverse("admin:requests_app_request_change", args=[one.pk])
    return format_html('<a class="text-link" href="{}">{}</a>', address, one.reference)
