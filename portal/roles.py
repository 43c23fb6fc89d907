"""The staff's roles, as groups of permissions."""

from django.contrib.auth.models import Group, Permission
from django.db.models import Q

AGENT, MANAGER, AUDITOR = "agent", "privacy manager", "auditor"
# Apart from the privacy managers: who makes accounts could make themselves the second of four eyes.
ADMINISTRATOR = "administrator"
ALL = (AGENT, MANAGER, AUDITOR, ADMINISTRATOR)

_VIEWED = ("portal", "consents", "downstream", "requests_app")
_ALLOWED: dict[str, tuple[str, ...]] = {
    AGENT: ("requests_app.carry_out", "downstream.settle_correction"),
    MANAGER: (
        "requests_app.carry_out",
        "requests_app.read_reports",
        "requests_app.approve",
        "requests_app.change_system",
        "consents.open_hold",
        "consents.lift_hold",
        "consents.write_notice",
        "consents.publish_notice",
        "consents.send_notice",
        "consents.enact_rule",
        "consents.handle_case",
        "downstream.retry_propagation",
        "downstream.describe_dataset",
        "downstream.decide_retention",
        "downstream.decide_exposure",
        "requests_app.write_template",
        "requests_app.manage_agents",
        "downstream.settle_correction",
    ),
    AUDITOR: ("requests_app.read_reports",),
    ADMINISTRATOR: ("portal.add_user", "portal.change_user"),
}
# What an agent has no business with.
_HIDDEN_FROM_AGENT = ("auditentry", "user", "rememberedanswer")


def set_up() -> None:
    """Create or bring up to date the groups; run after every migrate."""
    for role, allowed in _ALLOWED.items():
        group, _ = Group.objects.get_or_create(name=role)
        view = Permission.objects.filter(codename__startswith="view_", content_type__app_label__in=_VIEWED)
        if role == ADMINISTRATOR:
            view = view.filter(content_type__app_label="portal", content_type__model="user")
        elif role == AGENT:
            view = view.exclude(content_type__model__in=_HIDDEN_FROM_AGENT)
        wanted = Q(pk__in=[])
        for name in allowed:
            app, _, codename = name.partition(".")
            wanted |= Q(content_type__app_label=app, codename=codename)
        group.permissions.set([*view, *Permission.objects.filter(wanted)])
