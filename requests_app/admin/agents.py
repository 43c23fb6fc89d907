"""Authorised agents: registering them, their keys, suspending them, and what they sent."""

from typing import Any

from django.contrib import admin, messages
from django.contrib.admin.utils import quote, unquote
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.formats import date_format
from django.utils.html import format_html
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.decorators import action
from unfold.enums import ActionVariant

from portal import clock
from portal.errors import DomainError
from portal.staff_dialogs import ConfirmForm, asking
from portal.staff_pages import ReadOnlyAdmin, attempt, badge, by, found, lines, named, unbroken
from requests_app import agents, drp
from requests_app.admin.agent_forms import RegisterForm, RotateForm
from requests_app.models import Agent, AgentNotice, AgentRequest

MANAGE = "requests_app.manage_agents"
_SHOWN = 50


@admin.register(Agent)
class AgentAdmin(ReadOnlyAdmin):
    add_label = gettext_lazy("Register an agent")
    empty_title = gettext_lazy("No agent is registered")
    empty_text = gettext_lazy("Register one before it can ask for people over the Data Rights Protocol.")
    list_display = ("name", "id", "state", "registered_at")
    fields = (
        "id",
        "name",
        "state",
        "web_url",
        "technical_contact",
        "business_contact",
        "keys",
        "registered_at",
        "unheard",
        "requests",
    )
    readonly_fields = ("state", "keys", "unheard", "requests")
    actions_detail = ("rotate", "suspend", "resume")

    def has_add_permission(self, request: HttpRequest) -> bool:
        return bool(request.user.has_perm(MANAGE))

    def has_manage_permission(self, request: HttpRequest, object_id: str | None = None) -> bool:
        return self.has_add_permission(request)

    def has_suspend_permission(self, request: HttpRequest, object_id: str | None = None) -> bool:
        return self.has_add_permission(request) and (object_id is None or not _is_suspended(object_id))

    def has_resume_permission(self, request: HttpRequest, object_id: str | None = None) -> bool:
        return self.has_add_permission(request) and (object_id is None or _is_suspended(object_id))

    @admin.display(description=gettext_lazy("state"))
    def state(self, agent: Agent) -> str:
        if agent.suspended_at:
            return badge("danger", _("suspended"))
        return badge("success", _("set up")) if agent.token_made_at else badge("info", _("not set up yet"))

    @admin.display(description=gettext_lazy("keys"))
    def keys(self, agent: Agent) -> str:
        return lines(
            (
                unbroken(key.verify_key),
                badge("default", _("retired")) if key.retired_at else badge("success", _("counts")),
                date_format(key.added_at, "DATE_FORMAT"),
                named(key.added_by),
            )
            for key in agent.keys.all()
        )

    @admin.display(description=gettext_lazy("not told yet"))
    def unheard(self, agent: Agent) -> str:
        waiting = AgentNotice.objects.filter(
            agent_request__agent=agent, state__in=[AgentNotice.State.PENDING, AgentNotice.State.GIVEN_UP]
        ).order_by("-id")[:_SHOWN]
        return lines(
            (date_format(one.changed_at, "DATETIME_FORMAT"), one.get_state_display(), one.last_reason)
            for one in waiting
        )

    @admin.display(description=gettext_lazy("what it sent last"))
    def requests(self, agent: Agent) -> str:
        sent = AgentRequest.objects.filter(agent=agent).select_related("request")[:_SHOWN]
        return lines(_sent_line(one) for one in sent)

    def add_view(self, request: HttpRequest, form_url: str = "", extra_context: Any = None) -> HttpResponse:
        if not self.has_add_permission(request):
            raise PermissionDenied
        form = RegisterForm(request.POST or None)
        if request.method == "POST" and form.is_valid():
            registration = agents.Registration(**form.cleaned_data)
            try:
                agent = agents.register(registration=registration, by=by(request), at=clock.now())
            except DomainError as error:
                form.add_error(error.field, error.message)
            else:
                messages.success(request, _("The agent is registered; it can set itself up now."))
                return redirect(_address(agent.pk))
        title = _("Register an authorised agent")
        context = {**self.admin_site.each_context(request), "opts": self.opts, "title": title, "form": form}
        return TemplateResponse(request, "admin/requests_app/agent/register.html", context)

    @action(
        description=gettext_lazy("Rotate its key"),
        permissions=["manage"],
        variant=ActionVariant.PRIMARY,
        dialog={
            "title": gettext_lazy("Rotate this agent's key"),
            "description": gettext_lazy("The old key and the agent's token end now; it sets itself up by the new key."),
            "form_class": RotateForm,
            "form_submit_text": gettext_lazy("Rotate the key"),
        },
    )
    def rotate(self, request: HttpRequest, form: RotateForm, object_id: str) -> HttpResponse:
        agent, key = Agent.objects.get(pk=unquote(object_id)), form.cleaned_data["verify_key"]
        return attempt(
            request,
            lambda: agents.rotate_key(agent=agent, verify_key=key, by=by(request), at=clock.now()),
            done=_("The new key counts."),
            then=_address(agent.pk),
        )

    @action(
        description=gettext_lazy("Suspend"),
        permissions=["suspend"],
        variant=ActionVariant.DANGER,
        dialog=asking(
            title=gettext_lazy("Suspend this agent"),
            says=gettext_lazy("Nothing more is taken from it. What it sent goes on, and it is still told of it."),
            button=gettext_lazy("Suspend it"),
        ),
    )
    def suspend(self, request: HttpRequest, form: ConfirmForm, object_id: str) -> HttpResponse:
        agent = Agent.objects.get(pk=unquote(object_id))
        return attempt(
            request,
            lambda: agents.suspend(agent=agent, by=by(request), at=clock.now()),
            done=_("The agent is suspended."),
            then=_address(agent.pk),
        )

    @action(
        description=gettext_lazy("Let it come back"),
        permissions=["resume"],
        dialog=asking(
            title=gettext_lazy("Let this agent come back"),
            says=gettext_lazy("It may set itself up again by its key."),
            button=gettext_lazy("Let it come back"),
        ),
    )
    def resume(self, request: HttpRequest, form: ConfirmForm, object_id: str) -> HttpResponse:
        agent = Agent.objects.get(pk=unquote(object_id))
        return attempt(
            request,
            lambda: agents.resume(agent=agent, by=by(request), at=clock.now()),
            done=_("The agent may set itself up again."),
            then=_address(agent.pk),
        )


def _sent_line(one: AgentRequest) -> tuple[Any, ...]:
    now = drp.standing(one)
    told = " – ".join(part for part in (now.status, now.reason) if part)
    if one.request is None:
        return date_format(one.received_at, "DATETIME_FORMAT"), one.exercise, told
    address = reverse("admin:requests_app_request_change", args=[one.request.pk])
    link = format_html('<a class="text-link" href="{}">{}</a>', address, unbroken(one.request.reference))
    return date_format(one.received_at, "DATETIME_FORMAT"), one.exercise, told, link


def _is_suspended(object_id: str) -> bool:
    return found(Agent.objects.filter(suspended_at__isnull=False), unquote(object_id)) is not None


def _address(agent_id: str) -> str:
    """The agent's page; the admin writes what is special in an id another way, and so an underscore."""
    return reverse("admin:requests_app_agent_change", args=[quote(agent_id)])
