"""Telling people of a notice by mail: planning a round, pausing it, deciding what was left in doubt.

Every person and version has one row, a letter, and the database admits no second. The sending is in `dispatch`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db import connection, transaction
from django.db.models import Count, Exists, OuterRef, Q, QuerySet

from consents import jurisdictions, purposes
from consents.models import Identifier, Letter, Notice, NoticeDelivery, Preference, Subject
from consents.vocabulary import Action, Scheme, Slot
from portal import audit
from portal.errors import Conflict, DomainError, NotFound

DELIVER_TASK = "consents.tasks.deliver"
"""Interfaces nudge this task by name once a round is begun; beat turns it anyway."""

State = NoticeDelivery.State


class DeliveryError(DomainError):
    """A round of letters that cannot be begun as asked."""


@dataclass(frozen=True)
class Audience:
    """Whom to tell: who lives in the jurisdictions (none: everywhere) and said yes to a purpose (none: everyone)."""

    jurisdictions: Sequence[str] = ()
    purposes: Sequence[str] = ()


@dataclass(frozen=True)
class Share:
    """The part of an audience that lives in one jurisdiction."""

    jurisdiction: str
    people: int
    without_address: int
    told_already: int


# somebody who had no address at an earlier round and has one now is told after all
_PLAN = """
INSERT INTO consents_letter AS known
       (delivery_id, subject_id, slug, version, state, reason, attempts, next_try_at, settled_at)
SELECT %(delivery)s, person.id, %(slug)s, %(version)s,
       CASE WHEN address.known THEN 'pending' ELSE 'no_address' END, '', 0, %(at)s,
       CASE WHEN address.known THEN NULL ELSE %(at)s END
  FROM consents_subject AS person
 CROSS JOIN LATERAL (SELECT EXISTS (SELECT FROM consents_identifier AS name
                                     WHERE name.subject_id = person.id AND name.scheme = 'email') AS known) AS address
 WHERE person.erased_at IS NULL
   AND (%(everywhere)s OR person.jurisdiction = ANY(%(codes)s))
   AND (%(everyone)s OR EXISTS (SELECT FROM consents_preference AS said
                                 WHERE said.subject_id = person.id AND said.slot = 'choice'
                                   AND said.action = 'grant' AND said.purpose = ANY(%(purposes)s)))
    ON CONFLICT ON CONSTRAINT nobody_is_told_twice DO UPDATE
   SET delivery_id = excluded.delivery_id, state = 'pending', next_try_at = excluded.next_try_at, settled_at = NULL
 WHERE known.state = 'no_address' AND excluded.state = 'pending'
"""


@transaction.atomic
def plan(*, slug: str, version: int, audience: Audience, by: str, at: datetime) -> NoticeDelivery:
    """Begin a round: one letter for everyone of the audience who has none of this version yet.

    Raises NotFound, DeliveryError(`not_published_yet`, `nobody_to_tell`), UnknownJurisdiction.
    """
    audience = check(slug=slug, version=version, audience=audience, at=at)
    delivery = NoticeDelivery.objects.create(
        slug=slug,
        version=version,
        jurisdictions=list(audience.jurisdictions),
        purposes=list(audience.purposes),
        created_at=at,
        created_by=by,
    )
    with connection.cursor() as cursor:
        cursor.execute(
            _PLAN,
            {
                "delivery": delivery.pk,
                "slug": slug,
                "version": version,
                "at": at,
                "everywhere": not audience.jurisdictions,
                "codes": _codes(audience),
                "everyone": not audience.purposes,
                "purposes": list(audience.purposes),
            },
        )
        delivery.people = cursor.rowcount
    if not delivery.people:
        raise DeliveryError("nobody_to_tell", "Everyone of these people was told already, or there is nobody.")
    delivery.save(update_fields=["people"])
    _audit(delivery, "begin", by=by, at=at, people=delivery.people)
    return delivery


def check(*, slug: str, version: int, audience: Audience, at: datetime) -> Audience:
    """The audience in normal form. Raises NotFound, DeliveryError, UnknownJurisdiction."""
    notice = Notice.objects.filter(slug=slug, version=version).first()
    if notice is None:
        raise NotFound("unknown_notice", "There is no such version of this notice.", field="notice")
    if notice.published_at > at:
        raise DeliveryError(
            "not_published_yet", "People are told once it is published: its page is not there before.", field="notice"
        )
    for purpose in audience.purposes:
        purposes.get(purpose)
    return Audience([jurisdictions.check_scope(one) for one in audience.jurisdictions], list(audience.purposes))


def preview(*, slug: str, version: int, audience: Audience, at: datetime) -> list[Share]:
    """Whom a round would concern, by jurisdiction, the largest first. Raises as `plan` does."""
    audience = check(slug=slug, version=version, audience=audience, at=at)
    had = Letter.objects.filter(subject_id=OuterRef("pk"), slug=slug, version=version)
    mail = Identifier.objects.filter(subject_id=OuterRef("pk"), scheme=Scheme.EMAIL)
    people = _people(audience).annotate(addressed=Exists(mail), told=Exists(had.exclude(state="no_address")))
    rows = people.values("jurisdiction").annotate(
        people=Count("pk"),
        without=Count("pk", filter=Q(addressed=False)),
        already=Count("pk", filter=Q(told=True)),
    )
    shares = [Share(row["jurisdiction"], row["people"], row["without"], row["already"]) for row in rows]
    return sorted(shares, key=lambda share: (-share.people, share.jurisdiction))


def _people(audience: Audience) -> QuerySet[Subject]:
    living = Subject.objects.filter(erased_at__isnull=True)
    if audience.jurisdictions:
        living = living.filter(jurisdiction__in=_codes(audience))
    if audience.purposes:
        yes = Preference.objects.filter(slot=Slot.CHOICE, action=Action.GRANT, purpose__in=list(audience.purposes))
        living = living.filter(Exists(yes.filter(subject=OuterRef("pk"))))
    return living


def _codes(audience: Audience) -> list[str]:
    if not audience.jurisdictions:
        return []
    found = Subject.objects.values_list("jurisdiction", flat=True).distinct()
    return [code for code in found if any(jurisdictions.covers(one, code) for one in audience.jurisdictions)]


@transaction.atomic
def pause(*, delivery: NoticeDelivery, by: str, at: datetime) -> None:
    """Send nothing more for now; at most the letters that are under way still leave. Raises Conflict."""
    _move(delivery, (State.RUNNING,), State.PAUSED)
    _audit(delivery, "pause", by=by, at=at)


@transaction.atomic
def resume(*, delivery: NoticeDelivery, by: str, at: datetime) -> None:
    """Go on where it was paused, or at once after trouble. Raises Conflict."""
    _move(delivery, (State.PAUSED, State.RUNNING), State.RUNNING)
    _audit(delivery, "resume", by=by, at=at)


@transaction.atomic
def send_again(*, delivery: NoticeDelivery, state: str, by: str, at: datetime) -> int:
    """Send the round's uncertain or failed letters once more; answers how many. Raises Conflict where there is none.

    For an uncertain one, staff take it upon them that somebody may be told twice.
    """
    count = _decided(delivery, state).update(
        state=Letter.State.PENDING, reason="", attempts=0, token=None, next_try_at=at, settled_at=None
    )
    _move(delivery, tuple(State), State.RUNNING, some=count)
    _audit(delivery, "send_again", by=by, at=at, letters=count, were=state)
    return count


@transaction.atomic
def count_as_sent(*, delivery: NoticeDelivery, by: str, at: datetime) -> int:
    """Staff found that the uncertain letters did arrive; answers how many. Raises Conflict where there is none."""
    uncertain = _decided(delivery, Letter.State.UNCERTAIN)
    count = uncertain.update(state=Letter.State.SENT, reason="by_staff", token=None, settled_at=at)
    if not count:
        raise Conflict("no_such_letter", "There is no such letter in this round.")
    _audit(delivery, "count_as_sent", by=by, at=at, letters=count)
    return count


def progress(delivery: NoticeDelivery) -> dict[str, int]:
    """How many letters are in each state."""
    return dict(delivery.letters.order_by().values_list("state").annotate(count=Count("pk")))


def _decided(delivery: NoticeDelivery, state: str) -> QuerySet[Letter]:
    if state not in (Letter.State.UNCERTAIN, Letter.State.FAILED):
        raise DeliveryError("not_to_be_decided", "Only uncertain and failed letters are decided by staff.")
    return Letter.objects.filter(delivery=delivery, state=state)


def _move(delivery: NoticeDelivery, from_: tuple[str, ...], to: str, *, some: int = 1) -> None:
    rows = NoticeDelivery.objects.filter(pk=delivery.pk, state__in=from_)
    if not some or not rows.update(state=to, next_try_at=None, trouble="", troubles=0, finished_at=None):
        raise Conflict("not_possible_now", "This round is not in a state in which that can be done.")
    delivery.refresh_from_db()


def _audit(delivery: NoticeDelivery, deed: str, *, by: str, at: datetime, **details: object) -> None:
    told = {"notice": delivery.slug, "version": delivery.version, **details}
    audit.record(at=at, by=by, action=f"delivery.{deed}", of=("delivery", delivery.pk), details=told)
