"""The same done to many requests, each in a transaction of its own: one that is refused does not hold up the others."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy

from portal.errors import DomainError
from portal.models import User
from requests_app import legal_clock, workflow
from requests_app.admin.deeds.base import colleagues, words
from requests_app.models import Request

MOST = 200


@dataclass(frozen=True)
class Outcome:
    """How many were done, and what was said against each of the others, by reference."""

    done: int
    refused: tuple[tuple[str, str], ...]


class AssignForm(forms.Form):
    title = gettext_lazy("Assign requests")
    says = gettext_lazy("Each of them shows who works on it. Nothing else changes.")

    staff = colleagues()


class ExtendForm(forms.Form):
    title = gettext_lazy("Extend requests")
    says = gettext_lazy(
        "Each person is told that the answer comes later, and why. A request can be extended once, and only where and "
        "while its law allows it; those that cannot be are named."
    )

    reason = words(
        gettext_lazy("Why the answer takes longer"), help_text=gettext_lazy("The people concerned read this.")
    )


def assign(ids: Sequence[str], *, staff: User | None, by: str, at: datetime) -> Outcome:
    """Give each of them to one member of staff, or to nobody."""
    return _each(ids, lambda one: workflow.assign(request=one, staff=staff, by=by, at=at))


def assign_filled(ids: Sequence[str], filled: dict[str, Any], *, by: str, at: datetime) -> Outcome:
    """The same, with what a form brought."""
    return assign(ids, staff=filled["staff"], by=by, at=at)


def extend_filled(ids: Sequence[str], filled: dict[str, Any], *, by: str, at: datetime) -> Outcome:
    """Extend each by as much as its law allows."""
    return _each(ids, lambda one: legal_clock.extend(request=one, reason=filled["reason"], by=by, at=at))


def _each(ids: Sequence[str], act: Callable[[Request], Any]) -> Outcome:
    done, refused = 0, []
    for one in Request.objects.filter(pk__in=ids[:MOST]).select_related("subject").order_by("due_on", "id"):
        try:
            act(one)
            done += 1
        except DomainError as error:
            refused.append((one.reference, error.message))
    return Outcome(done, tuple(refused))
