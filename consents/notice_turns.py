"""Telling the log of what a notice's dates do by themselves: a version that begins to count after it was recorded.

A change in substance that takes effect starts the waiting days anew (`Regime.notice_over`): who was in by default is
out from that moment. Decisions follow the dates; whoever follows the log, such as the datasets, has to hear of them.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from django.db import connection, transaction
from django.db.models import F, Q

from consents import ledger
from consents.models import Notice, NoticeTurn, Rule
from consents.vocabulary import Kind
from portal import actors, audit

_LOCK = 0x48_45_45_4E  # the advisory lock that only one teller of turns holds


@dataclass(frozen=True)
class _Turn:
    slug: str
    version: int
    moment: datetime
    turn: str


@transaction.atomic
def tell(*, at: datetime) -> int:
    """Write an event for each version that was published, or took effect in substance, after it was recorded.

    Once each; answers how many. Two at once: the second waits for nobody and answers 0.
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_xact_lock(%s)", [_LOCK])
        if not cursor.fetchone()[0]:
            return 0
    due = list(_due(at))
    for one in due:
        _tell(one, at=at)
    return len(due)


def has_untold(*, at: datetime) -> bool:
    """Whether a version turned by `at` of which the log was not told yet."""
    return any(True for _ in _due(at))


def _due(at: datetime) -> Iterator[_Turn]:
    """The oldest first. A notice that no rule names decides nothing; a rule that names it later tells by itself."""
    rows = Notice.objects.filter(slug__in=Rule.objects.filter(recorded_at__lte=at).values("notice")).filter(
        Q(published_at__gt=F("recorded_at"), published_at__lte=at)
        | Q(is_material=True, effective_at__gt=F("recorded_at"), effective_at__lte=at)
    )
    columns = ("slug", "version", "is_material", "published_at", "effective_at", "recorded_at")
    turns: dict[tuple[str, int, datetime], _Turn] = {}
    for slug, version, is_material, published_at, effective_at, recorded_at in rows.order_by().values_list(*columns):
        dates = {"published_at": published_at} | ({"effective_at": effective_at} if is_material else {})
        for turn, moment in dates.items():
            if recorded_at < moment <= at:
                # in every language the same; and what counts from its publication turns once
                turns[slug, version, moment] = _Turn(slug, version, moment, turn)
    told = set(NoticeTurn.objects.values_list("slug", "version", "moment"))
    yield from sorted((one for key, one in turns.items() if key not in told), key=lambda one: (one.moment, one.slug))


def _tell(one: _Turn, *, at: datetime) -> None:
    named = list(
        Rule.objects.filter(notice=one.slug, recorded_at__lte=at)
        .order_by()
        .values_list("purpose_id", "jurisdiction", "recipient")
        .distinct()
    )
    purposes, places, recipients = (sorted(set(column)) for column in zip(*named, strict=True))
    details = {
        "notice": one.slug,
        "version": one.version,
        "turn": one.turn,
        "purposes": purposes,
        "jurisdictions": places,
        "recipients": recipients,
    }
    event = ledger.append(kind=Kind.NOTICE, by=actors.SYSTEM, at=at, details=details)
    NoticeTurn.objects.create(slug=one.slug, version=one.version, moment=one.moment, event_id=event.pk)
    audit.record(at=at, by=actors.SYSTEM, action="notice.turn", of=("notice", one.slug), details=details)
