"""Writing down in fields what a rectification is to correct, where it came as words, or with more of them."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from django.db import transaction

from consents.models import Subject
from portal.errors import Conflict
from requests_app import four_eyes, sealing, steps, timeline
from requests_app.models import Request
from requests_app.rights import rectification
from requests_app.states import BY_STAFF, Channel
from requests_app.workflow import guards, moves

_WRITTEN_BY_STAFF = frozenset({*BY_STAFF, Channel.IMPORT})


@transaction.atomic
def write_corrections(*, request: Request, corrections: Sequence[Mapping[str, str]], by: str, at: datetime) -> Request:
    """Have these {what, wrong, right} stand in place of those that staff wrote down before; the fixed ones come first.

    Work that is planned already says how many there are. The same again changes nothing.
    Raises Conflict(`not_a_rectification` | `wrong_state` | `carried_out` | `duplicate` | `not_yours_to_change` |
    `erased`), Forbidden(`staff_only`), RightError, CorrectionError.
    """
    request = moves.lock(request)
    four_eyes.check_human(by)
    guards.check_can_write_corrections(request)
    # locked, so that the same is not asked again right now, and linked to what it was
    Subject.objects.select_for_update(no_key=True, of=("self",)).filter(requests=request).first()
    details = rectification.details({"corrections": list(corrections)} if corrections else {})
    before, after = rectification.corrections(request), details.get("corrections", [])
    fixed = fixed_corrections(request)
    if after[:fixed] != before[:fixed]:
        raise Conflict("not_yours_to_change", "What the person asked for stays as it is; add to it.")
    if after == before:
        return request
    request.sealed_details = sealing.seal_json(request, details, context=sealing.DETAILS) if details else None
    request.save(update_fields=["sealed_details"])
    steps.instruct_anew(request)
    counts = {"corrections": len(after), "fixed": fixed}
    timeline.tell(request, "corrections_written", by=by, at=at, details=counts, words=_difference(before, after))
    return request


def fixed_corrections(request: Request) -> int:
    """How many of its corrections, from the first on, stay as they are: the person typed them, or asked them again."""
    count = len(rectification.corrections(request))
    if not count or request.duplicates.exists():
        return count
    if request.channel in _WRITTEN_BY_STAFF:
        return 0
    first = request.timeline.filter(code="corrections_written").order_by("at", "id").first()
    return min(count, first.details["fixed"]) if first else count


def _difference(before: list[dict[str, str]], after: list[dict[str, str]]) -> str:
    """What came and what went, a line each."""
    gone = [f"− {rectification.in_words(one)}" for one in before if one not in after]
    return "\n".join([*(f"+ {rectification.in_words(one)}" for one in after if one not in before), *gone])
