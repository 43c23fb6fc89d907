"""Models with their exposures, training runs, their permits, and runs that were refused one."""

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.formats import date_format
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.decorators import action
from unfold.enums import ActionVariant
from unfold.views import ChangeList

from consents import holds
from downstream import exposures, permits, training_runs
from downstream.admin.holds import scope_in_words
from downstream.admin.training_forms import DecisionForm
from downstream.models import ExposureDecision, Permit, PermitRefusal, TrainedModel, TrainingRun
from portal import clock
from portal.staff_dialogs import ConfirmForm, asking
from portal.staff_pages import ReadOnlyAdmin, attempt, badge, by, found, lines, named

DECIDE = "downstream.decide_exposure"
_STATES = {
    exposures.NONE: ("success", gettext_lazy("nobody is exposed")),
    exposures.OPEN: ("warning", gettext_lazy("needs a decision")),
    exposures.GROWN: ("warning", gettext_lazy("more people since it was decided")),
    exposures.LATE: ("danger", gettext_lazy("late: its day is over")),
    exposures.DECIDED: ("info", gettext_lazy("decided")),
    exposures.DONE: ("default", gettext_lazy("retired")),
}
_PERMITS = {
    permits.VALID: ("success", gettext_lazy("valid")),
    permits.VOID: ("danger", gettext_lazy("void")),
    permits.EXPIRED: ("default", gettext_lazy("expired")),
    permits.COMPLETED: ("info", gettext_lazy("completed")),
}


@admin.register(TrainedModel)
class TrainedModelAdmin(ReadOnlyAdmin):
    empty_title = gettext_lazy("No model is known")
    empty_text = gettext_lazy("One appears when a pipeline asks for a training permit or reports lineage.")
    list_display = ("name", "owner", "exposed_people", "state", "decided")
    list_select_related = ("owner",)
    search_fields = ("name",)
    fields = ("name", "owner", "exposed_people", "state", "learned_from", "decisions_so_far", "registered_at")
    readonly_fields = ("exposed_people", "state", "learned_from", "decisions_so_far")
    actions_detail = ("decide", "retire")

    def get_queryset(self, request: HttpRequest) -> QuerySet[TrainedModel]:
        return exposures.counted(super().get_queryset(request))

    @admin.display(description=gettext_lazy("people who said no since"), ordering="exposed")
    def exposed_people(self, model: Any) -> int:
        return int(model.exposed)

    @admin.display(description=gettext_lazy("state"))
    def state(self, model: TrainedModel) -> str:
        kind, words = _STATES[exposures.standing(model, at=clock.now()).state]
        return badge(kind, str(words))

    @admin.display(description=gettext_lazy("decision"))
    def decided(self, model: TrainedModel) -> str:
        decision = exposures.standing(model, at=clock.now()).decision
        return _in_words(decision) if decision else "–"

    @admin.display(description=gettext_lazy("learned from"))
    def learned_from(self, model: Any) -> str:
        run = TrainingRun.objects.filter(pk=model.latest_run).first()
        return _inputs(run) if run else _("no run of it has finished")

    @admin.display(description=gettext_lazy("decisions so far"))
    def decisions_so_far(self, model: TrainedModel) -> str:
        return lines(
            (
                date_format(one.decided_at, "DATETIME_FORMAT"),
                _in_words(one),
                _("%d people") % one.exposed,
                named(one.decided_by),
            )
            for one in model.decisions.all()
        )

    def has_decide_permission(self, request: HttpRequest, object_id: str | None = None) -> bool:
        if not request.user.has_perm(DECIDE):
            return False
        if object_id is None:
            return True
        model = found(exposures.counted(TrainedModel.objects.filter(retired_at__isnull=True)), object_id)
        return model is not None and exposures.standing(model, at=clock.now()).exposed > 0

    def has_retire_permission(self, request: HttpRequest, object_id: str | None = None) -> bool:
        living = TrainedModel.objects.filter(retired_at__isnull=True)
        return bool(request.user.has_perm(DECIDE)) and (object_id is None or found(living, object_id) is not None)

    @action(
        description=gettext_lazy("Decide"),
        permissions=["decide"],
        variant=ActionVariant.PRIMARY,
        dialog={
            "title": gettext_lazy("What shall become of this model?"),
            "description": gettext_lazy(
                "It learned from people who said no since. The decision is kept for good and stands until more of "
                "them say no; people read it on their pages, without the ground."
            ),
            "form_class": DecisionForm,
            "form_submit_text": gettext_lazy("Record the decision"),
        },
    )
    def decide(self, request: HttpRequest, form: DecisionForm, object_id: str) -> HttpResponse:
        model = TrainedModel.objects.get(pk=object_id)
        return attempt(
            request,
            lambda: exposures.decide(model=model, decision=form.decision(), by=by(request), at=clock.now()),
            done=_("The decision is recorded."),
            then=_address(object_id),
        )

    @action(
        description=gettext_lazy("Record that it is retired"),
        permissions=["retire"],
        variant=ActionVariant.DANGER,
        dialog=asking(
            title=gettext_lazy("This model is no longer used"),
            says=gettext_lazy("Record it once nobody uses it any more. No permit is given for it again."),
            button=gettext_lazy("It is retired"),
        ),
    )
    def retire(self, request: HttpRequest, form: ConfirmForm, object_id: str) -> HttpResponse:
        model = TrainedModel.objects.get(pk=object_id)
        return attempt(
            request,
            lambda: training_runs.retire(model=model, by=by(request), at=clock.now()),
            done=_("It is recorded that the model is retired."),
            then=_address(object_id),
        )


@admin.register(TrainingRun)
class TrainingRunAdmin(ReadOnlyAdmin):
    empty_title = gettext_lazy("No training run is known")
    empty_text = gettext_lazy("Pipelines ask for permits with POST /api/v1/training-runs.")
    list_display = ("name", "model", "purpose", "partner", "gate", "recorded_at", "finished_at")
    list_select_related = ("model", "permit")
    search_fields = ("name",)
    fields = (
        "name",
        "model",
        "purpose",
        "partner",
        "gate",
        "inputs_used",
        "recorded_at",
        "finished_at",
        "artefact_digest",
    )
    readonly_fields = ("gate", "inputs_used")

    @admin.display(description=gettext_lazy("permit"))
    def gate(self, run: TrainingRun) -> str:
        if not hasattr(run, "permit"):
            return badge("danger", _("none asked for"))
        address = reverse("admin:downstream_permit_change", args=[run.permit.pk])
        return format_html('<a class="text-link" href="{}">{}</a>', address, _("permitted"))

    @admin.display(description=gettext_lazy("read"))
    def inputs_used(self, run: TrainingRun) -> str:
        return _inputs(run)


class PermitList(ChangeList):  # type: ignore[misc]
    """Looks once at the holds for all permits of a page."""

    result_list: Any

    def get_results(self, request: HttpRequest) -> None:
        super().get_results(request)
        shown = list(self.result_list)
        standing = permits.standing_of(shown, at=clock.now())
        for one in shown:
            one.standing = standing[one.pk]
        self.result_list = shown


@admin.register(Permit)
class PermitAdmin(ReadOnlyAdmin):
    empty_title = gettext_lazy("No permit was ever given")
    empty_text = gettext_lazy("Pipelines ask for permits with POST /api/v1/training-runs.")
    list_display = ("run", "model", "purpose", "state", "issued_at", "expires_at")
    list_select_related = ("run__model",)
    fields = ("run", "model", "purpose", "state_with_reasons", "datasets", "issued_at", "expires_at", "position", "jws")
    readonly_fields = ("model", "purpose", "state_with_reasons", "datasets")

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        return PermitList

    @admin.display(description=gettext_lazy("model"))
    def model(self, permit: Permit) -> str:
        return permit.run.model.name

    @admin.display(description=gettext_lazy("purpose"))
    def purpose(self, permit: Permit) -> str:
        return permit.run.purpose

    @admin.display(description=gettext_lazy("state"))
    def state(self, permit: Any) -> str:
        return _permit_badge(permit.standing)

    @admin.display(description=gettext_lazy("state"))
    def state_with_reasons(self, permit: Permit) -> str:
        standing = permits.standing(permit, at=clock.now())
        told: list[tuple[Any, ...]] = [(_permit_badge(standing), date_format(standing.since, "DATETIME_FORMAT"))]
        if standing.hold is not None:
            address = reverse("admin:consents_hold_change", args=[standing.hold.pk])
            words = scope_in_words(holds.scope_of(standing.hold))
            told.append((format_html('<a class="text-link" href="{}">{}</a>', address, words),))
        told += [(badge("warning", _("would be refused now")), one.dataset, one.text) for one in standing.stale]
        return lines(told)

    @admin.display(description=gettext_lazy("datasets"))
    def datasets(self, permit: Permit) -> str:
        return _inputs(permit.run)


@admin.register(PermitRefusal)
class PermitRefusalAdmin(ReadOnlyAdmin):
    empty_title = gettext_lazy("No run was ever refused")
    list_display = ("refused_at", "run_name", "model_name", "purpose", "partner", "why")
    fields = ("run_name", "model_name", "purpose", "recipient", "partner", "refused_at", "asked_for", "told")
    readonly_fields = ("asked_for", "told")

    @admin.display(description=gettext_lazy("reasons"))
    def why(self, refusal: PermitRefusal) -> str:
        codes = sorted({one["code"] for one in refusal.reasons})
        return format_html('<div class="why">{}</div>', ", ".join(codes))

    @admin.display(description=gettext_lazy("asked for"))
    def asked_for(self, refusal: PermitRefusal) -> str:
        return lines((one["dataset"], one["version"] or _("newest")) for one in refusal.datasets)

    @admin.display(description=gettext_lazy("reasons"))
    def told(self, refusal: PermitRefusal) -> str:
        return lines((badge("danger", one["code"]), one["dataset"], one["text"]) for one in refusal.reasons)


def _permit_badge(standing: permits.Standing) -> SafeString:
    kind, words = _PERMITS[standing.state]
    return badge(kind, str(words))


def _inputs(run: TrainingRun) -> SafeString:
    used = run.inputs.select_related("version__dataset").order_by("version__dataset__name", "version__number")
    return lines(
        (one.version.dataset.name, _("version %d") % one.version.number, one.get_named_by_display()) for one in used
    )


def _in_words(decision: ExposureDecision) -> str:
    if decision.due_on is None:
        return f"{decision.get_kind_display()}: {decision.ground} ({decision.legal_ground})"
    return f"{decision.get_kind_display()} · " + _("by %s") % date_format(decision.due_on, "DATE_FORMAT")


def _address(model_id: str) -> str:
    return reverse("admin:downstream_trainedmodel_change", args=[model_id])
