"""Rules: what stands where, every version, and proposing a next one with its effect shown first."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.contrib import admin, messages
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

from consents import previews, rules
from consents.admin.rule_forms import RuleForm
from consents.models import Purpose, Recipient, Rule
from consents.previews import Preview
from consents.vocabulary import ANYWHERE, Default
from portal import clock
from portal.countries import name_of
from portal.errors import DomainError
from portal.staff_pages import ReadOnlyAdmin, badge, by, found, lines

ENACT = "consents.enact_rule"


@dataclass
class Cell:
    """What stands for one purpose in one jurisdiction, for all recipients first, and what comes next."""

    standing: list[Rule] = field(default_factory=list)
    coming: list[Rule] = field(default_factory=list)


@admin.register(Rule)
class RuleAdmin(ReadOnlyAdmin):
    add_label = gettext_lazy("Add a version")
    list_before_template = "admin/consents/rule/matrix.html"
    list_display = ("purpose", "place", "receiver", "answer", "dates", "state")
    list_filter = ("purpose", "jurisdiction", "default", "legal_basis")
    list_select_related = ("purpose",)
    ordering = ("-effective_from", "purpose", "jurisdiction")
    fields = (
        "purpose",
        "place",
        "receiver",
        "state",
        "default",
        "legal_basis",
        "effective_from",
        "effective_to",
        "told_by",
        "agreement",
        "signal",
        "minors",
        "explanation",
        "source",
        "recorded_at",
        "versions",
    )
    readonly_fields = ("place", "receiver", "state", "told_by", "agreement", "signal", "minors", "versions")
    actions_detail = ("next_version",)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return bool(request.user.has_perm(ENACT))

    def has_next_permission(self, request: HttpRequest, object_id: str | None = None) -> bool:
        return self.has_add_permission(request)

    @admin.display(description=gettext_lazy("where"), ordering="jurisdiction")
    def place(self, rule: Rule) -> str:
        return place_of(rule.jurisdiction)

    @admin.display(description=gettext_lazy("recipient"), ordering="recipient")
    def receiver(self, rule: Rule) -> str:
        return rule.recipient or _("every recipient")

    @admin.display(description=gettext_lazy("state"))
    def state(self, rule: Rule) -> str:
        return badge(*_state(rule, _same_scope(rule), clock.now()))

    @admin.display(description=gettext_lazy("notice"))
    def told_by(self, rule: Rule) -> str:
        if not rule.notice:
            return _("none is needed")
        return _("%(notice)s, %(days)d days before") % {"notice": rule.notice, "days": rule.notice_days}

    @admin.display(description=gettext_lazy("default"), ordering="default")
    def answer(self, rule: Rule) -> str:
        is_on = rule.default == Default.ALLOW
        return badge("success" if is_on else "default", _("on") if is_on else _("off"))

    @admin.display(description=gettext_lazy("in force from"), ordering="effective_from")
    def dates(self, rule: Rule) -> str:
        return format_html('<span class="nowrap">{}</span>', _dates(rule))

    @admin.display(description=gettext_lazy("an agreement lasts"))
    def agreement(self, rule: Rule) -> str:
        return _("%d days") % rule.consent_days if rule.consent_days else _("without end")

    @admin.display(description=gettext_lazy("browser's opt-out signal"))
    def signal(self, rule: Rule) -> str:
        return _("counts as a no") if rule.gpc_denies else _("has no effect on this")

    @admin.display(description=gettext_lazy("minors"))
    def minors(self, rule: Rule) -> str:
        return _("are in too") if rule.admits_minors else _("are out")

    @admin.display(description=gettext_lazy("every version"))
    def versions(self, rule: Rule) -> str:
        every, now = list(_same_scope(rule)), clock.now()
        return lines(
            (
                format_html('<a class="text-link" href="{}">{}</a>', _address(one), _dates(one)),
                one.get_default_display(),
                badge(*_state(one, every, now)),
            )
            for one in every
        )

    @action(
        description=gettext_lazy("Add a next version"),
        permissions=["next"],
        variant=ActionVariant.PRIMARY,
    )
    def next_version(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return redirect(f"{reverse('admin:consents_rule_add')}?after={object_id}")

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        return super().changelist_view(request, {"matrix": _matrix(clock.now()), **(extra_context or {})})

    def add_view(self, request: HttpRequest, form_url: str = "", extra_context: Any = None) -> HttpResponse:
        """First the effect, then the deed: the second submit carries `confirmed`, and what it enacts is fixed there."""
        if not self.has_add_permission(request):
            raise PermissionDenied
        form = RuleForm(request.POST or None, initial=_initial(request))
        effect = None
        if request.method == "POST" and form.is_valid():
            try:
                if "confirmed" in request.POST:
                    return self._enact(request, form)
                effect = None if "edit" in request.POST else _effect(form)
            except DomainError as error:
                form.add_error(error.field if error.field in form.fields else None, error.message)
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": _("Add a version"),
            "form": form,
            "effect": effect,
        }
        return TemplateResponse(request, "admin/consents/rule/enact.html", context)

    def _enact(self, request: HttpRequest, form: RuleForm) -> HttpResponse:
        rule = rules.enact(proposal=form.proposal(), by=by(request), at=clock.now())
        messages.success(request, _("The version is written. It takes effect on the day it names."))
        return redirect(_address(rule))


def place_of(code: str) -> str:
    """A rule's jurisdiction in words."""
    return _("everywhere else") if code == ANYWHERE else name_of(code)


def changes_table(changes: Iterable[previews.Change]) -> dict[str, Any]:
    """Changes by country, as the table component takes them; countries where nothing changes are told too."""
    headers = [_("Country"), _("People"), _("Turn to deny"), _("Turn to allow")]
    rows = [[name_of(one.country), one.people, one.to_deny, one.to_allow] for one in changes]
    return {"headers": headers, "rows": rows}


def _effect(form: RuleForm) -> dict[str, Any]:
    proposal, at = form.proposal(), clock.now()
    shown = [previews.preview(proposal, at=at)]
    if shown[0].waits_until:
        shown.append(previews.preview(proposal, at=at, moment=shown[0].waits_until))
    return {"proposal": proposal, "steps": [_step(one) for one in shown], "place": place_of(proposal.jurisdiction)}


def _step(shown: Preview) -> dict[str, Any]:
    return {"preview": shown, "table": changes_table(shown.changes)}


def _initial(request: HttpRequest) -> dict[str, Any]:
    """What the form begins with: the version that is followed, or a careful default."""
    today = clock.now().date()
    after = found(Rule.objects.all(), request.GET.get("after", ""))
    if after is None:
        return {"effective_from": today, "default": Default.DENY, "notice_days": 0}
    values = vars(rules.as_proposed(after)) | {"effective_from": max(today, after.effective_from.date())}
    return values | {"effective_to": None}


def _matrix(now: datetime) -> dict[str, Any]:
    """Rows of jurisdictions, columns of purposes."""
    columns = list(Purpose.objects.all())
    cells: dict[tuple[str, str], Cell] = {}
    latest: dict[tuple[str, str, str], Rule] = {}
    every = Rule.objects.order_by("effective_from", "recorded_at", "id")
    for rule in every:
        cell = cells.setdefault((rule.jurisdiction, rule.purpose_id), Cell())
        if rule.effective_from > now:
            cell.coming.append(rule)
        else:
            latest[rule.jurisdiction, rule.purpose_id, rule.recipient] = rule
    names = dict(Recipient.objects.values_list("slug", "name"))
    for (jurisdiction, purpose, _recipient), rule in sorted(latest.items()):
        if rule.effective_to is None or rule.effective_to > now:
            cells[jurisdiction, purpose].standing.append(rule)
    places = sorted({jurisdiction for jurisdiction, _purpose in cells}, key=lambda one: (one == ANYWHERE, one))
    return {
        "headers": [_("Where"), *(purpose.name for purpose in columns)],
        "rows": [[place_of(place), *(_cell(cells.get((place, one.pk)), names) for one in columns)] for place in places],
    }


def _cell(cell: Cell | None, names: dict[str, str]) -> str:
    if cell is None:
        return "–"
    told = [(_link(rule), names.get(rule.recipient, "")) for rule in cell.standing]
    told += [(_link(rule, coming=True), names.get(rule.recipient, "")) for rule in cell.coming]
    return lines(told)


def _link(rule: Rule, *, coming: bool = False) -> str:
    is_on = rule.default == Default.ALLOW
    words = _("on") if is_on else _("off")
    kind = "info" if coming else "success" if is_on else "default"
    since = _("from %s") if coming else _("since %s")
    day = since % date_format(rule.effective_from, "DATE_FORMAT")
    return format_html('<a href="{}">{} <span class="nowrap">{}</span></a>', _address(rule), badge(kind, words), day)


def _same_scope(rule: Rule) -> Iterable[Rule]:
    same = Rule.objects.filter(jurisdiction=rule.jurisdiction, purpose=rule.purpose_id, recipient=rule.recipient)
    return same.order_by("-effective_from", "-recorded_at", "-id")


def _state(rule: Rule, every: Iterable[Rule], now: datetime) -> tuple[str, str]:
    if rule.effective_from > now:
        return "info", _("coming")
    standing = next(one for one in every if one.effective_from <= now)
    if standing.pk != rule.pk:
        return "default", _("replaced")
    if rule.effective_to is not None and rule.effective_to <= now:
        return "default", _("ended")
    return "success", _("in force")


def _dates(rule: Rule) -> str:
    begin = date_format(rule.effective_from, "DATE_FORMAT")
    return f"{begin} – {date_format(rule.effective_to, 'DATE_FORMAT')}" if rule.effective_to else begin


def _address(rule: Rule) -> str:
    return reverse("admin:consents_rule_change", args=[rule.pk])
