"""Mail about requests: written down with the change that it tells of, sent by a turn of beat after that is committed.

Whoever else reads a mailbox must not learn from it what somebody asks of us. So every letter names the request by its
reference and nothing else: no right, no name, nothing that was written, and no word of what the answer is. What there
is to say stands on the request's page, behind the sign-in. The one letter without a page to lead to, of an erasure
that is done, says that what was asked was done in full, or which law has us keep what is left.
"""

import json
import random
import time
import uuid
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

import structlog
from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.mail import EmailMultiAlternatives, get_connection
from django.core.validators import validate_email
from django.db import connection, transaction
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils import translation

from consents import letters as posting
from consents import subjects
from consents.letters import Outcome
from consents.vocabulary import Scheme
from portal import actors, crypto
from portal.errors import Conflict
from requests_app import sealing, timeline
from requests_app.models import Letter, Request
from requests_app.states import Capacity

logger = structlog.get_logger(__name__)

SEND_TASK = "requests_app.tasks.send_letters"
"""Interfaces nudge this task by name where somebody waits for a code; beat turns it anyway."""
CODES = frozenset(
    {"acknowledged", "message_waits", "proof_needed", "code", "extended", "package_ready", "refused", "fulfilled"}
    | {"erased", "erased_in_part", "expired", "withdrawn", "appeal_received", "appeal_decided", "restriction_lifted"}
)
WITHOUT_PAGE = frozenset({"code", "erased", "erased_in_part", "expired"})
"""Nobody can sign in to a request's page then: it is not known yet, no longer, or was never known whose it is."""
BUDGET = 12
"""Tries before a letter is given up: with `consents.letters.delay` in between about a day."""
_TURN_SECONDS = 4.0
"""Shorter than it takes beat's messages to expire, so that letters never keep the workers from other work."""

# materialized, so that LIMIT holds: a join may ask again after each row, and takes another that is not locked yet
_CLAIM = """
WITH due AS MATERIALIZED (
     SELECT id FROM requests_app_letter
      WHERE state = 'waiting' AND not_before <= %(at)s
      ORDER BY not_before LIMIT 1
        FOR UPDATE SKIP LOCKED)
UPDATE requests_app_letter AS mine
   SET attempts = attempts + 1, not_before = %(until)s
  FROM due
 WHERE mine.id = due.id
RETURNING mine.id
"""


@transaction.atomic
def write(*, request: Request, code: str, at: datetime, extra: Mapping[str, str] | None = None) -> Letter | None:
    """Have a letter sent to whoever asks; None where we have no mail address of theirs, or a controller asks.

    The person asked the controller, and is answered by them (GDPR Art. 28(3)(e)); the controller is told by callbacks.

    `code` is one of CODES. `extra` may hold what the letter brings (a `code`, or the `laws` by which something is kept)
    and an `address` that it goes to instead (a second one that we know); all of it is sealed, by the ring of keys,
    until the letter is sent or given up.
    """
    if code not in CODES:
        raise ValueError(f"there is no letter {code}")
    if request.capacity == Capacity.CONTROLLER:
        return None
    brought = dict(extra or {})
    address = brought.pop("address", None) or _address_of(request)
    if address is None:
        return None
    letter = Letter(request=request, code=code, locale=request.locale, not_before=at, written_at=at)
    content = json.dumps([address, brought]).encode()
    letter.sealed = crypto.seal(content, context=context(letter.pk))
    letter.save(force_insert=True)
    return letter


def check_can_write_again(letter: Letter) -> None:
    """Raise Conflict unless the letter was given up, and is not a code, which would have run out by now."""
    if letter.state != Letter.GIVEN_UP or letter.code == "code":
        raise Conflict("not_given_up", "Only a letter that was given up is written again, and never a code.")


def can_write_again(letter: Letter) -> bool:
    return letter.state == Letter.GIVEN_UP and letter.code != "code"


@transaction.atomic
def write_again(*, letter: Letter, by: str, at: datetime) -> Letter:
    """Have a letter that was given up sent to the address that is known now; the old row stays as it is.

    Raises Conflict(`not_given_up`, `no_address`).
    """
    request = (
        Request.objects.select_for_update(no_key=True, of=("self",)).select_related("subject").get(pk=letter.request_id)
    )
    letter = Letter.objects.select_for_update().get(pk=letter.pk)
    check_can_write_again(letter)
    fresh = write(request=request, code=letter.code, at=at)
    if fresh is None:
        raise Conflict("no_address", "We have no mail address of theirs. Tell them in another way.")
    timeline.tell(request, "letter_written_again", by=by, at=at, details={"letter": letter.code})
    return fresh


def context(pk: uuid.UUID) -> bytes:
    """What binds a letter's sealed address to its row."""
    return b"request-letter:" + pk.bytes


def send_due(*, at: datetime, seconds: float = _TURN_SECONDS) -> int:
    """Send what is due, for about so many seconds; answers how many letters were sent.

    Any number of workers may do this at once; must run outside a transaction. A letter is claimed for as long as a
    lease before the server sees it. Where its sender dies, it is due again after that: a letter twice does no harm,
    one that the law demands and that never comes does. So a crash repeats at most one letter of each worker, with the
    same Message-ID, by which mailboxes know it.
    """
    sent, began, line = 0, time.monotonic(), get_connection()
    if not Letter.objects.filter(state=Letter.WAITING, not_before__lte=at).exists():
        return sent
    try:
        line.open()
        while (gone := time.monotonic() - began) < seconds:
            letter = _claim(at, until=at + timedelta(seconds=gone) + settings.LEASE)
            if letter is None:
                break
            if letter.attempts > BUDGET:
                # whoever had it never came back to say why
                _give_up(letter, "broken_off", at=at)
                continue
            outcome = _post(line, letter)
            _settle(letter, outcome, at=at)
            sent += outcome == posting.SENT
            if outcome.stops:
                logger.warning("request_letters.trouble", reason=outcome.reason)
                break
    except OSError:
        # the server could not be reached at all: no letter was claimed
        logger.warning("request_letters.trouble", reason="unreachable")
    finally:
        line.close()
    return sent


def compose(
    *, code: str, reference: str, locale: str, address: str, brought: Mapping[str, str]
) -> EmailMultiAlternatives:
    """The letter in the reader's language, as plain text and simple HTML."""
    with translation.override(_spoken(locale)):
        link = "" if code in WITHOUT_PAGE else settings.SITE_URL + reverse("request-detail", args=[reference])
        said: dict[str, Any] = {"reference": reference, "link": link, "site_name": settings.SITE_NAME}
        said["laws"] = brought.get("laws", "")
        text = render_to_string(f"requests/email/{code}.txt", said).strip()
        said |= {
            "text": text,
            "paragraphs": [part.strip() for part in text.split("\n\n")],
            "kind": code,
            "secret": brought.get("code"),
        }
        said["why"] = render_to_string("requests/email/why.txt", said)
        subject = " ".join(render_to_string("requests/email/letter_subject.txt", said).split())
        letter = EmailMultiAlternatives(subject, render_to_string("requests/email/letter.txt", said), to=[address])
        letter.attach_alternative(render_to_string("requests/email/letter.html", said), "text/html")
    # RFC 3834: so that absence notes and the like do not answer
    letter.extra_headers = {"Auto-Submitted": "auto-generated"}
    return letter


def _address_of(request: Request) -> str | None:
    """Where whoever asks is answered: what they left, else the person's own address.

    Somebody who asks for another and left no mail address is not answered at the other's: not in a dead person's
    mailbox, and not where an answer might be read by whom it does not concern.
    """
    requester = sealing.unseal_json(request, request.sealed_requester, context=sealing.REQUESTER)
    if requester is not None and (requester[1] or request.capacity == Capacity.HEIR):
        return _mail(requester[1])
    contact = sealing.unseal_json(request, request.sealed_contact, context=sealing.CONTACT)
    if contact is not None and contact[0] == Scheme.EMAIL:
        return _mail(contact[1])
    return subjects.contact(request.subject, Scheme.EMAIL) if request.subject is not None else None


def _mail(text: str) -> str | None:
    """The text where it is a mail address; a telephone number, or a street, is staff's to use."""
    try:
        validate_email(text.strip())
    except ValidationError:
        return None
    return text.strip()


def _claim(at: datetime, *, until: datetime) -> Letter | None:
    """Take the next letter that is due until a moment; committed before anybody sees the letter."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(_CLAIM, {"at": at, "until": until})
        row = cursor.fetchone()
    return Letter.objects.select_related("request").get(pk=row[0]) if row else None


def _post(line: Any, letter: Letter) -> Outcome:
    try:
        address, brought = json.loads(crypto.unseal(letter.sealed or b"", context=context(letter.pk)))
    except crypto.CryptoError as error:
        # its key may come back to the ring
        return Outcome("pending", error.code)
    message = compose(
        code=letter.code,
        reference=letter.request.reference,
        locale=letter.locale,
        address=address,
        brought=brought,
    )
    message.extra_headers["Message-ID"] = f"<{letter.pk}@{urlsplit(settings.SITE_URL).hostname}>"
    return posting.post(line, message)


def _settle(letter: Letter, outcome: Outcome, *, at: datetime) -> None:
    """Write what became of it, unless another turn took it over meanwhile: that one counted a further attempt."""
    mine = Letter.objects.filter(pk=letter.pk, state=Letter.WAITING, attempts=letter.attempts)
    if outcome == posting.SENT:
        mine.update(state=Letter.SENT, sealed=None, settled_at=at, last_reason="")
    elif outcome.state == "pending" and outcome.stops:
        # it is us whom the server refuses, so the letter's own tries are left as they were
        mine.update(attempts=letter.attempts - 1, not_before=at + _delay(1), last_reason=outcome.reason)
    elif outcome.state == "failed" or letter.attempts >= BUDGET:
        _give_up(letter, outcome.reason, at=at)
    else:
        mine.update(not_before=at + _delay(letter.attempts), last_reason=outcome.reason)


@transaction.atomic
def _give_up(letter: Letter, reason: str, *, at: datetime) -> None:
    """Staff see on the timeline that it never came, and tell the person in another way."""
    mine = Letter.objects.filter(pk=letter.pk, state=Letter.WAITING, attempts=letter.attempts)
    if mine.update(state=Letter.GIVEN_UP, sealed=None, settled_at=at, last_reason=reason):
        details = {"letter": letter.code, "reason": reason}
        timeline.tell(letter.request, "letter_given_up", by=actors.SYSTEM, at=at, details=details)


def _delay(attempts: int) -> timedelta:
    return posting.delay(attempts=attempts, jitter=random.random())  # noqa: S311 -- spreads retries, guards nothing


def _spoken(locale: str) -> str:
    return locale[:2] if locale[:2] in dict(settings.LANGUAGES) else settings.LANGUAGE_CODE
