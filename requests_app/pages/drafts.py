"""What somebody has filled in so far, kept in their sealed session until it is sent.

Each step saves and redirects, so Back, a reload and a second click find the same draft. Nothing here is a request.
"""

import secrets
from dataclasses import asdict, dataclass, field
from typing import Any

from django.contrib.sessions.backends.base import SessionBase
from django.utils.translation import get_language

from consents.models import Subject
from requests_app import correcting
from requests_app.intake import Asked, Requester
from requests_app.states import LIMITED, Capacity, Channel, Right

_DRAFT, _SENT = "request_draft", "request_sent"
_MAY_BE_ALL = frozenset({Right.RESTRICTION})
"""Naming none means every use."""


@dataclass
class Draft:
    """One go: what is asked, its details, and who asks."""

    id: str = field(default_factory=lambda: secrets.token_urlsafe(16))
    rights: list[str] = field(default_factory=list)
    purposes: dict[str, list[str]] = field(default_factory=dict)
    corrections: list[dict[str, str]] = field(default_factory=list)
    note: str = ""
    understood: bool = False
    has_details: bool = False
    country: str = ""
    email: str = ""
    capacity: str = Capacity.SELF.value
    name: str = ""
    contact: str = ""
    relation: str = ""
    has_who: bool = False

    @property
    def named_corrections(self) -> list[dict[str, str]]:
        return correcting.named(self.corrections)

    @property
    def is_for_somebody_else(self) -> bool:
        return self.capacity != Capacity.SELF


@dataclass(frozen=True)
class Sent:
    """What became of a draft: its requests and, until the code from the mail is typed, the check that waits."""

    draft: str
    requests: list[str]
    check: str | None = None


def load(session: SessionBase) -> Draft | None:
    kept = session.get(_DRAFT)
    return Draft(**_current(kept)) if kept else None


def _current(kept: dict[str, Any]) -> dict[str, Any]:
    """What was kept when there could be one correction alone, as it is kept now."""
    plain = {name: value for name, value in kept.items() if name not in correcting.PARTS}
    one = {said: kept.get(part, "") for part, said in correcting.PARTS.items()}
    return {"corrections": correcting.named([one]), **plain}


def save(session: SessionBase, draft: Draft) -> None:
    session[_DRAFT] = asdict(draft)


def sent(session: SessionBase) -> Sent | None:
    kept = session.get(_SENT)
    return Sent(**kept) if kept else None


def mark_sent(session: SessionBase, what: Sent) -> None:
    """The draft is done with; what it led to is remembered instead."""
    session.pop(_DRAFT, None)
    session[_SENT] = asdict(what)


def begin(session: SessionBase, country: str = "") -> Draft:
    """The draft at hand, else a new one."""
    return load(session) or Draft(country=country)


def lacks(draft: Draft | None, subject: Subject | None) -> str | None:
    """The name of the first page that is not filled in yet; None once it can be sent."""
    if draft is None or not draft.rights:
        return "request-new"
    if not draft.has_details or not _is_detailed(draft):
        return "request-details"
    if subject is None and not draft.has_who:
        return "request-who"
    return None


def asked(draft: Draft, subject: Subject | None) -> Asked:
    """The draft in the terms of intake."""
    scopes, particulars = dict[str, Any](), dict[str, Any]()
    for right in draft.rights:
        named = draft.purposes.get(right, [])
        scopes[right] = {"purposes": named} if right in LIMITED and named else {}
        if right == Right.RECTIFICATION:
            particulars[right] = {"corrections": draft.named_corrections}
    somebody_else = subject is None and draft.is_for_somebody_else
    return Asked(
        rights=tuple(draft.rights),
        jurisdiction=subject.jurisdiction if subject else draft.country,
        note=draft.note,
        scopes=scopes,
        particulars=particulars,
        locale=(get_language() or "en")[:10],
        channel=Channel.PAGES,
        capacity=draft.capacity if somebody_else else Capacity.SELF,
        requester=Requester(draft.name, draft.contact, draft.relation) if somebody_else else None,
    )


def _is_detailed(draft: Draft) -> bool:
    for right in draft.rights:
        if right in LIMITED and right not in _MAY_BE_ALL and not draft.purposes.get(right):
            return False
        if right == Right.RECTIFICATION and not correcting.are_said(draft.corrections):
            return False
        if right == Right.ERASURE and not draft.understood:
            return False
    return True
