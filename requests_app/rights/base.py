"""What every right's module answers: what it is limited to, what it changes, which work it means, when it is done."""

import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from consents import ledger, purposes, sequencer
from consents.models import Subject
from consents.vocabulary import Action, Source
from downstream.models import Dataset
from portal.errors import DomainError
from requests_app.models import Request, System
from requests_app.states import TaskKind


class RightError(DomainError):
    """A right that cannot be exercised as it was asked."""


@dataclass(frozen=True)
class Planned:
    """Work in one place: a dataset, a system, or Heed itself where neither is named."""

    code: str
    kind: TaskKind
    dataset: Dataset | None = None
    system: System | None = None
    instructions: str = ""


class Meaning(Protocol):
    """One right. Its module is one of these; what several rights answer alike is below, and they name which."""

    def scope(self, said: Mapping[str, Any]) -> dict[str, Any]:
        """What it is limited to, checked and in normal form; {} where it covers everything. Raises RightError."""

    def details(self, said: Mapping[str, Any]) -> dict[str, Any]:
        """What is personal in the asking, checked; sealed by the caller. Raises RightError."""

    def carry_out(self, *, request: Request, by: str, at: datetime) -> uuid.UUID | None:
        """Change what has to change in consents; answers the ledger's entry that datasets have to reach, if any."""

    def plan(self, request: Request) -> list[Planned]:
        """The work that it means beside that, in each place."""

    def is_settled(self, request: Request) -> bool:
        """Whether nothing beside the tasks keeps it from closing."""

    def finish(self, *, request: Request, by: str, at: datetime) -> None:
        """What happens last, in the transaction that closes the request."""


def no_scope(said: Mapping[str, Any]) -> dict[str, Any]:
    """Of rights that are about everything. Raises RightError(`scope_not_taken`)."""
    if said:
        raise RightError("scope_not_taken", "This right is about all of it; leave the scope out.", field="scope")
    return {}


def no_details(said: Mapping[str, Any]) -> dict[str, Any]:
    """Of rights that need no more said. Raises RightError(`details_not_taken`)."""
    if said:
        raise RightError("details_not_taken", "This right takes no details; write a note.", field="details")
    return {}


def changes_nothing(*, request: Request, by: str, at: datetime) -> None:
    """`carry_out` of rights that only work answers: nothing changes in the ledger."""


def tasks_are_all(request: Request) -> bool:
    """`is_settled` of rights for which nothing is waited for beside the tasks."""
    return True


def nothing_last(*, request: Request, by: str, at: datetime) -> None:
    """`finish` of rights after which what was said or done stands."""


def purposes_scope(said: Mapping[str, Any]) -> dict[str, Any]:
    """`purposes`: at least one that there is, in order and once each. Raises RightError, NotFound."""
    odd = said.keys() - {"purposes"}
    if odd:
        raise RightError("unknown_scope", "A scope of this right names purposes.", field="scope")
    named = said.get("purposes") or []
    if not isinstance(named, list) or not all(isinstance(one, str) for one in named):
        raise RightError("purposes_malformed", "Purposes are a list of names.", field="purposes")
    if not named:
        raise RightError("purposes_missing", "Say which use it is about.", field="purposes")
    return {"purposes": sorted({purposes.check(one) for one in named})}


def some_purposes(said: Mapping[str, Any]) -> dict[str, Any]:
    """The same, or {} for all of them."""
    return purposes_scope(said) if said else {}


def say(request: Request, action: Action, slugs: Sequence[str], *, by: str, at: datetime) -> uuid.UUID:
    """Record the same of each purpose in the person's name; answers the last entry, which lies behind the others."""
    return say_of(request, action, [ledger.Scope(slug) for slug in slugs], by=by, at=at)


def say_of(request: Request, action: Action, scopes: Sequence[ledger.Scope], *, by: str, at: datetime) -> uuid.UUID:
    """The same of scopes that name recipients too; at least one."""
    origin = ledger.Origin(source=Source.REQUEST, by=by)
    subject = person(request)
    events = [ledger.record(subject=subject, scope=one, action=action, origin=origin, at=at) for one in scopes]
    return events[-1].pk


def has_its_place(request: Request) -> bool:
    """Whether the request's entry stands in the log: until then no dataset can follow it.

    Where it has arrived is said by the tasks, one for each dataset that it concerns.
    """
    return request.event_id is None or sequencer.position_of(request.event_id) is not None


def leaving(code: str, datasets: Iterable[Dataset]) -> list[Planned]:
    """That these datasets follow, which they show by themselves."""
    return [Planned(code, TaskKind.AUTOMATIC, dataset) for dataset in datasets]


def follow_purposes(request: Request) -> list[Planned]:
    """`plan` of a no to named purposes: every dataset that serves one follows.

    Files that come in later are looked through for everybody.
    """
    return leaving("stop", serving(request.scope["purposes"]))


def serving(slugs: Iterable[str]) -> list[Dataset]:
    """Living datasets that serve one of these purposes or a part of it, whoever has them."""
    wanted = list(slugs)
    return [one for one in living() if any(one.serves(slug) for slug in wanted)]


def living() -> list[Dataset]:
    """Every dataset that is still carried."""
    return list(Dataset.objects.living().select_related("owner"))


def person(request: Request) -> Subject:
    assert request.subject is not None  # noqa: S101 -- nobody works for nobody
    return request.subject
