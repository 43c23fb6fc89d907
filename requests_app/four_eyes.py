"""That somebody else decides: a colleague's proposal, and whatever follows an answer."""

from portal.errors import Conflict, Forbidden
from requests_app.models import Proposal, Request
from requests_app.states import FOLLOW_UPS, Right

_STAFF = "staff:"
MISSED_BY = "missed_by"
"""In an entry of the timeline: who had the request when its day had passed without an answer."""
SILENT = ("silence_appealed", "complained")
_ANSWERS = ("carried_out", "fulfilled", "partially_fulfilled", "refused")


def check_second(proposal: Proposal, *, by: str) -> None:
    """Raise Conflict(`second_person_needed`) for who proposed it; Forbidden for who is no member of staff."""
    check_human(by)
    if proposal.proposed_by == by:
        raise Conflict("second_person_needed", "You proposed it; somebody else has to decide.")


def check_human(by: str) -> None:
    """Raise Forbidden(`staff_only`) unless a named member of staff acts."""
    if not by.startswith(_STAFF):
        raise Forbidden("staff_only", "A member of staff has to do this.")


def check_impartial(request: Request, *, by: str) -> None:
    """Raise Forbidden(`decided_before`) where an appeal or complaint would be judged by who gave the answer."""
    if request.right in FOLLOW_UPS and request.about is not None and by in _partial(request, request.about):
        raise Forbidden(
            "decided_before",
            "You had a part in the first answer, or in that none came; somebody else has to look at this.",
        )


def first_of(request: Request) -> Request:
    """What this was answered with: itself, or the request that it asked the same as."""
    while request.duplicate_of is not None:
        request = request.duplicate_of
    return request


def is_against_silence(follow: Request) -> bool:
    """Whether this appeal was made because no answer came in time."""
    return follow.right == Right.APPEAL and _missed(follow) is not None


def _partial(follow: Request, about: Request) -> set[str]:
    """Who may not judge. Of silence that is whoever let the day pass; who then gives the answer had no part in that."""
    missed = _missed(follow)
    if missed is not None and follow.right == Right.APPEAL:
        return missed
    return deciders(first_of(about)) | (missed or set())


def _missed(follow: Request) -> set[str] | None:
    """Whose request it was when its day had passed; None where this is not about an answer that did not come."""
    if follow.about is None:
        return None
    told = follow.about.timeline.filter(code__in=SILENT, details__reference=follow.reference)
    entry = told.filter(details__has_key=MISSED_BY).values_list("details", flat=True).first()
    return None if entry is None else {entry[MISSED_BY]}


def deciders(request: Request) -> set[str]:
    """Which members of staff had a part in the answer of this request."""
    acted = {request.carried_out_by}
    acted |= set(request.timeline.filter(code__in=_ANSWERS).values_list("actor", flat=True))
    for proposer, decider in request.proposals.filter(is_approved=True).values_list("proposed_by", "decided_by"):
        acted |= {proposer, decider}
    return {one for one in acted if one.startswith(_STAFF)}
