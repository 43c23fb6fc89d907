"""Looking people up: by an exact identifier, each look in the audit trail."""

import uuid
from contextlib import suppress
from typing import Any

from django.conf import settings
from django.contrib import admin
from django.db.models import OuterRef, Q, QuerySet, Subquery
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.formats import date_format
from django.utils.html import format_html_join
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from consents import subjects
from consents.models import Identifier, Partner, Preference, Purpose, Subject
from consents.vocabulary import Scheme
from portal import audit, clock
from portal.countries import name_of
from portal.staff_pages import ReadOnlyAdmin, badge, by, found, lines, unbroken

_SCHEMES = {str(scheme.value): scheme.label for scheme in Scheme}


@admin.register(Subject)
class SubjectAdmin(ReadOnlyAdmin):
    empty_title = _("Look somebody up")
    empty_text = _(
        "By an account reference, a mail address or an id, exactly as it is. People are never leafed through, and each "
        "look is recorded."
    )
    list_display = ("reference", "lives_in", "registered_at", "erased_at")
    search_fields = ("identifiers__value",)
    search_help_text = _("An account reference, a mail address, or an id – exactly as it is; each look is recorded")
    fields = ("known_as", "lives_in", "locale", "is_minor", "says", "more", "registered_at", "erased_at", "id")
    readonly_fields = ("known_as", "lives_in", "says", "more")
    show_full_result_count = False

    def get_queryset(self, request: HttpRequest) -> QuerySet[Subject]:
        every: QuerySet[Subject] = super().get_queryset(request)
        accounts = Identifier.objects.filter(subject_id=OuterRef("pk"), scheme=Scheme.ACCOUNT)
        return every.annotate(account_reference=Subquery(accounts.values("value")[:1]))

    @admin.display(description=_("account reference"), ordering="account_reference")
    def reference(self, subject: Any) -> str:
        return subject.account_reference or str(subject.pk)

    @admin.display(description=_("lives in"), ordering="jurisdiction")
    def lives_in(self, subject: Subject) -> str:
        return name_of(subject.jurisdiction)

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Subject], search_term: str
    ) -> tuple[QuerySet[Subject], bool]:
        if not search_term:
            # people are looked up one by one, never leafed through
            return queryset.none(), False
        found = [one for scheme in (Scheme.ACCOUNT, Scheme.EMAIL) for one in _fingerprints(scheme, search_term)]
        wanted = Q(identifiers__fingerprint__in=found)
        with suppress(ValueError):
            wanted |= Q(pk=uuid.UUID(search_term))
        looked_up = queryset.filter(wanted).distinct()
        for pk in looked_up.values_list("pk", flat=True):
            audit.record(at=clock.now(), by=by(request), action="subject.look_up", of=("subject", pk))
        return looked_up, False

    def change_view(self, request: HttpRequest, object_id: str, *args: Any, **kwargs: Any) -> HttpResponse:
        if found(self.get_queryset(request), object_id) is not None:
            audit.record(at=clock.now(), by=by(request), action="subject.look_at", of=("subject", object_id))
        return super().change_view(request, object_id, *args, **kwargs)  # type: ignore[no-any-return]

    @admin.display(description=_("known as"))
    def known_as(self, subject: Subject) -> str:
        every = [(one.scheme, subjects.name_of(one)) for one in subject.identifiers.select_related("subject")]
        return lines([(_SCHEMES.get(scheme, scheme), one.value if one else "–") for scheme, one in every])

    @admin.display(description=_("says"))
    def says(self, subject: Subject) -> str:
        held = Preference.objects.filter(subject=subject).order_by("purpose")
        names = dict(Purpose.objects.values_list("slug", "name"))
        return lines(
            [
                (
                    names.get(one.purpose, one.purpose) or gettext("every purpose"),
                    badge("default", one.get_action_display()),
                    date_format(one.recorded_at, "DATETIME_FORMAT"),
                )
                for one in held
            ],
            otherwise=gettext("nothing: the defaults of where they live count"),
        )

    @admin.display(description=_("more of them"))
    def more(self, subject: Subject) -> str:
        """Where else this person is, each on a list of its own, which says itself who may read it."""
        lists = (
            (gettext("requests"), "requests_app_request"),
            (gettext("removal receipts"), "downstream_removalreceipt"),
            (gettext("corrections"), "downstream_correction"),
        )
        links = ((f"{reverse(f'admin:{name}_changelist')}?q={subject.pk}", words) for words, name in lists)
        return format_html_join(" · ", '<a class="text-link" href="{}">{}</a>', links)


def _fingerprints(scheme: str, term: str) -> list[bytes]:
    """Under every index key, so that people are found also while a rotation goes on."""
    try:
        return subjects.name(scheme, term).fingerprints
    except subjects.IdentifierError:
        return []


@admin.register(Partner)
class PartnerAdmin(ReadOnlyAdmin):
    list_display = ("name", "slug", "speaks_for", "sees", "names_by")
    fields = ("name", "slug", "speaks_for", "sees", "names_by", "may")
    readonly_fields = ("speaks_for", "sees", "names_by", "may")

    @admin.display(description=_("speaks for"))
    def speaks_for(self, partner: Partner) -> str:
        return ", ".join(one or gettext("all recipients together") for one in partner.recipients) or "–"

    @admin.display(description=_("sees people of"))
    def sees(self, partner: Partner) -> str:
        return ", ".join(name_of(one) for one in partner.jurisdictions) or gettext("everywhere")

    @admin.display(description=_("may"))
    def may(self, partner: Partner) -> str:
        """Each scope as partners write it, and what it lets them do."""
        words: Any = settings.OAUTH2_PROVIDER["SCOPES"]
        return lines([(unbroken(one), words.get(one, "")) for one in partner.scopes])

    @admin.display(description=_("names people by"))
    def names_by(self, partner: Partner) -> str:
        return ", ".join(str(_SCHEMES.get(one, one)) for one in partner.schemes) or "–"
