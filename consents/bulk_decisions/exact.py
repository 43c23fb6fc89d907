"""The same question by the exact path, in batches: for past moments, and for names that are kept sealed."""

from collections.abc import Sequence
from datetime import datetime

from consents import decisions, subjects
from consents.evaluation import Question
from consents.models import Identifier, Subject
from consents.subjects import IdentifierError, Name
from consents.told import is_within

BATCH = 5_000


def allowed(
    values: Sequence[str | None],
    *,
    scheme: str,
    question: Question,
    at: datetime,
    within: Sequence[str],
    now: bool = False,
) -> list[bool]:
    """Allow or deny for each value; unknown and malformed ones are denied (a few statements for each batch)."""
    answers: list[bool] = []
    for start in range(0, len(values), BATCH):
        names = [_name(scheme, value) for value in values[start : start + BATCH]]
        people = _people(scheme, [one for one in names if one is not None])
        seen = [one for one in {one.pk: one for one in people.values()}.values() if is_within(one.jurisdiction, within)]
        decided = decisions.decide_each(subjects=seen, question=question, at=at, now=now)
        allow = {one.pk for one, decision in decided if decision.allow}
        answers += [one is not None and one in people and people[one].pk in allow for one in names]
    return answers


def _name(scheme: str, value: str | None) -> Name | None:
    try:
        return subjects.name(scheme, value) if value is not None else None
    except IdentifierError:
        return None


def _people(scheme: str, names: Sequence[Name]) -> dict[Name, Subject]:
    by_print = {print_: one for one in names for print_ in one.fingerprints}
    found = Identifier.objects.filter(scheme=scheme, fingerprint__in=list(by_print)).select_related("subject")
    return {by_print[bytes(one.fingerprint)]: one.subject for one in found.order_by("-id")}
