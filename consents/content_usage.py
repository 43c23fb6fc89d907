"""Which headers the host of a person's content must send, so that others read there what the person decided.

A header is read by everybody, while a yes was said to us: so a no becomes a statement, and a yes becomes none.
"""

from dataclasses import dataclass
from datetime import datetime

from django.conf import settings

from consents import decisions, purposes, usage_statements
from consents.evaluation import Decision, Question
from consents.models import Purpose, Subject

PURPOSES = {usage_statements.TRAIN_AI: "ai-training", usage_statements.SEARCH: "search"}
"""The vocabulary's categories, and which purpose of ours each one is."""


@dataclass(frozen=True)
class Answer:
    """The headers, and by category the decision behind them: the first no, else the first yes."""

    headers: dict[str, str]
    by_category: dict[str, Decision]


def of(*, subject: Subject | None, at: datetime, jurisdiction: str | None = None) -> Answer:
    """What the content of this person must say now; for an unknown one, what the stated jurisdiction's default says.

    A no to a part (to affiliates) is a no here too: a header cannot say who is meant. Search is answered only where
    there is such a purpose.
    """
    known = list(Purpose.objects.values_list("slug", flat=True))
    decided: dict[str, Decision] = {}
    for category, whole in PURPOSES.items():
        asked = [slug for slug in known if purposes.covers(whole, slug)]
        if category == usage_statements.TRAIN_AI:
            # it is answered in any case, and where nothing is set up the answer is no
            asked = asked or [whole]
        answers = [
            decisions.decide(subject=subject, question=Question(slug), at=at, jurisdiction=jurisdiction, now=True)
            for slug in asked
        ]
        if answers:
            decided[category] = next((one for one in answers if not one.allow), answers[0])
    return Answer(headers=_headers(decided), by_category=decided)


def _headers(decided: dict[str, Decision]) -> dict[str, str]:
    denied = {category: False for category, decision in decided.items() if not decision.allow}
    headers: dict[str, str] = {}
    if denied and settings.AIPREF:
        headers[usage_statements.CONTENT_USAGE] = usage_statements.write_content_usage(denied)
    if usage_statements.TRAIN_AI in denied:
        headers |= usage_statements.write_tdm(reserved=True, policy=settings.TDM_POLICY)
    return headers
