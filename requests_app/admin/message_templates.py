"""The texts that staff begin messages with: what there is, a further version with its preview, every version so far."""

from typing import Any

from django import forms
from django.conf import settings
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import F, Max, OuterRef, QuerySet, Subquery
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils import translation
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.widgets import UnfoldAdminSelectWidget, UnfoldAdminTextareaWidget, UnfoldAdminTextInputWidget

from portal import clock
from portal.errors import DomainError
from portal.staff_pages import ReadOnlyAdmin, badge, by, found, named
from requests_app import message_templates
from requests_app.message_templates import Wording
from requests_app.models import MessageTemplate
from requests_app.states import Right

WRITE = "requests_app.write_template"


class WriteForm(forms.Form):
    """A text in one language."""

    slug = forms.CharField(
        label=gettext_lazy("Name"),
        max_length=50,
        widget=UnfoldAdminTextInputWidget,
        help_text=gettext_lazy("The same in every language, such as ask-for-clarification."),
    )
    language = forms.ChoiceField(
        label=gettext_lazy("Language"), choices=settings.LANGUAGES, widget=UnfoldAdminSelectWidget
    )
    title = forms.CharField(
        label=gettext_lazy("Title"),
        max_length=120,
        widget=UnfoldAdminTextInputWidget,
        help_text=gettext_lazy("For staff's list; people do not see it."),
    )
    right = forms.ChoiceField(
        label=gettext_lazy("Only for"),
        choices=[("", gettext_lazy("every right")), *Right.choices],
        required=False,
        widget=UnfoldAdminSelectWidget,
    )
    body = forms.CharField(
        label=gettext_lazy("Text"),
        max_length=message_templates.LONGEST,
        required=False,
        strip=False,
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 18}),
        help_text=gettext_lazy("Empty: the text is no longer offered in this language."),
    )

    def wording(self) -> Wording:
        data = self.cleaned_data
        return Wording(data["title"], data["body"], data["right"])


@admin.register(MessageTemplate)
class MessageTemplateAdmin(ReadOnlyAdmin):
    add_label = gettext_lazy("Write a text")
    empty_title = gettext_lazy("No text yet")
    empty_text = gettext_lazy("manage.py load_message_templates brings those that Heed is shipped with.")
    list_display = ("title", "slug", "language", "version", "state", "only_for", "written_at")
    list_filter = ("language", "right")
    search_fields = ("slug", "title")

    def get_queryset(self, request: HttpRequest) -> "QuerySet[MessageTemplate]":
        """The newest version of each text in each language."""
        rows: QuerySet[MessageTemplate] = super().get_queryset(request)
        same = MessageTemplate.objects.filter(slug=OuterRef("slug"), language=OuterRef("language"))
        newest = same.order_by().values("slug", "language").annotate(last=Max("version")).values("last")
        return rows.annotate(newest=Subquery(newest)).filter(version=F("newest"))

    def has_add_permission(self, request: HttpRequest) -> bool:
        return bool(request.user.has_perm(WRITE))

    @admin.display(description=gettext_lazy("state"))
    def state(self, template: MessageTemplate) -> str:
        return badge("success", _("offered")) if template.body else badge("default", _("retired"))

    @admin.display(description=gettext_lazy("only for"), ordering="right")
    def only_for(self, template: MessageTemplate) -> str:
        return template.get_right_display() or _("every right")

    @admin.display(description=gettext_lazy("written by"), ordering="written_by")
    def who(self, template: MessageTemplate) -> str:
        return named(template.written_by)

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(self.history_of)
        own = path("versions/<slug:slug>/<str:language>/", view, name="requests_app_messagetemplate_versions")
        return [own, *super().get_urls()]

    def add_view(self, request: HttpRequest, form_url: str = "", extra_context: Any = None) -> HttpResponse:
        """Write a text, beginning with what there is; shown as a person would read it before it is kept."""
        if not request.user.has_perm(WRITE):
            raise PermissionDenied
        form = WriteForm(request.POST or None, initial=_begin(request))
        preview = ""
        if request.method == "POST" and form.is_valid():
            try:
                message_templates.check(form.cleaned_data["body"])
                if "preview" not in request.POST:
                    return self._written(request, form)
                preview = _preview(form.cleaned_data["body"], form.cleaned_data["language"])
            except DomainError as error:
                form.add_error(error.field if error.field in form.fields else None, error.message)
        context = self._context(request, title=_("Write a text"), form=form, preview=preview)
        context["variables"] = [f"{{{name}}}" for name in message_templates.variables()]
        return TemplateResponse(request, "admin/requests_app/messagetemplate/write.html", context)

    def change_view(self, request: HttpRequest, object_id: str, *args: Any, **kwargs: Any) -> HttpResponse:
        one = found(MessageTemplate.objects.all(), object_id)
        if one is None:
            raise Http404
        return redirect("admin:requests_app_messagetemplate_versions", one.slug, one.language)

    def history_of(self, request: HttpRequest, slug: str, language: str) -> HttpResponse:
        """Every version of a text in one language, the newest first and as people read it."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        rows = list(MessageTemplate.objects.filter(slug=slug, language=language).order_by("-version"))
        if not rows:
            raise Http404
        context = self._context(
            request,
            title=rows[0].title,
            language=language,
            versions=[(one, named(one.written_by)) for one in rows],
            preview=_preview(rows[0].body, language),
            may_write=request.user.has_perm(WRITE),
            write=f"{reverse('admin:requests_app_messagetemplate_add')}?slug={slug}&language={language}",
        )
        return TemplateResponse(request, "admin/requests_app/messagetemplate/versions.html", context)

    def _written(self, request: HttpRequest, form: WriteForm) -> HttpResponse:
        slug, language = form.cleaned_data["slug"], form.cleaned_data["language"]
        written = message_templates.write(
            slug=slug, language=language, wording=form.wording(), by=by(request), at=clock.now()
        )
        messages.success(request, _("Kept as version %d.") % written.version)
        return redirect("admin:requests_app_messagetemplate_versions", slug, language)

    def _context(self, request: HttpRequest, **more: Any) -> dict[str, Any]:
        back = reverse("admin:requests_app_messagetemplate_changelist")
        return {**self.admin_site.each_context(request), "opts": self.opts, "back": back, **more}


def _begin(request: HttpRequest) -> dict[str, Any]:
    """What the form holds when it is opened: the newest version of the text that is named."""
    slug, language = request.GET.get("slug", ""), request.GET.get("language", settings.LANGUAGE_CODE)
    # an address may hold anything
    same = MessageTemplate.objects.filter(slug=slug.replace("\0", ""), language=language.replace("\0", ""))
    newest = same.order_by("-version").first()
    if newest is None:
        return {"slug": slug, "language": language}
    return {"slug": slug, "language": language, "title": newest.title, "right": newest.right, "body": newest.body}


def _preview(body: str, language: str) -> str:
    with translation.override(language):
        return message_templates.fill(body, message_templates.example(), language=language)
