"""Requests of people who do not sign in, and the codes that they type."""

from datetime import timedelta
from typing import Any

import pytest

from consents import subjects
from consents.models import Subject
from requests_app import identity, intake
from requests_app.identity import CodeRefused, Sent
from requests_app.models import Request
from requests_app.states import Capacity
from tests.conftest import AT

VISITOR = "system:heed"
MINUTE = timedelta(minutes=1)
SOON = AT + 2 * MINUTE
OBJECTION = {"scope": {"purposes": ["ai-training"]}}
ROB = intake.Requester(name="Rob Rowe", contact="rob@example.org", relation="her lawyer")


def typed(*rights: str, contact: str = "zoe@example.org", at: Any = AT, **said: Any) -> list[Request]:
    """What somebody asks who is not signed in."""
    if said.get("capacity", Capacity.SELF) != Capacity.SELF:
        said.setdefault("requester", ROB)
    asked = intake.Asked(rights=rights, **{"jurisdiction": "US", **said})
    return intake.receive_unproven(asked=asked, contact=subjects.name("email", contact), by=VISITOR, at=at)


def objecting(contact: str = "zoe@example.org", **said: Any) -> Request:
    return typed("objection", contact=contact, **OBJECTION, **said)[0]


def unshown(subject: Subject, *rights: str, at: Any = AT, **said: Any) -> list[Request]:
    """What is asked for a person who is named, but did not show that it is them."""
    if said.get("capacity", Capacity.SELF) != Capacity.SELF:
        said.setdefault("requester", ROB)
    asked = intake.Asked(rights=rights, **said)
    return intake.receive(asked=asked, subject=subject, is_proven=False, by=VISITOR, at=at)


def ask(request: Request, *, client: str = "192.0.2.1", at: Any = AT) -> Sent:
    return identity.ask_code(request=request, by=VISITOR, at=at, client=client)


def type_in(sent: Sent, code: str | None = None, *, at: Any = AT + MINUTE) -> list[Request]:
    return identity.check_code(check_id=sent.check_id, code=code or sent.code or "", at=at)


def by_code(*rights: str, **said: Any) -> list[Request]:
    """The same once the code was typed."""
    return type_in(ask(typed(*rights, **said)[0]))


def refused(*given: Any, **more: Any) -> None:
    with pytest.raises(CodeRefused):
        type_in(*given, **more)


def fresh(request: Request) -> Request:
    return Request.objects.get(pk=request.pk)


def erasure_by_code(alice: Subject) -> Request:
    [request] = by_code("erasure", contact="alice@example.org")
    return request


def found(contact: str = "zoe@example.org") -> Subject | None:
    return subjects.find(subjects.name("email", contact))
