"""Rounds of letters that tell people of a notice: begun with their size shown first, followed, paused, resumed."""

from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.decorators import action
from unfold.enums import ActionVariant

from consents import deliveries
from consents.admin.notice_forms import DeliveryForm
from consents.models import Letter, NoticeDelivery
from portal import clock, nudge
from portal.countries import name_of
from portal.errors import DomainError
from portal.staff_dialogs import ConfirmForm, asking
from portal.staff_pages import ReadOnlyAdmin, attempt, badge, by, found, lines, named

SEND = "consents.send_notice"
State = NoticeDelivery.State
_KINDS = {State.RUNNING: "info", State.PAUSED: "warning", State.DONE: "success"}


@admin.register(NoticeDelivery)
class NoticeDeliveryAdmin(ReadOnlyAdmin):
    add_label = gettext_lazy("Tell people of a notice")
    empty_title = gettext_lazy("Nobody was told by mail yet")
    empty_text = gettext_lazy("Publish a notice first, then tell the people whom it concerns.")
    list_display = ("notice", "where", "status", "done", "created_at")
    fields = ("notice", "where", "only", "status", "happened", "created_at", "who", "finished_at")
    readonly_fields = ("notice", "where", "only", "status", "happened", "who")
    actions_detail = ("pause", "resume", "again", "retry", "arrived")

    def has_add_permission(self, request: HttpRequest) -> bool:
        return bool(request.user.has_perm(SEND))

    @admin.display(description=gettext_lazy("notice"), ordering="slug")
    def notice(self, delivery: NoticeDelivery) -> str:
        return f"{delivery.slug}/{delivery.version}"

    @admin.display(description=gettext_lazy("where"))
    def where(self, delivery: NoticeDelivery) -> str:
        return ", ".join(name_of(code) for code in delivery.jurisdictions) or _("everywhere")

    @admin.display(description=gettext_lazy("only who said yes to"))
    def only(self, delivery: NoticeDelivery) -> str:
        return ", ".join(delivery.purposes) or _("everyone")

    @admin.display(description=gettext_lazy("state"), ordering="state")
    def status(self, delivery: NoticeDelivery) -> str:
        shown = badge(_KINDS[State(delivery.state)], delivery.get_state_display())
        if not delivery.trouble:
            return shown
        return lines([(shown, badge("danger", _("mail server: %s") % delivery.trouble))])

    @admin.display(description=gettext_lazy("sent"))
    def done(self, delivery: NoticeDelivery) -> str:
        counts = deliveries.progress(delivery)
        told = _("%(sent)d of %(people)d") % {"sent": counts.get("sent", 0), "people": delivery.people}
        doubtful = counts.get("uncertain", 0) + counts.get("failed", 0)
        return lines([(told, badge("warning", _("%d wait for you") % doubtful))]) if doubtful else told

    @admin.display(description=gettext_lazy("letters"))
    def happened(self, delivery: NoticeDelivery) -> str:
        counts = deliveries.progress(delivery)
        return lines((str(counts[state]), label) for state, label in Letter.State.choices if state in counts)

    @admin.display(description=gettext_lazy("begun by"), ordering="created_by")
    def who(self, delivery: NoticeDelivery) -> str:
        return named(delivery.created_by)

    def add_view(self, request: HttpRequest, form_url: str = "", extra_context: Any = None) -> HttpResponse:
        """First how many, then the deed: the second submit carries `confirmed`."""
        if not self.has_add_permission(request):
            raise PermissionDenied
        form = DeliveryForm(request.POST or None, initial={"notice": request.GET.get("notice", "")})
        shares = None
        if request.method == "POST" and form.is_valid():
            try:
                if "confirmed" in request.POST:
                    return self._begin(request, form)
                shares = None if "edit" in request.POST else _shares(form)
            except DomainError as error:
                form.add_error(error.field if error.field in form.fields else None, error.message)
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": _("Tell people of a notice"),
            "form": form,
            "shares": shares,
        }
        return TemplateResponse(request, "admin/consents/noticedelivery/begin.html", context)

    def _begin(self, request: HttpRequest, form: DeliveryForm) -> HttpResponse:
        slug, version = form.named()
        delivery = deliveries.plan(slug=slug, version=version, audience=form.audience(), by=by(request), at=clock.now())
        nudge.after_commit(deliveries.DELIVER_TASK)
        messages.success(request, _("The letters are on their way. This page shows how far they are."))
        return redirect("admin:consents_noticedelivery_change", delivery.pk)

    def _may(self, request: HttpRequest, object_id: str | None, **wanted: Any) -> bool:
        if not request.user.has_perm(SEND):
            return False
        return object_id is None or found(NoticeDelivery.objects.filter(**wanted).distinct(), object_id) is not None

    def has_pause_permission(self, request: HttpRequest, object_id: str | None = None) -> bool:
        return self._may(request, object_id, state=State.RUNNING)

    def has_resume_permission(self, request: HttpRequest, object_id: str | None = None) -> bool:
        troubled = self._may(request, object_id, state=State.RUNNING) and self._may(request, object_id, trouble__gt="")
        return troubled or self._may(request, object_id, state=State.PAUSED)

    def has_doubt_permission(self, request: HttpRequest, object_id: str | None = None) -> bool:
        return self._may(request, object_id, letters__state=Letter.State.UNCERTAIN)

    def has_failed_permission(self, request: HttpRequest, object_id: str | None = None) -> bool:
        return self._may(request, object_id, letters__state=Letter.State.FAILED)

    @action(
        description=gettext_lazy("Pause"),
        permissions=["pause"],
        dialog=asking(
            title=gettext_lazy("Pause these letters"),
            says=gettext_lazy("Nothing more is sent until somebody resumes it. What was sent cannot be called back."),
            button=gettext_lazy("Pause"),
        ),
    )
    def pause(self, request: HttpRequest, form: ConfirmForm, object_id: str) -> HttpResponse:
        return self._do(request, object_id, deliveries.pause, done=_("Paused."))

    @action(
        description=gettext_lazy("Resume"),
        permissions=["resume"],
        variant=ActionVariant.PRIMARY,
        dialog=asking(
            title=gettext_lazy("Resume these letters"),
            says=gettext_lazy("Whoever was not told yet is told now. Nobody is told twice."),
            button=gettext_lazy("Resume"),
        ),
    )
    def resume(self, request: HttpRequest, form: ConfirmForm, object_id: str) -> HttpResponse:
        return self._do(request, object_id, deliveries.resume, done=_("It goes on."))

    @action(
        description=gettext_lazy("Send the uncertain again"),
        permissions=["doubt"],
        variant=ActionVariant.DANGER,
        dialog=asking(
            title=gettext_lazy("Send the uncertain letters again"),
            says=gettext_lazy(
                "A crash or a broken line left them in doubt. Look into the mail server's log first: "
                "whoever was told already is told a second time."
            ),
            button=gettext_lazy("Send again"),
        ),
    )
    def again(self, request: HttpRequest, form: ConfirmForm, object_id: str) -> HttpResponse:
        return self._do(
            request, object_id, deliveries.send_again, done=_("They are sent again."), state=Letter.State.UNCERTAIN
        )

    @action(
        description=gettext_lazy("Count the uncertain as sent"),
        permissions=["doubt"],
        dialog=asking(
            title=gettext_lazy("Count the uncertain letters as sent"),
            says=gettext_lazy("Do this once the mail server's log shows that they left."),
            button=gettext_lazy("Count as sent"),
        ),
    )
    def arrived(self, request: HttpRequest, form: ConfirmForm, object_id: str) -> HttpResponse:
        return self._do(request, object_id, deliveries.count_as_sent, done=_("They count as sent."))

    @action(
        description=gettext_lazy("Try the failed again"),
        permissions=["failed"],
        dialog=asking(
            title=gettext_lazy("Try the failed letters again"),
            says=gettext_lazy("The mail server refused them, so nobody gets a letter twice."),
            button=gettext_lazy("Try again"),
        ),
    )
    def retry(self, request: HttpRequest, form: ConfirmForm, object_id: str) -> HttpResponse:
        return self._do(
            request, object_id, deliveries.send_again, done=_("They are sent again."), state=Letter.State.FAILED
        )

    def _do(self, request: HttpRequest, object_id: str, deed: Any, *, done: str, **more: Any) -> HttpResponse:
        delivery = NoticeDelivery.objects.get(pk=object_id)
        answer = attempt(
            request,
            lambda: deed(delivery=delivery, by=by(request), at=clock.now(), **more),
            done=done,
            then=reverse("admin:consents_noticedelivery_change", args=[object_id]),
        )
        nudge.after_commit(deliveries.DELIVER_TASK)
        return answer


def _shares(form: DeliveryForm) -> dict[str, Any]:
    slug, version = form.named()
    shares = deliveries.preview(slug=slug, version=version, audience=form.audience(), at=clock.now())
    return {
        "rows": [(name_of(one.jurisdiction), one) for one in shares],
        "people": sum(one.people for one in shares),
        "without_address": sum(one.without_address for one in shares),
        "told_already": sum(one.told_already for one in shares),
    }
