"""The request queue: what is due first, narrowed by what has to be done, worked on one by one or many at once."""

import uuid
from contextlib import suppress
from typing import Any

from django.contrib import admin, messages
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseNotAllowed
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.formats import date_format
from django.utils.html import format_html
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from portal import audit, clock, references
from portal.countries import name_of
from portal.errors import DomainError, NotFound
from portal.models import User
from portal.staff_pages import FirstThousands, ReadOnlyAdmin, badge, by, found, unbroken
from requests_app import remaining
from requests_app.admin import bulk, saved_views, wording, workspace
from requests_app.admin.deeds import BY_NAME
from requests_app.admin.deeds.base import CARRY_OUT, Deed, Doing, why_not
from requests_app.admin.filters import (
    ChannelFilter,
    PlaceFilter,
    RightFilter,
    StaffFilter,
    StatusFilter,
    ViewFilter,
    views,
)
from requests_app.admin.intake import IntakePages
from requests_app.models import Request
from requests_app.states import Channel

_BODIES = ("terms", "sealed_note", "sealed_details", "sealed_requester", "sealed_contact")


@admin.register(Request)
class RequestAdmin(IntakePages, ReadOnlyAdmin):
    empty_title = gettext_lazy("Nothing here")
    empty_text = gettext_lazy("People make requests on their pages; each appears here with its deadline.")
    list_display = ("asked", "state", "due", "lives_in", "received_on", "handled_by")
    list_filter = (ViewFilter, StatusFilter, RightFilter, PlaceFilter, StaffFilter, ChannelFilter)
    list_per_page = 40
    list_before_template = "admin/requests_app/request/views.html"
    paginator = FirstThousands
    show_full_result_count = False
    # by anything else, all that is open would have to be sorted
    sortable_by = ("due",)
    ordering = ("due_on", "id")
    search_fields = ("id",)
    search_help_text = gettext_lazy("A reference, such as Q-01ABC…")
    actions = ("assign_to_me", "assign_to", "extend")

    class Media:
        js = ("heed/queue.js",)

    def get_queryset(self, request: HttpRequest) -> "QuerySet[Request]":
        return Request.objects.select_related("assigned_to").defer(*_BODIES).annotate(zone=remaining.ZONE)

    def get_search_results(
        self, request: HttpRequest, queryset: "QuerySet[Request]", search_term: str
    ) -> "tuple[QuerySet[Request], bool]":
        if not search_term.strip():
            return queryset, False
        with suppress(ValueError):
            # a person's id, by which their page leads here
            return self.get_queryset(request).filter(subject_id=uuid.UUID(search_term)), False
        try:
            # whatever is filtered: who has a reference in hand means that request
            return self.get_queryset(request).filter(pk=references.decode("Q", search_term)), False
        except NotFound:
            return queryset.none(), False

    @admin.display(description=gettext_lazy("request"))
    def asked(self, request: Request) -> str:
        return format_html("{}<br>{}", request.get_right_display(), unbroken(request.reference))

    @admin.display(description=gettext_lazy("status"))
    def state(self, request: Request) -> str:
        return badge(*wording.state(request))

    @admin.display(description=gettext_lazy("due"), ordering="due_on")
    def due(self, request: Request) -> str:
        return badge(*remaining.in_words(request, at=clock.now()))

    @admin.display(description=gettext_lazy("lives in"))
    def lives_in(self, request: Request) -> str:
        return name_of(request.jurisdiction)

    @admin.display(description=gettext_lazy("received"))
    def received_on(self, request: Request) -> str:
        day = format_html('<span class="nowrap">{}</span>', date_format(request.received_at, "DATE_FORMAT"))
        if request.channel == Channel.PAGES:
            return day
        return format_html("{}<br>{}", day, request.get_channel_display())

    @admin.display(description=gettext_lazy("assigned to"))
    def handled_by(self, request: Request) -> str:
        return request.assigned_to.username if request.assigned_to else "–"

    # --- one request ------------------------------------------------------------------------------

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view
        own: list[URLPattern] = [
            path("views/save/", view(self.save_view), name="requests_app_request_save_view"),
            path("views/<uuid:pk>/forget/", view(self.forget_view), name="requests_app_request_forget_view"),
            path("<path:object_id>/do/<slug:name>/", view(self.do), name="requests_app_request_do"),
            path("<path:object_id>/do/<slug:name>/<path:of>/", view(self.do), name="requests_app_request_do_part"),
        ]
        return own + super().get_urls()  # type: ignore[no-any-return]  # unfold has no types

    def change_view(self, request: HttpRequest, object_id: str, *args: Any, **kwargs: Any) -> HttpResponse:
        if request.method not in {"GET", "HEAD"}:
            return HttpResponseNotAllowed(["GET", "HEAD"])
        one = self._one(request, object_id)
        at = clock.now()
        audit.record(at=at, by=by(request), action="request.look_at", of=("request", one.pk))
        context = {**self.admin_site.each_context(request), "opts": self.opts, "title": one.reference}
        # the list that they came from, as it was narrowed
        context["queue"] = request.GET.get("_changelist_filters", "")
        return TemplateResponse(
            request,
            "admin/requests_app/request/workspace.html",
            context | workspace.panels(one, _staff(request), at=at),
        )

    def do(self, request: HttpRequest, object_id: str, name: str, of: str = "") -> HttpResponse:
        """A deed's page: what will happen and what has to be filled in; then it is done."""
        one, deed = self._one(request, object_id), BY_NAME.get(name)
        if deed is None:
            raise Http404
        if not request.user.has_perm(deed.permission):
            raise PermissionDenied
        back = reverse("admin:requests_app_request_change", args=[one.pk])
        sent = (request.POST, request.FILES) if request.method == "POST" else (None, None)
        form = deed.form(*sent, initial={"request": one, "of": of})
        against = why_not(deed, one)
        if form.is_bound and against:
            form.add_error(None, against)
        if form.is_valid():
            doing = Doing(one, form.cleaned_data, _staff(request), by(request), clock.now(), of)
            if _done(request, deed, doing, form):
                return redirect(back)
        context = {**self.admin_site.each_context(request), "opts": self.opts, "title": deed.label}
        context |= {"deed": deed, "form": form, "one": one, "back": back, "against": against}
        context |= {"says": deed.says_of(one), "is_final": deed.is_final(one)}
        context |= {"state": wording.state(one), "due": remaining.in_words(one, at=clock.now())}
        context["part"] = workspace.part(one, _staff(request), of) if deed.takes_part else None
        status = 400 if form.errors else 200
        return TemplateResponse(request, "admin/requests_app/request/deed.html", context, status=status)

    def _one(self, request: HttpRequest, object_id: str) -> Request:
        if not self.has_view_permission(request):
            raise PermissionDenied
        one = found(
            Request.objects.select_related("assigned_to", "subject", "agent", "duplicate_of", "about"), object_id
        )
        if one is None:
            raise Http404
        return one

    # --- many at once -----------------------------------------------------------------------------

    def has_work_permission(self, request: HttpRequest, *_: Any) -> bool:
        return bool(request.user.has_perm(CARRY_OUT))

    @admin.action(description=gettext_lazy("Assign to me"), permissions=["work"])
    def assign_to_me(self, request: HttpRequest, queryset: "QuerySet[Request]") -> None:
        _tell(request, bulk.assign(_ids(request, queryset), staff=_staff(request), by=by(request), at=clock.now()))

    @admin.action(description=gettext_lazy("Assign to …"), permissions=["work"])
    def assign_to(self, request: HttpRequest, queryset: "QuerySet[Request]") -> HttpResponse | None:
        return self._asked(request, queryset, bulk.AssignForm, "assign_to", bulk.assign_filled)

    @admin.action(description=gettext_lazy("Extend …"), permissions=["work"])
    def extend(self, request: HttpRequest, queryset: "QuerySet[Request]") -> HttpResponse | None:
        return self._asked(request, queryset, bulk.ExtendForm, "extend", bulk.extend_filled)

    def _asked(
        self, request: HttpRequest, queryset: "QuerySet[Request]", form_class: Any, name: str, act: Any
    ) -> HttpResponse | None:
        """Ask for what is missing on a page of its own, then do it to each."""
        ids = _ids(request, queryset)
        form = form_class(request.POST if "filled" in request.POST else None)
        if form.is_bound and form.is_valid():
            _tell(request, act(ids, form.cleaned_data, by=by(request), at=clock.now()))
            return None
        context = {**self.admin_site.each_context(request), "opts": self.opts, "title": form_class.title}
        context |= {"form": form, "ids": ids, "action": name, "says": form_class.says}
        return TemplateResponse(request, "admin/requests_app/request/bulk.html", context)

    # --- saved views ------------------------------------------------------------------------------

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        mine = saved_views.of(_staff(request))
        shown = {"saved_views": mine, "views": views(request.GET.get("view", ""))}
        return super().changelist_view(request, {**shown, **(extra_context or {})})

    def save_view(self, request: HttpRequest) -> HttpResponse:
        """Keep the filters that are set under a name."""
        if request.method != "POST":
            raise Http404
        try:
            kept = saved_views.save(staff=_staff(request), name=request.POST.get("name", ""), query=_query(request))
            messages.success(request, _("Saved as “%s”.") % kept.name)
        except DomainError as error:
            messages.error(request, error.message)
        return redirect(f"{reverse('admin:requests_app_request_changelist')}?{_query(request)}")

    def forget_view(self, request: HttpRequest, pk: Any) -> HttpResponse:
        if request.method != "POST" or not saved_views.forget(staff=_staff(request), pk=pk):
            raise Http404
        return redirect("admin:requests_app_request_changelist")


def _done(request: HttpRequest, deed: Deed, doing: Doing, form: Any) -> bool:
    try:
        deed.act(doing)
    except DomainError as error:
        form.add_error(error.field if error.field in form.fields else None, error.message)
        return False
    messages.success(request, deed.done)
    return True


def _staff(request: HttpRequest) -> User:
    assert isinstance(request.user, User)  # noqa: S101 -- the staff's site lets nobody else in
    return request.user


def _ids(request: HttpRequest, queryset: "QuerySet[Request]") -> list[str]:
    """What was ticked; of everything that is listed ("select all"), the first bulk.MOST, and it is said so."""
    if request.POST.get("select_across") != "1":
        return request.POST.getlist(ACTION_CHECKBOX_NAME)[: bulk.MOST]
    ids = [str(pk) for pk in queryset.values_list("pk", flat=True)[: bulk.MOST + 1]]
    if len(ids) > bulk.MOST:
        words = _("%(most)d requests are taken at once, those that are due first. Do the rest afterwards.")
        messages.warning(request, words % {"most": bulk.MOST})
    return ids[: bulk.MOST]


def _query(request: HttpRequest) -> str:
    return request.POST.get("query", "")[: saved_views.LONGEST]


def _tell(request: HttpRequest, outcome: bulk.Outcome) -> None:
    """How it went with each: nothing that failed is passed over."""
    if outcome.done:
        words = ngettext("Done with %(count)d request.", "Done with %(count)d requests.", outcome.done)
        messages.success(request, words % {"count": outcome.done})
    for reference, message in outcome.refused:
        messages.error(request, f"{reference}: {message}")
