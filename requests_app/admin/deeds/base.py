"""What staff can do to a request: each deed with its form, the state that allows it, and the one domain call.

A deed that the state forbids is shown with the reason, which is the guard's own words.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy
from unfold.widgets import UnfoldAdminSelectWidget, UnfoldAdminTextareaWidget, UnfoldAdminTextInputWidget

from portal.errors import DomainError
from portal.models import User
from requests_app.models import Request

CARRY_OUT = "requests_app.carry_out"
APPROVE = "requests_app.approve"


@dataclass(frozen=True)
class Doing:
    """One deed that is being done: by whom, when, with what was filled in, and to which part of the request."""

    request: Request
    filled: dict[str, Any]
    staff: User
    by: str
    at: datetime
    of: str = ""


class NothingToFill(forms.Form):
    """The page's text says what will happen."""


@dataclass(frozen=True)
class Deed:
    """One button. `says` tells what will happen, to whom, and whether it can be undone."""

    name: str
    label: Any
    says: Any
    done: Any
    act: Callable[[Doing], Any]
    check: Callable[[Request], Any]
    form: Callable[..., forms.Form] = NothingToFill
    permission: str = CARRY_OUT
    press: Any = ""
    """What the button of its form says, where that is not the label."""
    final: Mapping[str, Any] = field(default_factory=dict)
    """By right: what will happen where it cannot be undone, instead of `says`. Its button is red."""
    is_onward: bool = False
    """Whether the request's page puts it first: it brings the request nearer to its answer."""
    rights: frozenset[str] = frozenset()
    """For these rights alone; none: for all."""
    takes_part: bool = False
    """Whether it is done to a part of the request (a task, a proposal, …), beside which its button stands."""

    def says_of(self, request: Request) -> Any:
        """What will happen to this request."""
        return self.final.get(request.right, self.says)

    def is_final(self, request: Request) -> bool:
        """Whether nobody can undo it."""
        return request.right in self.final


@dataclass(frozen=True)
class Offer:
    """A deed on a request's page; `why_not` says why the state forbids it now."""

    deed: Deed
    why_not: str = ""


def offers(request: Request, staff: User, deeds: Sequence[Deed]) -> list[Offer]:
    """The deeds that the role allows: those that are possible now first, of these what brings it on."""
    fitting = [one for one in deeds if not one.takes_part and (not one.rights or request.right in one.rights)]
    every = [Offer(one, why_not(one, request)) for one in fitting if staff.has_perm(one.permission)]
    return sorted(every, key=lambda one: (bool(one.why_not), not one.deed.is_onward))


def why_not(deed: Deed, request: Request) -> str:
    """What the guard says against it now; empty where nothing does."""
    try:
        deed.check(request)
    except DomainError as refusal:
        return refusal.message
    return ""


def colleagues() -> "forms.ModelChoiceField[User]":
    """Whom a request can be given to."""
    staff = User.objects.filter(is_staff=True, is_active=True).order_by("username")
    return forms.ModelChoiceField(
        staff,
        label=gettext_lazy("Whose it shall be"),
        required=False,
        empty_label=gettext_lazy("nobody's"),
        widget=UnfoldAdminSelectWidget,
    )


def day(label: Any, *, help_text: Any = "", required: bool = True) -> forms.DateField:
    """A day, picked."""
    widget = UnfoldAdminTextInputWidget(attrs={"type": "date"})
    return forms.DateField(label=label, help_text=help_text, required=required, widget=widget)


def words(label: Any, *, help_text: Any = "", required: bool = True) -> forms.CharField:
    """Something to be written, sealed under the person's key."""
    widget = UnfoldAdminTextareaWidget(attrs={"rows": 5})
    return forms.CharField(label=label, help_text=help_text, required=required, max_length=4_000, widget=widget)
