"""Mail about requests for staff: what became of each letter, and writing again one that was given up."""

from typing import Any

from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.html import format_html
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.decorators import action
from unfold.enums import ActionVariant

from portal import clock
from portal.staff_dialogs import ConfirmForm, asking
from portal.staff_pages import FirstThousands, ReadOnlyAdmin, attempt, badge, by, found, unbroken
from requests_app import letters
from requests_app.models import Letter

CARRY_OUT = "requests_app.carry_out"
_KINDS = {Letter.WAITING: "info", Letter.SENT: "success", Letter.GIVEN_UP: "danger"}


@admin.register(Letter)
class LetterAdmin(ReadOnlyAdmin):
    """Addresses are neither shown nor searched: they are sealed, and gone once a letter is sent."""

    empty_title = gettext_lazy("No letter yet")
    empty_text = gettext_lazy("Each step of a request that a person has to hear of writes one.")
    list_display = ("told", "about", "became", "attempts", "last_reason", "written_at", "settled_at")
    list_filter = ("state", "code")
    list_select_related = ("request",)
    ordering = ("-written_at", "-id")
    paginator = FirstThousands
    show_full_result_count = False
    fields = ("told", "about", "became", "attempts", "last_reason", "written_at", "not_before", "settled_at")
    readonly_fields = ("told", "about", "became")
    actions_detail = ("write_again",)

    @admin.display(description=gettext_lazy("tells"), ordering="code")
    def told(self, letter: Letter) -> str:
        return letter.code.replace("_", " ")

    @admin.display(description=gettext_lazy("request"))
    def about(self, letter: Letter) -> str:
        address = reverse("admin:requests_app_request_change", args=[letter.request_id])
        return format_html('<a class="text-link" href="{}">{}</a>', address, unbroken(letter.request.reference))

    @admin.display(description=gettext_lazy("state"), ordering="state")
    def became(self, letter: Letter) -> str:
        return badge(_KINDS[letter.state], letter.get_state_display())

    def has_write_again_permission(self, request: HttpRequest, object_id: str | None = None) -> bool:
        if not request.user.has_perm(CARRY_OUT):
            return False
        letter = found(Letter.objects.all(), object_id) if object_id else None
        return object_id is None or (letter is not None and letters.can_write_again(letter))

    @action(
        description=gettext_lazy("Write it again"),
        permissions=["write_again"],
        variant=ActionVariant.PRIMARY,
        dialog=asking(
            title=gettext_lazy("Write this letter again"),
            says=gettext_lazy("A new one goes to the address that is known now. The old one stays in the list."),
            button=gettext_lazy("Write it again"),
        ),
    )
    def write_again(self, request: HttpRequest, form: ConfirmForm, object_id: str) -> HttpResponse:
        letter: Any = Letter.objects.get(pk=object_id)
        return attempt(
            request,
            lambda: letters.write_again(letter=letter, by=by(request), at=clock.now()),
            done=_("The letter is on its way."),
            then=reverse("admin:requests_app_letter_changelist"),
        )
