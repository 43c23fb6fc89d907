"""Pages of the roof: health, the public keys, and in a try-out the mails that were sent."""

import email
import email.policy
from datetime import UTC, datetime
from email.message import EmailMessage
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import connection
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.views import defaults
from django.views.decorators.cache import cache_control, never_cache
from django.views.decorators.http import require_GET, require_safe

from portal import demo_access, problems, signing

_SHOWN = 20


@require_GET
@never_cache
def healthz(request: HttpRequest) -> JsonResponse:
    """The process answers."""
    return JsonResponse({"status": "ok"})


@require_GET
@never_cache
def readyz(request: HttpRequest) -> JsonResponse:
    """The database answers too; without it nothing can be recorded."""
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    except Exception:
        return JsonResponse({"status": "database unreachable"}, status=503)
    return JsonResponse({"status": "ok"})


@require_safe
@cache_control(public=True, max_age=300)
def jwks(request: HttpRequest) -> JsonResponse:
    """The public keys by which receipts and the log verify (RFC 7517), retired ones too."""
    return JsonResponse(signing.jwks(), content_type="application/jwk-set+json")


@require_GET
@never_cache
def dev_mail(request: HttpRequest) -> HttpResponse:
    """The last mails of a try-out installation; in production there is no such page."""
    if not settings.LOCAL:
        raise Http404
    files = sorted(settings.MAIL_DIR.glob("*.log"), key=lambda path: path.stat().st_mtime, reverse=True)
    mails = [mail for path in files[:_SHOWN] for mail in reversed(_mails(path))]
    context = {"mails": mails[:_SHOWN], "staff_codes": demo_access.staff_codes()}
    return render(request, "dev/mail.html", context)


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    """handler404: a problem for programs, a page for people."""
    if request.path.startswith("/api/"):
        return _problem(404, "not_found", "There is nothing at this address.")
    return defaults.page_not_found(request, exception)


def failed(request: HttpRequest) -> HttpResponse:
    """handler500; what went wrong is in the log, under the request's id."""
    if request.path.startswith("/api/"):
        return _problem(500, "failed", "Something went wrong here, and nothing was changed. Try again.")
    return defaults.server_error(request)


def no_room(request: HttpRequest) -> HttpResponse:
    """What a form brought cannot be kept; the log says why. HTTP 507 (RFC 4918, 11.5)."""
    answer = render(request, "507.html", status=507)
    answer["Retry-After"], answer["Cache-Control"] = "600", "no-store"
    return answer


def _problem(status: int, code: str, detail: str) -> JsonResponse:
    return JsonResponse(problems.body(status, code, detail), status=status, content_type=problems.MEDIA_TYPE)


def _mails(path: Path) -> list[dict[str, Any]]:
    parts = path.read_bytes().split(b"-" * 79 + b"\n")
    parsed = [email.message_from_bytes(part, policy=email.policy.default) for part in parts if part.strip()]
    return [_shown(mail) for mail in parsed if isinstance(mail, EmailMessage)]


def _shown(mail: EmailMessage) -> dict[str, Any]:
    body = mail.get_body(preferencelist=("plain",))
    sent = mail["Date"].datetime if mail["Date"] else datetime.now(UTC)
    return {
        "sent_at": sent,
        "to": mail["To"],
        "subject": mail["Subject"],
        "body": body.get_content() if body else "",
    }
