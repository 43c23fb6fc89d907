"""The rules, notices and holds that stood at a moment, ready to be asked many times."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import Q

from consents import jurisdictions, purposes
from consents.models import Hold, Notice, Rule
from consents.vocabulary import EVERY


@dataclass(frozen=True)
class Regime:
    """What stood at `at`, for one purpose."""

    at: datetime
    purpose: str
    rules: dict[tuple[str, str], Rule]
    notices: dict[str, list[Notice]]
    open_holds: tuple[Hold, ...]

    def rule_for(self, jurisdiction: str, recipient: str) -> Rule | None:
        """The most specific rule: nearest jurisdiction first, in it the recipient's own before the general."""
        for code in jurisdictions.widening(jurisdiction):
            for who in dict.fromkeys((recipient, EVERY)):
                rule = self.rules.get((code, who))
                if rule is not None and (rule.effective_to is None or rule.effective_to > self.at):
                    return rule
        return None

    def hold_for(self, jurisdiction: str, recipient: str) -> Hold | None:
        """The first hold whose scope takes in this jurisdiction and recipient."""
        for hold in self.open_holds:
            if hold.recipients and recipient not in hold.recipients:
                continue
            if not hold.jurisdictions or any(jurisdictions.covers(one, jurisdiction) for one in hold.jurisdictions):
                return hold
        return None

    def notice_over(self, rule: Rule) -> bool:
        """Whether people were told, and the rule's days since then are over (or it needs no notice)."""
        if not rule.notice:
            return True
        wait = timedelta(days=rule.notice_days)
        return any(
            notice.effective_at <= self.at and notice.published_at + wait <= self.at
            for notice in self.notices.get(rule.notice, [])
        )

    def last_material_change(self, rule: Rule) -> datetime | None:
        """When the rule's notice last changed in substance."""
        dates = [
            n.effective_at for n in self.notices.get(rule.notice, []) if n.is_material and n.effective_at <= self.at
        ]
        return max(dates, default=None)


def at_moment(*, purpose: str, at: datetime) -> Regime:
    """Load what stood at `at`, as far as it was recorded by then (three queries)."""
    rules = Rule.objects.filter(purpose_id=purpose, recorded_at__lte=at, effective_from__lte=at)
    return Regime(
        at=at,
        purpose=purpose,
        rules=_latest(rules.order_by("effective_from", "recorded_at", "id")),
        notices=_by_slug(Notice.objects.filter(recorded_at__lte=at, published_at__lte=at)),
        open_holds=tuple(_holds(purpose, at)),
    )


def _latest(rules: Iterable[Rule]) -> dict[tuple[str, str], Rule]:
    # a later version stands in place of every earlier one, also where it has ended
    return {(rule.jurisdiction, rule.recipient): rule for rule in rules}


def _by_slug(notices: Iterable[Notice]) -> dict[str, list[Notice]]:
    found: dict[str, list[Notice]] = defaultdict(list)
    for notice in notices:
        found[notice.slug].append(notice)
    return dict(found)


def _holds(purpose: str, at: datetime) -> Iterable[Hold]:
    # a hold over a span of data does not pause the question as a whole
    whole = Hold.objects.in_force(at).filter(data_from__isnull=True, data_until__isnull=True)
    scope = Q(purposes=[]) | Q(purposes__overlap=list(purposes.lineage(purpose)))
    return whole.filter(scope).order_by("opened_at")
