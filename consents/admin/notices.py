"""Notices: writing and translating drafts, seeing what changed and whom it concerns, publishing."""

from datetime import datetime
from typing import Any

from django.conf import settings
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils import translation
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from consents import drafts, notices
from consents.admin.notice_forms import BeginForm, DraftForm
from consents.models import Notice, NoticeDraft, Purpose
from consents.vocabulary import ANYWHERE
from portal import clock
from portal.countries import name_of
from portal.errors import Conflict, DomainError
from portal.staff_pages import ReadOnlyAdmin, badge, by, found, named

WRITE, PUBLISH, SEND = "consents.write_notice", "consents.publish_notice", "consents.send_notice"


@admin.register(Notice)
class NoticeAdmin(ReadOnlyAdmin):
    empty_title = gettext_lazy("No notice is published")
    empty_text = gettext_lazy("Write one under notice drafts; what is published stays as it is.")
    list_display = ("title", "slug", "version", "language", "in_substance", "published", "in_force_from")
    list_filter = ("slug", "locale")
    fields = (
        "title",
        "body",
        "slug",
        "version",
        "language",
        "in_substance",
        "published",
        "in_force_from",
        "recorded_at",
    )
    readonly_fields = ("language", "in_substance", "published", "in_force_from")

    @admin.display(description=gettext_lazy("language"), ordering="locale")
    def language(self, notice: Notice) -> str:
        return _(str(dict(settings.LANGUAGES).get(notice.locale, notice.locale)))

    @admin.display(description=gettext_lazy("changes in substance"), boolean=True, ordering="is_material")
    def in_substance(self, notice: Notice) -> bool:
        return notice.is_material

    @admin.display(description=gettext_lazy("published"), ordering="published_at")
    def published(self, notice: Notice) -> datetime:
        return notice.published_at

    @admin.display(description=gettext_lazy("in force from"), ordering="effective_at")
    def in_force_from(self, notice: Notice) -> datetime:
        return notice.effective_at


@admin.register(NoticeDraft)
class NoticeDraftAdmin(ReadOnlyAdmin):
    add_label = gettext_lazy("Write a notice")
    empty_title = gettext_lazy("No draft")
    empty_text = gettext_lazy("Write a notice before data is used in a new way.")
    list_display = ("slug", "state", "languages", "is_material", "changed_at", "who")

    def has_add_permission(self, request: HttpRequest) -> bool:
        return bool(request.user.has_perm(WRITE))

    @admin.display(description=gettext_lazy("state"))
    def state(self, draft: NoticeDraft) -> str:
        if draft.is_open:
            return badge("info", _("being written"))
        return badge("success", _("published as version %d") % (draft.published_version or 0))

    @admin.display(description=gettext_lazy("languages"))
    def languages(self, draft: NoticeDraft) -> str:
        return ", ".join(sorted(draft.texts)) or "–"

    @admin.display(description=gettext_lazy("changed by"), ordering="changed_by")
    def who(self, draft: NoticeDraft) -> str:
        return named(draft.changed_by)

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view
        own = [
            path("<uuid:draft_id>/review/", view(self.review_view), name="consents_noticedraft_review"),
            path("<uuid:draft_id>/preview/<str:locale>/", view(self.preview_view), name="consents_noticedraft_preview"),
        ]
        return [*own, *super().get_urls()]

    def add_view(self, request: HttpRequest, form_url: str = "", extra_context: Any = None) -> HttpResponse:
        """Name the notice; what is in force is what the draft begins with."""
        _need(request, WRITE)
        form = BeginForm(request.POST or None, initial={"slug": request.GET.get("notice", "")})
        if request.method == "POST" and form.is_valid():
            try:
                draft = drafts.begin(slug=form.cleaned_data["slug"], by=by(request), at=clock.now())
                return redirect("admin:consents_noticedraft_change", draft.pk)
            except DomainError as error:
                form.add_error("slug", error.message)
        slugs = sorted(set(Notice.objects.values_list("slug", flat=True)))
        context = self._context(request, title=_("Write a notice"), form=form, slugs=slugs)
        return TemplateResponse(request, "admin/consents/noticedraft/begin.html", context)

    def change_view(self, request: HttpRequest, object_id: str, *args: Any, **kwargs: Any) -> HttpResponse:
        """Write and translate beside what is in force; another's text is never overwritten unseen."""
        draft = _draft(object_id)
        if not draft.is_open or not request.user.has_perm(WRITE):
            return redirect("admin:consents_noticedraft_review", draft.pk)
        form = DraftForm(request.POST or None, initial=DraftForm.values_of(draft))
        beside = {one.locale: (one.title, one.body) for one in notices.in_force(draft.slug, at=clock.now())}
        if request.method == "POST" and form.is_valid():
            try:
                return self._saved(request, draft, form)
            except Conflict as conflict:
                # the other's text is shown beside the own one, which the next save then knowingly prefers
                draft.refresh_from_db()
                form.data = {**form.data, "revision": str(draft.revision)}
                beside = drafts.texts_of(draft)
                form.add_error(None, conflict.message)
            except DomainError as error:
                form.add_error(error.field if error.field in form.fields else None, error.message)
        return self._write(request, draft, form, beside)

    def _saved(self, request: HttpRequest, draft: NoticeDraft, form: DraftForm) -> HttpResponse:
        revision, wording = form.cleaned_data["revision"], form.wording(draft)
        drafts.save(draft_id=draft.pk, revision=revision, wording=wording, by=by(request), at=clock.now())
        messages.success(request, _("Saved. Nobody but staff sees it yet."))
        to = "review" if "review" in request.POST else "change"
        return redirect(f"admin:consents_noticedraft_{to}", draft.pk)

    def _write(
        self, request: HttpRequest, draft: NoticeDraft, form: DraftForm, beside: dict[str, drafts.Text]
    ) -> HttpResponse:
        rows = [
            {
                "code": code,
                "name": name,
                "beside": beside.get(code),
                "title": form[f"title_{code}"],
                "body": form[f"body_{code}"],
            }
            for code, name in settings.LANGUAGES
        ]
        context = self._context(request, title=draft.slug, draft=draft, form=form, rows=rows)
        context["taken"] = bool(form.non_field_errors())
        return TemplateResponse(request, "admin/consents/noticedraft/write.html", context)

    def review_view(self, request: HttpRequest, draft_id: Any) -> HttpResponse:
        """What changed, whom it concerns and from when; publishing is the second press, and fixed to this revision."""
        draft, at = _draft(draft_id), clock.now()
        if not self.has_view_permission(request, draft):
            raise PermissionDenied
        if request.method == "POST":
            return self._publish(request, draft)
        context = self._context(
            request,
            title=draft.slug,
            draft=draft,
            texts=[
                {"code": code, "name": dict(settings.LANGUAGES).get(code, code), "difference": difference}
                for code, difference in (drafts.changes(draft, at=at) if draft.is_open else {}).items()
            ],
            written=sorted(draft.texts, key=lambda code: (code != "en", code)),
            missing=[(code, dict(settings.LANGUAGES)[code]) for code in drafts.missing_languages(draft)],
            effect=_effect(draft, at=at) if draft.is_open else None,
            may_write=draft.is_open and request.user.has_perm(WRITE),
            may_publish=draft.is_open and request.user.has_perm(PUBLISH),
            may_send=not draft.is_open and request.user.has_perm(SEND),
            send=f"{reverse('admin:consents_noticedelivery_add')}?notice={draft.slug}/{draft.published_version}",
        )
        return TemplateResponse(request, "admin/consents/noticedraft/review.html", context)

    def _publish(self, request: HttpRequest, draft: NoticeDraft) -> HttpResponse:
        _need(request, PUBLISH)
        revision = request.POST.get("revision", "")
        try:
            version = drafts.publish(
                draft_id=draft.pk,
                revision=int(revision) if revision.isdecimal() else 0,
                without=frozenset(request.POST.getlist("without")),
                by=by(request),
                at=clock.now(),
            )
            messages.success(request, _("Published as version %d. Its text can no longer change.") % version)
        except DomainError as error:
            messages.error(request, error.message)
        return redirect("admin:consents_noticedraft_review", draft.pk)

    def preview_view(self, request: HttpRequest, draft_id: Any, locale: str) -> HttpResponseBase:
        """The page as people will see it, in one language."""
        draft = _draft(draft_id)
        if not self.has_view_permission(request, draft):
            raise PermissionDenied
        text = drafts.texts_of(draft).get(locale)
        if text is None:
            raise Http404
        published_at, effective_at = drafts.moments(draft, at=clock.now())
        last = Notice.objects.filter(slug=draft.slug).order_by("-version").values_list("version", flat=True).first()
        notice = Notice(
            slug=draft.slug,
            version=draft.published_version or (last or 0) + 1,
            locale=locale,
            title=text[0],
            body=text[1],
            published_at=published_at,
            effective_at=effective_at,
        )
        coming = effective_at > clock.now()
        version = {"notice": notice, "is_current": not coming, "is_coming": coming}
        with translation.override(locale):
            context = {"notice": notice, "version": version, "preview": True}
            return render(request, "consents/notice.html", context)

    def _context(self, request: HttpRequest, **more: Any) -> dict[str, Any]:
        back = reverse("admin:consents_noticedraft_changelist")
        return {**self.admin_site.each_context(request), "opts": self.opts, "back": back, **more}


def _effect(draft: NoticeDraft, *, at: datetime) -> dict[str, Any]:
    """What publishing would do, with purposes and places by their names."""
    effect = drafts.effect(draft, at=at)
    names = dict(Purpose.objects.values_list("slug", "name"))

    def use(purpose: str, place: str) -> str:
        where = _("everywhere else") if place == ANYWHERE else name_of(place)
        return f"“{names.get(purpose, purpose)}” ({where})"

    return {
        "published_at": effect.published_at,
        "effective_at": effect.effective_at,
        "people": effect.people,
        "lapses": [(use(one.purpose, one.jurisdiction), one.people) for one in effect.lapses],
        "openings": [(use(one.purpose, one.jurisdiction), one) for one in effect.openings],
    }


def _draft(object_id: Any) -> NoticeDraft:
    draft = found(NoticeDraft.objects.all(), str(object_id))
    if draft is None:
        raise Http404
    return draft


def _need(request: HttpRequest, permission: str) -> None:
    if not request.user.has_perm(permission):
        raise PermissionDenied
