"""Showing who asks: codes to an address, second proofs, staff's look at evidence, and what was never shown running out.

Asking for a code looks nobody up: the same is done and sent for a known, an unknown and an erased address. Who it is
turns out only after the code was typed (docs/decisions/0024-who-asks.md).
"""

import uuid
from datetime import datetime, timedelta

from django.conf import settings
from django.db import transaction
from django.db.models import Exists, F, OuterRef
from django.db.models.functions import Greatest

from consents import amendments, subjects
from consents.models import Subject
from consents.subjects import Name, Newcomer
from portal import actors
from portal.errors import Conflict, twin
from requests_app import codes, letters, proofs, sealing, timeline, workflow
from requests_app.codes import MOST_TRIES, CodeRefused, IdentityError, Sent, TooMany
from requests_app.models import IdentityCheck, Request, TimelineEntry
from requests_app.proofs import BY_CODE, CHOSEN, LOOKED_AT, Need, delete_evidence, is_proven, missing
from requests_app.states import CheckMethod, CheckStatus, Status

__all__ = [
    "MOST_TRIES",
    "CodeRefused",
    "IdentityError",
    "Need",
    "Sent",
    "TooMany",
    "advance",
    "ask_code",
    "can_require",
    "check_can_require",
    "check_code",
    "decide",
    "delete_evidence",
    "expire",
    "has_just_passed",
    "holds_nothing",
    "is_proven",
    "missing",
    "not_sent",
    "require",
    "start_of_group",
    "to_type",
]

_A_MOMENT = timedelta(seconds=10)
MOST_FAILED = 3
"""Proofs that staff found wanting; then the request is refused, and no more are asked for."""


def start_of_group(request: Request) -> Request:
    """The first of the requests made in one go, on which their codes hang."""
    return Request.objects.filter(group=request.group).select_related("subject").order_by("pk")[0]


def ask_code(*, request: Request, by: str, at: datetime, client: str = "") -> Sent:
    """Make a code for what this request's group lacks; earlier ones still serve until their 15 minutes are over.

    It goes to the address that was typed, or of a person whom staff or a partner named, to their own; and once staff
    asked for a second code, to that second address. `client` tells callers apart (a network address) and is kept only
    as a keyed digest. Raises TooMany, Conflict(`nothing_to_prove`), IdentityError(`no_address`).
    """
    codes.limit(client)
    return _make_code(request, client, by, at)


def not_sent(*, check_id: uuid.UUID) -> None:
    """The mail could not be sent: the code is void, and no longer counts as one that somebody has."""
    codes.void(check_id)


def check_code(*, check_id: uuid.UUID, code: str, at: datetime) -> list[Request]:
    """What was asked in one go, once the code for it was typed; each is proven that needs no more (`is_proven`).

    Whoever is not known is registered by this address alone. Of somebody who was erased nothing is kept: the requests
    run out, and `holds_nothing` says why to the address's owner. Raises CodeRefused, the same for every reason.
    """
    if not codes.is_right(check_id, code, at):
        raise codes.refused()
    try:
        return _pass(check_id, code, at)
    except Conflict:
        # registered or erased by somebody else at this very moment; now that is known
        return _pass(check_id, code, at)


def has_just_passed(*, check_id: uuid.UUID, at: datetime) -> bool:
    """Whether the code for it was typed a moment ago, and is refused now for that reason alone."""
    return IdentityCheck.objects.filter(pk=check_id, status=CheckStatus.PASSED, decided_at__gt=at - _A_MOMENT).exists()


def to_type(request: Request, *, at: datetime) -> IdentityCheck | None:
    """The newest asking of the request's group whose code may still be typed.

    None of these is what staff asked for: the code for that is sent, and asked for, apart.
    """
    pending = proofs.of_group(request.group).filter(status=CheckStatus.PENDING, method__in=BY_CODE, expires_at__gt=at)
    sent = pending.filter(expires_at__lte=F("asked_at") + codes.HOLDS_FOR, tries__lt=MOST_TRIES)
    return sent.order_by("-asked_at", "-pk").first()


def check_can_require(request: Request) -> None:
    """Raise Conflict(`nothing_to_prove` | `too_many_failed`) unless a further proof may be asked for."""
    if request.status != Status.VERIFYING:
        raise Conflict("nothing_to_prove", "This request waits for no proof.")
    if proofs.of_group(request.group).filter(status=CheckStatus.FAILED).count() >= MOST_FAILED:
        raise Conflict("too_many_failed", f"{MOST_FAILED} proofs failed; propose to refuse the request.")


can_require = twin(check_can_require)


@transaction.atomic
def require(*, request: Request, method: str, by: str, at: datetime) -> IdentityCheck:
    """Staff ask for a further proof, which may be shown within PROOF_WITHIN. A code is sent by `ask_code` then.

    Raises IdentityError(`unknown_method` | `no_second_address` | `no_known_number`), Conflict(`nothing_to_prove` |
    `proof_pending` | `too_many_failed`).
    """
    group = _locked(request.group)
    mine = next(one for one in group if one.pk == request.pk)
    check_can_require(mine)
    if method not in CHOSEN:
        raise IdentityError("unknown_method", "Choose a second code, a document or a call.", field="method")
    earlier = proofs.of_group(request.group)
    if earlier.filter(method=method, status=CheckStatus.PENDING, expires_at__gt=at).exists():
        raise Conflict("proof_pending", "This proof was asked for already.")
    target = codes.target_of(group[0], method)
    check = codes.new_check(mine, method, target, by=by, at=at, until=at + settings.PROOF_WITHIN)
    check.save(force_insert=True)
    timeline.tell(mine, "proof_required", by=by, at=at, details={"method": str(method)})
    if method != CheckMethod.CALLBACK:
        _write(mine, at)
    return check


@transaction.atomic
def decide(*, check: IdentityCheck, passed: bool, by: str, at: datetime) -> IdentityCheck:
    """Staff looked at a document, or called: it shows who asks, or it does not.

    Raises Conflict(`typed_by_the_person` | `decided` | `out_of_time`).
    """
    if check.method not in LOOKED_AT:
        raise Conflict("typed_by_the_person", "A code is decided by typing it.")
    group = _locked(Request.objects.values_list("group", flat=True).get(pk=check.request_id))
    check = IdentityCheck.objects.select_for_update(of=("self",)).get(pk=check.pk)
    if check.status != CheckStatus.PENDING:
        raise Conflict("decided", "This proof was decided already.")
    if check.expires_at <= at:
        raise Conflict("out_of_time", "This proof is out of time; ask for another.")
    mine = next(one for one in group if one.pk == check.request_id)
    _settle(check, passed, by, at)
    details = {"method": check.method}
    timeline.tell(mine, "proof_passed" if passed else "proof_failed", by=by, at=at, details=details)
    if passed:
        # of who writes a letter no code is needed: staff's look shows whose the address is
        if mine.subject_id is None and not missing(mine):
            _name(group, _owner(group[0], at), by=by, at=at)
        _advance(group, by=by, at=at)
    return check


@transaction.atomic
def advance(*, request: Request, by: str, at: datetime) -> list[Request]:
    """Look again whether what was shown is enough, as after staff gave up refusing a request; answers its group."""
    group = _locked(request.group)
    _advance(group, by=by, at=at)
    return group


def holds_nothing(request: Request) -> bool:
    """Whether it ran out because we hold nothing under the address: for the eyes of who typed its code alone."""
    return request.status == Status.EXPIRED and request.timeline.filter(code="nothing_held").exists()


def expire(*, at: datetime) -> int:
    """Requests that nobody proved within PROOF_WITHIN run out and lose what was typed; answers how many.

    One for which staff asked a proof waits until that is out of time. Codes and proofs out of time end too.
    """
    # a letter may have lain for long; and of one that was proven once, staff may have come to doubt it just now
    began = TimelineEntry.objects.filter(request=OuterRef("pk"), code__in=["received", "doubted"])
    asked = proofs.of_group(OuterRef("group")).filter(status=CheckStatus.PENDING, method__in=CHOSEN)  # type: ignore[arg-type]  # a reference stands in for the value
    waits = Exists(began.filter(at__gt=at - settings.PROOF_WITHIN)) | Exists(asked.filter(expires_at__gt=at))
    late = Request.objects.filter(~waits, status=Status.VERIFYING)
    ended, failures = 0, list[Exception]()
    for pk in list(late.order_by("pk").values_list("pk", flat=True)):
        try:
            ended += _expire_one(pk, at)
        except Exception as failure:
            # one that cannot be opened, for a lost key, keeps nobody else's data
            failures.append(failure)
    _end_codes(at)
    if failures:
        raise failures[0]
    return ended


@transaction.atomic
def _expire_one(pk: uuid.UUID, at: datetime) -> bool:
    request = Request.objects.select_for_update(no_key=True, of=("self",), skip_locked=True).filter(pk=pk).first()
    if request is None or request.status != Status.VERIFYING:
        return False
    _run_out(request, code="expired", by=actors.SYSTEM, at=at)
    return True


@transaction.atomic
def _end_codes(at: datetime) -> None:
    old = IdentityCheck.objects.filter(expires_at__lte=at)
    # of passed ones no code is kept, so that only these are looked at
    pks = old.filter(status=CheckStatus.PENDING).order_by("pk").select_for_update(skip_locked=True)
    IdentityCheck.objects.filter(pk__in=[one.pk for one in pks]).update(
        status=CheckStatus.EXPIRED, decided_by=actors.SYSTEM, decided_at=at, code_digest=None, sealed_target=None
    )


@transaction.atomic
def _make_code(request: Request, client: str, by: str, at: datetime) -> Sent:
    start = start_of_group(request)
    method, target = _next(start, at)
    sent = codes.make(start, method, target, client=client, by=by, at=at)
    timeline.tell(start, "code_asked", by=by, at=at, details={"method": str(method)})
    return sent


def _next(start: Request, at: datetime) -> tuple[str, Name]:
    """By which code the group goes on, and to whom it is sent."""
    waits = proofs.waiting(start.group).order_by("pk").first()
    needs = missing(waits) if waits is not None else []
    if Need.CONFIRMATION in needs:
        return CheckMethod.CONFIRMATION, codes.first_address(start)
    if Need.ADDRESS in needs:
        return CheckMethod.CODE, codes.first_address(start)
    # what staff asked for, not the codes sent for it
    asked = proofs.of_group(start.group).filter(
        method=CheckMethod.SECOND_CODE,
        status=CheckStatus.PENDING,
        expires_at__gt=Greatest(F("asked_at") + codes.HOLDS_FOR, at),
    )
    second = asked.select_related("request__subject").first()
    if second is None:
        raise Conflict("nothing_to_prove", "No code is waited for.")
    return CheckMethod.SECOND_CODE, Name(
        *sealing.unseal_json(second.request, second.sealed_target, context=sealing.TARGET)
    )


@transaction.atomic
def _pass(check_id: uuid.UUID, code: str, at: datetime) -> list[Request]:
    asked = IdentityCheck.objects.select_related("request").get(pk=check_id)
    group = _locked(asked.request.group)
    mine = codes.use(asked, group[0], code, at)
    subject = _owner(group[0], at)
    by = actors.SYSTEM if subject is None else actors.subject(subject.pk)
    _settle(mine, True, by, at)
    if subject is not None:
        shown = Name(*sealing.unseal_json(group[0], mine.sealed_target, context=sealing.TARGET))
        amendments.mark_verified(subject=subject, named=shown, at=at)
        timeline.tell(group[0], "address_confirmed", by=by, at=at, details={"method": mine.method})
    _name(group, subject, by=by, at=at)
    _advance(group, by=by, at=at)
    return group


def _name(group: list[Request], subject: Subject | None, *, by: str, at: datetime) -> None:
    """It is known whose they are, also of what staff may refuse meanwhile; of somebody who was erased they run out."""
    for request in group:
        if subject is None and request.status == Status.VERIFYING:
            _run_out(request, code="nothing_held", by=by, at=at)
        elif subject is not None and request.subject_id is None and not request.is_closed:
            sealing.adopt(request, subject)
            request.save()


def _owner(start: Request, at: datetime) -> Subject | None:
    """Whose address it is, locked, so that nobody is forgotten meanwhile; None where they were erased."""
    if start.subject_id is not None:
        subject = Subject.objects.select_for_update(no_key=True).get(pk=start.subject_id)
        return subject if subject.erased_at is None else None
    named = codes.first_address(start)
    if subjects.was_erased(named):
        return None
    known = subjects.find_locked(named)
    if known is None:
        newcomer = Newcomer((named,), start.jurisdiction, start.locale)
        known = subjects.register(newcomer=newcomer, by=actors.SYSTEM, at=at)
    return known if known.erased_at is None else None


def _settle(check: IdentityCheck, passed: bool, by: str, at: datetime) -> None:
    """Decide a proof; of second codes that staff asked for, all that were sent for it too."""
    check.status = CheckStatus.PASSED if passed else CheckStatus.FAILED
    check.code_digest, check.decided_by, check.decided_at = None, by, at
    check.save(update_fields=["status", "code_digest", "decided_by", "decided_at"])
    if passed and check.method in BY_CODE:
        others = proofs.of_group(check.request.group).filter(method=check.method, status=CheckStatus.PENDING)
        others.update(status=check.status, code_digest=None, decided_by=by, decided_at=at)


def _advance(group: list[Request], *, by: str, at: datetime) -> None:
    """Prove, in its place, what needs nothing more; where one asks for another, have staff look at their authority."""
    shown = proofs.passed(group[0].group)
    for place, request in enumerate(group):
        if request.status != Status.VERIFYING or request.subject is None:
            continue
        needs = missing(request, shown)
        if not needs:
            group[place] = workflow.prove(request=request, subject=request.subject, by=by, at=at)
        elif needs == [Need.AUTHORITY] and not proofs.of_group(request.group).filter(method=CheckMethod.DOCUMENT):
            until = at + settings.PROOF_WITHIN
            check = codes.new_check(request, CheckMethod.DOCUMENT, None, by=actors.SYSTEM, at=at, until=until)
            check.save(force_insert=True)
            _write(request, at)


def _write(request: Request, at: datetime) -> None:
    """Mail that a proof is needed, and no more of anybody."""
    letters.write(request=request, code="proof_needed", at=at)


def _run_out(request: Request, *, code: str, by: str, at: datetime) -> None:
    """Closed, and nothing stays of what was typed; `code` says so where it is more than being out of time."""
    if code != "expired":
        timeline.tell(request, code, by=by, at=at)
    workflow.expire(request=request, by=by, at=at)
    request.refresh_from_db()


def _locked(group: uuid.UUID) -> list[Request]:
    rows = Request.objects.select_for_update(no_key=True, of=("self",)).select_related("subject")
    return list(rows.filter(group=group).order_by("pk"))
