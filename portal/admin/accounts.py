"""Staff accounts and their roles. People's accounts are not listed: they belong to their person."""

from typing import Any

from django.contrib import admin
from django.contrib.auth.models import Group
from django.db.models import QuerySet
from django.http import HttpRequest
from unfold.admin import ModelAdmin

from portal import audit, clock
from portal.models import User
from portal.staff_pages import by

admin.site.unregister(Group)


@admin.register(User)
class StaffAccountAdmin(ModelAdmin):  # type: ignore[misc]
    list_display = ("username", "email", "is_active", "last_login")
    fields = ("username", "email", "is_active", "is_staff", "groups")
    filter_horizontal = ("groups",)
    search_fields = ("username", "email")

    def get_queryset(self, request: HttpRequest) -> QuerySet[User]:
        every: QuerySet[User] = super().get_queryset(request)
        return every.filter(is_staff=True)

    def get_changeform_initial_data(self, request: HttpRequest) -> dict[str, Any]:
        return {"is_staff": True}

    def save_model(self, request: HttpRequest, obj: User, form: Any, change: bool) -> None:
        if not change:
            obj.set_unusable_password()
        super().save_model(request, obj, form, change)
        audit.record(at=clock.now(), by=by(request), action="account.save", of=("account", obj.pk))

    def has_delete_permission(self, request: HttpRequest, obj: User | None = None) -> bool:
        """Accounts are switched off, not deleted: the audit trail names them."""
        return False


@admin.register(Group)
class RoleAdmin(ModelAdmin):  # type: ignore[misc]
    filter_horizontal = ("permissions",)
