"""The opt-out signal that a browser sends (Global Privacy Control): recorded once per change, effect by rule.

The signal is the request header `Sec-GPC` with the value `1`, exactly; any other value is no signal
(https://w3c.github.io/gpc/). A browser that sends none says nothing: somebody's other browser may send it.
So the signal ends only by a statement: of a partner, of the person, or when the person sets it aside.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import Max
from django.db.models.functions import Greatest

from consents import ledger, regime
from consents.ledger import Origin, Scope
from consents.models import LedgerEvent, Preference, Purpose, Rule, Subject
from consents.vocabulary import EVERY, PROTECTIVE, Action, Slot, Source

HEADER = "Sec-GPC"
_JUST_AFTER = timedelta(microseconds=1)
_EVERYTHING = {"slot": Slot.SIGNAL, "purpose": EVERY, "recipient": EVERY, "category": EVERY}


def is_sent(value: str | None) -> bool:
    """Whether this value of the header is the signal."""
    return value == "1"


def standing(subject: Subject) -> Preference | None:
    """What is recorded of this person's signal; None where none ever came."""
    return subject.preferences.filter(**_EVERYTHING).first()


@transaction.atomic
def record_gpc(
    *, subject: Subject, present: bool, by: str, at: datetime, occurred_at: datetime | None = None
) -> LedgerEvent | None:
    """Record that a browser of this person sends the signal, or sends it no longer; None where that is known already.

    A signal that the person has set aside stays so. Two statements at once are one event: the person's row is
    locked. Raises Conflict(`erased`) and ChoiceError, as `ledger.record` does.
    """
    held = _locked(subject)
    action = Action.SIGNAL_ON if present else Action.SIGNAL_OFF
    if not _changes(held, action, occurred_at, at) or (present and _is_set_aside(held)):
        return None
    return _record(subject, action, Source.GPC, by=by, at=at, occurred_at=occurred_at)


@transaction.atomic
def set_aside(*, subject: Subject, by: str, at: datetime) -> LedgerEvent | None:
    """The person says that their browser's signal shall not count; None where they said so already.

    It holds until they say otherwise (`apply_again`), whatever their browsers send (11 CCR 7025(c)(3)).
    """
    held = _locked(subject)
    if _is_set_aside(held):
        return None
    return _record(subject, Action.SIGNAL_OFF, Source.SELF_SERVICE, by=by, at=at, occurred_at=_after(held, at))


@transaction.atomic
def apply_again(*, subject: Subject, by: str, at: datetime) -> LedgerEvent | None:
    """The person lets the signal count again that they had set aside; None where it counts already."""
    held = _locked(subject)
    if held is not None and held.action == Action.SIGNAL_ON:
        return None
    return _record(subject, Action.SIGNAL_ON, Source.SELF_SERVICE, by=by, at=at, occurred_at=_after(held, at))


def is_set_aside(subject: Subject) -> bool:
    """Whether the person said that the signal shall not count."""
    return _is_set_aside(standing(subject))


def purposes_denied(*, jurisdiction: str, at: datetime) -> list[Purpose]:
    """The purposes for which a rule gives the signal effect in this place."""
    named = Rule.objects.filter(gpc_denies=True, recorded_at__lte=at, effective_from__lte=at)
    every = Purpose.objects.filter(pk__in=named.values("purpose_id")).prefetch_related("recipients")
    return [purpose for purpose in every if _denies(purpose, jurisdiction, at)]


def own_yes(subject: Subject, purposes: Iterable[Purpose]) -> set[str]:
    """Of these purposes, those that the person agreed to: what one says oneself goes before the signal.

    The person is to be told of such a conflict (11 CCR 7025(c)(3)).
    """
    said = subject.preferences.filter(slot=Slot.CHOICE, action=Action.GRANT, recipient=EVERY, category=EVERY)
    return set(said.filter(purpose__in=[one.slug for one in purposes]).values_list("purpose", flat=True))


def policy_changed_at(*, at: datetime) -> datetime | None:
    """When the effect of the signal last changed: the latest rule in force that gives it any."""
    rules = Rule.objects.filter(gpc_denies=True, recorded_at__lte=at, effective_from__lte=at)
    latest: datetime | None = rules.aggregate(at=Max(Greatest("recorded_at", "effective_from")))["at"]
    return latest


def _denies(purpose: Purpose, jurisdiction: str, at: datetime) -> bool:
    stood = regime.at_moment(purpose=purpose.slug, at=at)
    recipients = [EVERY, *(one.slug for one in purpose.recipients.all())]
    rules = [stood.rule_for(jurisdiction, recipient) for recipient in recipients]
    return any(rule is not None and rule.gpc_denies for rule in rules)


def _locked(subject: Subject) -> Preference | None:
    Subject.objects.select_for_update(no_key=True).get(pk=subject.pk)
    # read after the lock: it is what the one before us committed
    return standing(subject)


def _changes(held: Preference | None, action: Action, occurred_at: datetime | None, at: datetime) -> bool:
    """Whether the statement is news; the older of two contradicting ones is none, and of equals the protective wins."""
    if held is None:
        return action == Action.SIGNAL_ON
    if held.action == action:
        return False
    if occurred_at is None and held.occurred_at > at:
        # a sender's clock ran ahead; what is seen now is recorded as the later one
        return True
    said_at = occurred_at or at
    return said_at > held.occurred_at or (said_at == held.occurred_at and action in PROTECTIVE)


def _is_set_aside(held: Preference | None) -> bool:
    if held is None or held.action != Action.SIGNAL_OFF:
        return False
    return LedgerEvent.objects.filter(pk=held.event_id, source=Source.SELF_SERVICE).exists()


def _after(held: Preference | None, at: datetime) -> datetime | None:
    # of equal times the signal would stay, as the more protective; later ones the ledger itself overtakes
    return at + _JUST_AFTER if held is not None and held.occurred_at == at else None


def _record(
    subject: Subject, action: Action, source: Source, *, by: str, at: datetime, occurred_at: datetime | None = None
) -> LedgerEvent:
    origin = Origin(source=source, by=by)
    return ledger.record(
        subject=subject, scope=Scope(EVERY), action=action, origin=origin, at=at, occurred_at=occurred_at
    )
