"""Staff's view of datasets that others hold: whom we ask, what is open, what they said last; and of webhooks."""

from collections.abc import Mapping
from typing import Any

from django.contrib import admin
from django.db.models import Count, Q
from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from downstream import registry
from downstream.connectors.base import ConnectorError
from downstream.models import Acknowledgement, Dataset, HolderRequest, WebhookDelivery, WebhookSubscription
from portal.staff_pages import ReadOnlyAdmin, badge, lines

State = HolderRequest.State
_SHOWN = 10


class HolderFields:
    """Three lines of a dataset's page, which say nothing where the dataset is our own."""

    @admin.display(description=gettext_lazy("held by"))
    def holder(self, dataset: Dataset) -> str:
        if not registry.is_remote(dataset):
            return _("us")
        try:
            return registry.holder(dataset).name
        except ConnectorError as error:
            return error.message

    @admin.display(description=gettext_lazy("open requests to the holder"))
    def open_requests(self, dataset: Dataset) -> str:
        open_ones = Q(state__in=[State.WRITTEN, State.SENT])
        rows = (
            HolderRequest.objects.filter(open_ones, propagation__dataset=dataset)
            .values("propagation__deadline", "state")
            .annotate(count=Count("pk"))
            .order_by("propagation__deadline", "state")
        )
        return lines(_open_line(row) for row in rows)

    @admin.display(description=gettext_lazy("the holder's last answer"))
    def last_answer(self, dataset: Dataset) -> str:
        said = dataset.acknowledgements.first()
        if said is not None:
            return lines([(date_format(said.received_at, "DATETIME_FORMAT"), _what_was_said(said))])
        answered = HolderRequest.objects.filter(propagation__dataset=dataset, answered_at__isnull=False)
        last = answered.order_by("-answered_at").first()
        if last is None or last.answered_at is None:
            return "–"
        return lines([(date_format(last.answered_at, "DATETIME_FORMAT"), last.get_state_display())])


def _open_line(row: Mapping[str, Any]) -> tuple[str, ...]:
    count = ngettext("%(count)d request", "%(count)d requests", row["count"]) % {"count": row["count"]}
    due = _("due %s") % date_format(row["propagation__deadline"], "DATETIME_FORMAT")
    return count, str(State(row["state"]).label), due


def _what_was_said(said: Acknowledgement) -> str:
    if said.reason_code == "holder_failed":
        return _("could not remove them: %s") % said.words
    if not said.accepted:
        return _("not accepted: %s") % said.reason_code.replace("_", " ")
    return _("%(removed)d of %(found)d rows removed, %(after)d stay") % {
        "removed": said.rows_removed or 0,
        "found": said.rows_found or 0,
        "after": said.rows_after or 0,
    }


@admin.register(WebhookSubscription)
class WebhookSubscriptionAdmin(ReadOnlyAdmin):
    empty_title = gettext_lazy("No partner has a webhook")
    empty_text = gettext_lazy("Partners subscribe with POST /api/v1/webhooks.")
    list_display = ("url", "partner", "what", "state")
    list_select_related = ("partner",)
    fields = ("url", "partner", "what", "state", "created_at", "failing_since", "disabled_reason", "last_messages")
    readonly_fields = ("what", "state", "last_messages")

    @admin.display(description=gettext_lazy("events"))
    def what(self, webhook: WebhookSubscription) -> str:
        return ", ".join(webhook.events)

    @admin.display(description=gettext_lazy("state"))
    def state(self, webhook: WebhookSubscription) -> str:
        if webhook.disabled_at:
            return badge("danger", _("disabled: tell the partner"))
        return badge("warning", _("failing")) if webhook.failing_since else badge("success", _("working"))

    @admin.display(description=gettext_lazy("last messages"))
    def last_messages(self, webhook: WebhookSubscription) -> str:
        newest = WebhookDelivery.objects.filter(subscription=webhook)[:_SHOWN]
        return lines(
            (date_format(one.created_at, "DATETIME_FORMAT"), one.event, one.get_state_display(), _last_try(one))
            for one in newest
        )


def _last_try(one: WebhookDelivery) -> str:
    if not one.log:
        return ""
    last = one.log[-1]
    return str(last["status"] or last["trouble"])
