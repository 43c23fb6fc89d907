"""The register of systems that no connector reaches: what staff do there for each right."""

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.decorators import action
from unfold.enums import ActionVariant
from unfold.widgets import (
    UnfoldAdminCheckboxSelectMultipleWidget,
    UnfoldAdminSelectWidget,
    UnfoldAdminTextareaWidget,
    UnfoldAdminTextInputWidget,
)

from portal import clock
from portal.errors import DomainError
from portal.models import User
from portal.staff_dialogs import ConfirmForm, asking
from portal.staff_pages import ReadOnlyAdmin, attempt, badge, by, found, lines
from requests_app import systems
from requests_app.models import System
from requests_app.states import Right

KEEP = "requests_app.change_system"


class SystemForm(forms.Form):
    """What a system is, and what staff do there."""

    slug = forms.SlugField(
        label=gettext_lazy("Slug"),
        max_length=50,
        widget=UnfoldAdminTextInputWidget,
        help_text=gettext_lazy("A short name for programs, such as sales-crm; it stays as it is."),
    )
    name = forms.CharField(
        label=gettext_lazy("Name"),
        max_length=120,
        widget=UnfoldAdminTextInputWidget,
        help_text=gettext_lazy("As colleagues call it."),
    )
    public_name = forms.CharField(
        label=gettext_lazy("Name for people"),
        max_length=120,
        widget=UnfoldAdminTextInputWidget,
        help_text=gettext_lazy("They read it on the page of their request, such as “Our customer files”."),
    )
    rights = forms.MultipleChoiceField(
        label=gettext_lazy("Requests that mean work there"),
        choices=Right.choices,
        widget=UnfoldAdminCheckboxSelectMultipleWidget,
    )
    instructions = forms.CharField(
        label=gettext_lazy("Instructions"),
        max_length=4000,
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 6}),
        help_text=gettext_lazy("What has to be done there, and what proves it. Nothing about any person."),
    )
    keeper = forms.ModelChoiceField(
        User.objects.filter(is_staff=True, is_active=True).order_by("username"),
        label=gettext_lazy("Who keeps it"),
        required=False,
        widget=UnfoldAdminSelectWidget,
        help_text=gettext_lazy("Whom colleagues ask about it."),
    )


@admin.register(System)
class SystemAdmin(ReadOnlyAdmin):
    add_label = gettext_lazy("Register a system")
    empty_title = gettext_lazy("No system is registered")
    empty_text = gettext_lazy("Register what holds people's data and is no dataset: a CRM, a wiki, an archive.")
    list_display = ("name", "means", "keeper", "state")
    list_select_related = ("keeper",)
    actions_row = ("retire",)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return bool(request.user.has_perm(KEEP))

    def has_retire_permission(self, request: HttpRequest, object_id: str | None = None) -> bool:
        living = System.objects.filter(retired_at__isnull=True)
        return self.has_add_permission(request) and (object_id is None or found(living, object_id) is not None)

    @admin.display(description=gettext_lazy("requests that mean work there"))
    def means(self, system: System) -> str:
        return lines((Right(one).label,) for one in system.rights)

    @admin.display(description=gettext_lazy("state"))
    def state(self, system: System) -> str:
        return badge("default", _("retired")) if system.retired_at else badge("success", _("kept"))

    def add_view(self, request: HttpRequest, form_url: str = "", extra_context: Any = None) -> HttpResponse:
        if not self.has_add_permission(request):
            raise PermissionDenied
        form = SystemForm(request.POST or None)
        if request.method == "POST" and form.is_valid():
            try:
                systems.register(**form.cleaned_data, by=by(request), at=clock.now())
            except DomainError as error:
                form.add_error(error.field if error.field in form.fields else None, error.message)
            else:
                messages.success(request, _("Requests that are started from now on mean work there."))
                return redirect("admin:requests_app_system_changelist")
        return self._page(request, form, _("Register a system"))

    def change_view(self, request: HttpRequest, object_id: str, *args: Any, **kwargs: Any) -> HttpResponse:
        """Shows what is said of it; whoever keeps the register says it anew here."""
        system = found(System.objects.all(), object_id)
        if system is None:
            raise Http404
        if not self.has_retire_permission(request, object_id):
            return super().change_view(request, object_id, *args, **kwargs)  # type: ignore[no-any-return]
        form = SystemForm(request.POST or None, initial=_said(system))
        # its name in addresses and timelines stays
        form.fields["slug"].disabled = True
        if request.method == "POST" and form.is_valid():
            said = {name: value for name, value in form.cleaned_data.items() if name != "slug"}
            try:
                systems.describe(system=system, **said, by=by(request), at=clock.now())
            except DomainError as error:
                form.add_error(error.field if error.field in form.fields else None, error.message)
            else:
                messages.success(request, _("It is written down. Open tasks keep what they were planned with."))
                return redirect("admin:requests_app_system_changelist")
        return self._page(request, form, system.name)

    @action(
        description=gettext_lazy("Retire"),
        permissions=["retire"],
        variant=ActionVariant.DANGER,
        dialog=asking(
            title=gettext_lazy("Retire this system"),
            says=gettext_lazy("No request means work there any more. Open tasks stay until staff settle them."),
            button=gettext_lazy("Retire it"),
        ),
    )
    def retire(self, request: HttpRequest, form: ConfirmForm, object_id: str) -> HttpResponse:
        system = System.objects.get(pk=object_id)
        return attempt(
            request,
            lambda: systems.retire(system=system, by=by(request), at=clock.now()),
            done=_("The system is retired."),
            then=reverse("admin:requests_app_system_changelist"),
        )

    def _page(self, request: HttpRequest, form: SystemForm, title: str) -> HttpResponse:
        context = {**self.admin_site.each_context(request), "opts": self.opts, "title": title, "form": form}
        return TemplateResponse(request, "admin/requests_app/system/describe.html", context)


def _said(system: System) -> dict[str, Any]:
    return {
        "slug": system.slug,
        "name": system.name,
        "public_name": system.public_name,
        "rights": system.rights,
        "instructions": system.instructions,
        "keeper": system.keeper_id,
    }
