"""The reasons of a decision in words for people; the decision's own are English, for machines."""

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from consents import evaluation

STOPPED_BY_SIGNAL = gettext_lazy("Your browser sends an opt-out signal, which counts as a no here.")

_REASONS = {
    "erased": gettext_lazy("Your data was erased."),
    "restricted": gettext_lazy("You asked us to restrict the use of your data."),
    "minor": gettext_lazy("We do not use data of minors for this."),
    "wider_choice": gettext_lazy("You switched off the wider purpose that this is part of."),
    "stale_consent": gettext_lazy("Your earlier yes no longer counts, because it is too old or the notice changed."),
    "no_rule": gettext_lazy("Nothing allows this where you live, so it is off."),
    "notice_not_over": gettext_lazy("People have not been told of this for long enough, so it is off."),
    "notice_missing": gettext_lazy("People have not been told of this, so it is off."),
    "gpc": STOPPED_BY_SIGNAL,
    "hold_on_span": gettext_lazy("Data made in a certain span of time is paused and left out."),
    "unknown_subject": gettext_lazy("We do not know you, so nothing of yours is used."),
}
_ALSO_TOLD = frozenset({"stale_consent", "hold_on_span"})
"""Steps that did not decide and still matter to a person."""


def told(decision: evaluation.Decision) -> list[str]:
    """What decided, and what else matters to the person, in the reader's language."""
    return [text(one) for one in decision.reasons if one.effect != "passed" or one.code in _ALSO_TOLD]


def text(reason: evaluation.Reason) -> str:
    """A reason in the reader's language."""
    if reason.code == "own_choice":
        return _("You said yes.") if reason.effect == "allow" else _("You said no.")
    if reason.code == "hold":
        return _("Paused for everyone where you live.")
    known = _REASONS.get(reason.code)
    return str(known) if known else _(reason.text)
