"""Fetching an answer: the signed-in person's own, as a file to keep; or having it deleted before its time."""

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_POST

from consents.models import Subject
from consents.pages.access import for_subject
from portal import actors, clock, downloads
from portal.errors import Conflict, DomainError, NotFound
from requests_app import packages
from requests_app.models import Request
from requests_app.pages import own, words

_GONE = {
    "package_expired": gettext_lazy("The time to fetch this answer is over. You can ask for it again."),
    "package_deleted": gettext_lazy("This answer was deleted. You can ask for it again."),
    "package_gone": gettext_lazy("This answer is no longer there. You can ask for it again."),
}
_NOT_READY = gettext_lazy("Your answer is not ready yet. We write to you when it is.")


@require_GET
@never_cache
@for_subject
def fetch(request: HttpRequest, subject: Subject, reference: str) -> HttpResponseBase:
    """The ZIP of the reader's own request; somebody else's is as unknown as none.

    Answers 409 where it is not ready yet, 410 where it was there and no longer is.
    """
    mine = own.request_of(subject, reference)
    # of several the one that can be fetched, else the last: it tells why there is none
    package = packages.current(mine) or mine.packages.first()
    if package is None:
        return _none(request, mine, _NOT_READY, status=409)
    try:
        content = packages.download(package=package, by=actors.subject(subject.pk), at=clock.now())
    except (Conflict, NotFound) as error:
        gone = error.code in _GONE
        return _none(request, mine, _GONE.get(error.code, _NOT_READY), status=410 if gone else 409)
    name = f"{mine.reference}.zip"
    return downloads.as_attachment(content, name=name, content_type="application/zip", size=package.size)


@require_POST
@for_subject
def let_go(request: HttpRequest, subject: Subject, reference: str) -> HttpResponse:
    """The reader needs no answer of this request any longer; of an erasure: none that it waits for."""
    mine = own.request_of(subject, reference)
    try:
        packages.let_go(request=mine, by=actors.subject(subject.pk), at=clock.now())
    except DomainError as error:
        messages.error(request, words.refusal(error))
    else:
        messages.success(request, _("The download is deleted."))
    return redirect("request-detail", reference)


def _none(request: HttpRequest, mine: Request, says: object, *, status: int) -> HttpResponseBase:
    context = {"title": _("Your answer"), "says": says, "reference": mine.reference}
    return render(request, "requests/answer_not_there.html", context, status=status)
