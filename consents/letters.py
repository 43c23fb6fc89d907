"""One letter that tells one person of a notice: composing it, posting it, and what the mail server's answer means."""

import smtplib
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.core.mail import EmailMultiAlternatives
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils import translation

from consents.models import Letter, Notice

_AWAY = 421
"""RFC 5321: the service is closing the connection; nothing was taken, and nothing more will be."""
BUDGET = 8
"""Attempts before a letter that is put off each time counts as failed."""
_FIRST, _LONGEST = timedelta(minutes=1), timedelta(hours=6)


@dataclass(frozen=True)
class Outcome:
    """What became of a letter. `stops` says that the server is in trouble, and the batch ends here."""

    state: str
    reason: str = ""
    stops: bool = False


SENT = Outcome(Letter.State.SENT)


def delay(*, attempts: int, jitter: float) -> timedelta:
    """How long to wait after the `attempts`-th time in a row; `jitter` is in [0, 1). Doubles, up to six hours."""
    wait = min(_FIRST * float(2 ** min(attempts - 1, 20)), _LONGEST)
    return wait / 2 + wait / 2 * jitter


def compose(texts: list[Notice], *, address: str, locale: str) -> EmailMultiAlternatives:
    """The letter in the reader's language as far as we have it: plain text and simple HTML, nothing personal."""
    with translation.override(_spoken(locale)):
        notice = in_language(texts, locale)
        path = reverse("notice", args=[notice.slug, notice.version])
        context = {"notice": notice, "link": f"{settings.SITE_URL}{path}", "site_name": settings.SITE_NAME}
        context["choices_link"] = f"{settings.SITE_URL}{reverse('choices')}"
        subject = " ".join(render_to_string("consents/mail/notice_subject.txt", context).split())
        letter = EmailMultiAlternatives(subject, render_to_string("consents/mail/notice.txt", context), to=[address])
        letter.attach_alternative(render_to_string("consents/mail/notice.html", context), "text/html")
        # RFC 3834: so that absence notes and the like do not answer
        letter.extra_headers = {"Auto-Submitted": "auto-generated"}
    return letter


def in_language(texts: list[Notice], locale: str) -> Notice:
    """The text in this language, else in English, else in whichever there is."""
    by_language = {text.locale[:2]: text for text in reversed(texts)}
    return by_language.get(locale[:2]) or by_language.get("en") or texts[0]


def post(connection: Any, letter: EmailMultiAlternatives) -> Outcome:
    """Hand one letter to the mail server over an open connection.

    Only where the server said no do we know that it was not taken. Where the line broke in between, it is uncertain.
    """
    try:
        connection.send_messages([letter])
    except smtplib.SMTPRecipientsRefused as refused:
        return _refused(max((code for code, _ in refused.recipients.values()), default=0))
    except smtplib.SMTPDataError as refused:
        return _refused(refused.smtp_code)
    except (smtplib.SMTPNotSupportedError, ValueError):
        # an address that this server or our own header rules cannot carry
        return Outcome(Letter.State.FAILED, "address_unusable")
    except smtplib.SMTPResponseException as trouble:
        # it is us whom the server refuses, so everybody's letter would fail
        return Outcome(Letter.State.PENDING, f"smtp_{trouble.smtp_code}", stops=True)
    except OSError:
        return Outcome(Letter.State.UNCERTAIN, "broken_off", stops=True)
    return SENT


def _refused(code: int) -> Outcome:
    """RFC 5321, 4.2.1: 4yz is for now, 5yz for good."""
    if code == _AWAY:
        return Outcome(Letter.State.PENDING, f"smtp_{code}", stops=True)
    return Outcome(Letter.State.FAILED if code >= 500 else Letter.State.PENDING, f"smtp_{code}")


def _spoken(locale: str) -> str:
    return locale[:2] if locale[:2] in dict(settings.LANGUAGES) else settings.LANGUAGE_CODE
