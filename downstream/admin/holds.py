"""Holds: opening one with its effect shown first, following it, lifting it with two people."""

from collections.abc import Sequence
from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.decorators import action
from unfold.enums import ActionVariant

from consents import holds, previews, sequencer
from consents.models import Hold, Purpose
from downstream import permits
from downstream.admin.forms import HoldForm
from downstream.models import Dataset, Propagation
from downstream.propagation_states import Status
from portal import clock
from portal.countries import name_of
from portal.errors import DomainError
from portal.staff_dialogs import ConfirmForm, asking
from portal.staff_pages import ReadOnlyAdmin, attempt, badge, by, found, lines, named


@admin.register(Hold)
class HoldAdmin(ReadOnlyAdmin):
    add_label = gettext_lazy("Open a hold")
    empty_title = gettext_lazy("No hold was ever opened")
    empty_text = gettext_lazy("Open one when a use of data has to stop for a country at once.")
    list_display = ("scope", "authority", "state", "opened_at", "lifted_at")
    fields = (
        "scope",
        "authority",
        "case",
        "reason",
        "state",
        "arrival",
        "happened",
    )
    readonly_fields = ("scope", "state", "arrival", "happened")
    actions_detail = ("ask_to_lift", "lift")

    def has_add_permission(self, request: HttpRequest) -> bool:
        return bool(request.user.has_perm("consents.open_hold"))

    @admin.display(description=gettext_lazy("scope"))
    def scope(self, hold: Hold) -> str:
        return scope_in_words(holds.scope_of(hold))

    @admin.display(description=gettext_lazy("state"))
    def state(self, hold: Hold) -> str:
        if not hold.is_open:
            return badge("default", _("lifted"))
        return badge("warning", _("in force; lifting asked for") if hold.lift_asked_at else _("in force"))

    @admin.display(description=gettext_lazy("where it has arrived"))
    def arrival(self, hold: Hold) -> str:
        position = sequencer.position_of(holds.opening_event(hold))
        rows = [
            (dataset.name, *_arrival(hold, dataset, position)) for dataset in _datasets(hold.purposes, hold.recipients)
        ]
        return lines(rows, otherwise=_("no dataset serves these purposes"))

    @admin.display(description=gettext_lazy("what happened"))
    def happened(self, hold: Hold) -> str:
        told = [
            (hold.opened_at, _("opened"), hold.opened_by),
            (hold.lift_asked_at, _("asked to lift"), hold.lift_asked_by),
            (hold.lifted_at, _("lifted"), hold.lifted_by),
        ]
        return lines((date_format(at, "DATETIME_FORMAT"), what, named(who)) for at, what, who in told if at)

    def add_view(self, request: HttpRequest, form_url: str = "", extra_context: Any = None) -> HttpResponse:
        """First the effect, then the deed: the second submit carries `confirmed`, and what it opens is fixed there."""
        if not self.has_add_permission(request):
            raise PermissionDenied
        form = HoldForm(request.POST or None)
        effect = None
        if request.method == "POST" and form.is_valid():
            try:
                if "confirmed" in request.POST:
                    return self._open(request, form)
                effect = None if "edit" in request.POST else _effect(form)
            except DomainError as error:
                form.add_error(error.field if error.field in form.fields else None, error.message)
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": _("Open a hold"),
            "form": form,
            "effect": effect,
        }
        return TemplateResponse(request, "admin/consents/hold/open.html", context)

    def _open(self, request: HttpRequest, form: HoldForm) -> HttpResponse:
        hold = holds.open(
            scope=form.scope(),
            reason=form.cleaned_data["reason"],
            authority=form.cleaned_data["authority"],
            case=form.cleaned_data["case"],
            by=by(request),
            at=clock.now(),
        )
        said = _("The hold is in force. Its people's rows are leaving the datasets now.")
        if hold.has_window:
            said = _("The hold is in force. Its people's rows of that span are leaving the datasets that know it.")
        messages.success(request, said)
        return redirect(reverse("admin:consents_hold_change", args=[hold.pk]))

    def has_ask_permission(self, request: HttpRequest, object_id: str | None = None) -> bool:
        open_holds = Hold.objects.filter(lifted_at__isnull=True, lift_asked_at__isnull=True)
        return _may_lift(request) and (object_id is None or found(open_holds, object_id) is not None)

    def has_lift_permission(self, request: HttpRequest, object_id: str | None = None) -> bool:
        asked = Hold.objects.filter(lifted_at__isnull=True, lift_asked_at__isnull=False)
        by_others = asked.exclude(lift_asked_by=by(request))
        return _may_lift(request) and (object_id is None or found(by_others, object_id) is not None)

    @action(
        description=gettext_lazy("Ask to lift"),
        permissions=["ask"],
        variant=ActionVariant.PRIMARY,
        dialog=asking(
            title=gettext_lazy("Ask to lift this hold"),
            says=gettext_lazy("A second person has to lift it. Until then everything stays as it is."),
            button=gettext_lazy("Ask"),
        ),
    )
    def ask_to_lift(self, request: HttpRequest, form: ConfirmForm, object_id: str) -> HttpResponse:
        hold = Hold.objects.get(pk=object_id)
        return attempt(
            request,
            lambda: holds.ask_to_lift(hold=hold, by=by(request), at=clock.now()),
            done=_("Now a second person can lift the hold."),
            then=reverse("admin:consents_hold_change", args=[object_id]),
        )

    @action(
        description=gettext_lazy("Lift"),
        permissions=["lift"],
        variant=ActionVariant.DANGER,
        dialog=asking(
            title=gettext_lazy("Lift this hold"),
            says=gettext_lazy(
                "Decisions follow rules and choices again at once. Rows that were removed stay removed; "
                "objections that people made meanwhile stay in force."
            ),
            button=gettext_lazy("Lift the hold"),
        ),
    )
    def lift(self, request: HttpRequest, form: ConfirmForm, object_id: str) -> HttpResponse:
        hold = Hold.objects.get(pk=object_id)
        return attempt(
            request,
            lambda: holds.lift(hold=hold, by=by(request), at=clock.now()),
            done=_("The hold is lifted."),
            then=reverse("admin:consents_hold_change", args=[object_id]),
        )


def _may_lift(request: HttpRequest) -> bool:
    return bool(request.user.has_perm("consents.lift_hold"))


def scope_in_words(scope: holds.HoldScope) -> str:
    """Whom and what a hold pauses, as staff read it."""
    names = dict(Purpose.objects.values_list("slug", "name"))
    purposes = ", ".join(names.get(slug, slug) for slug in scope.purposes) or _("every purpose")
    places = ", ".join(name_of(code) for code in scope.jurisdictions) or _("everywhere")
    recipients = f" · {', '.join(scope.recipients)}" if scope.recipients else ""
    return f"{purposes} · {places}{recipients}{span_in_words(scope)}"


def span_in_words(scope: holds.HoldScope) -> str:
    """Which data it covers, where that is not all: to be put behind the rest."""
    start = date_format(scope.data_from, "DATE_FORMAT") if scope.data_from else None
    end = date_format(scope.data_until, "DATE_FORMAT") if scope.data_until else None
    if start and end:
        return " · " + _("data made from %(start)s to before %(end)s") % {"start": start, "end": end}
    if start:
        return " · " + _("data made from %s on") % start
    return " · " + _("data made before %s") % end if end else ""


def _arrival(hold: Hold, dataset: Dataset, position: int | None) -> tuple[str, str]:
    """(badge, reason) of one dataset on the hold's way."""
    if hold.has_window and not dataset.created_column:
        return badge("danger", _("gap")), _("It does not say when its rows were made; name the column on its page.")
    if position is not None and dataset.position >= position:
        return badge("success", _("verified")), ""
    current: Propagation | None = dataset.propagations.open().first()
    if current is None:
        return badge("info", _("waiting")), ""
    failed = current.status in {Status.FAILED, Status.STOPPED}
    return badge("danger" if failed else "info", current.get_status_display()), current.reason


def _effect(form: HoldForm) -> dict[str, Any]:
    scope = holds.check(form.scope(), reason=form.cleaned_data["reason"])
    names = dict(Purpose.objects.values_list("slug", "name"))
    paused = previews.preview_hold(scope, at=clock.now())
    return {
        "people": holds.people_in(scope),
        "scope": scope_in_words(scope),
        "has_window": scope.data_from is not None or scope.data_until is not None,
        "paused": [(names.get(one.purpose, one.purpose), one.recipient, one.to_deny) for one in paused],
        "table": _by_country(paused, names),
        "datasets": _datasets(scope.purposes, scope.recipients),
        "permits": permits.ended_by(scope, at=clock.now()),
    }


def _by_country(paused: Sequence[previews.Paused], names: dict[str, str]) -> dict[str, Any]:
    """People and, for each purpose paused, the decisions that turn to deny, by country."""
    people = {one.country: one.people for each in paused for one in each.changes}
    denied = [{one.country: one.to_deny for one in each.changes} for each in paused]
    headers = [
        " · ".join(word for word in (names.get(each.purpose, each.purpose), each.recipient) if word) for each in paused
    ]
    return {
        "headers": [_("Country"), _("People"), *headers],
        "rows": [
            [name_of(country), people[country], *(each.get(country, 0) for each in denied)]
            for country in sorted(people)
        ],
    }


def _datasets(purposes: Sequence[str], recipients: Sequence[str]) -> list[Dataset]:
    """The living datasets of these recipients that serve one of the purposes or a part of it; none stands for all."""
    living = Dataset.objects.living()
    if recipients:
        living = living.filter(owner_id__in=recipients)
    return [one for one in living if not purposes or any(one.serves(purpose) for purpose in purposes)]
