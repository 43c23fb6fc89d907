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

_ROLE = ("is_active", "is_staff", "groups")


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
        # the names of what changed, never its content
        changed = {"fields": sorted(form.changed_data)}
        audit.record(at=clock.now(), by=by(request), action="account.save", of=("account", obj.pk), details=changed)

    def has_change_permission(self, request: HttpRequest, obj: User | None = None) -> bool:
        """Whoever could change a superuser's address could sign in as them."""
        if obj is not None and obj.is_superuser and not request.user.is_superuser:
            return False
        return bool(super().has_change_permission(request, obj))

    def get_readonly_fields(self, request: HttpRequest, obj: User | None = None) -> tuple[str, ...]:
        """Nobody gives themselves a role, nor takes one: that is for a colleague to do."""
        return _ROLE if obj is not None and obj.pk == request.user.pk else ()

    def has_delete_permission(self, request: HttpRequest, obj: User | None = None) -> bool:
        """Accounts are switched off, not deleted: the audit trail names them."""
        return False


@admin.register(Group)
class RoleAdmin(ModelAdmin):  # type: ignore[misc]
    filter_horizontal = ("permissions",)
