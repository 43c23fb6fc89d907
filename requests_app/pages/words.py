"""What people read about requests: rights, states, what happened, and what cannot be done."""

from typing import Any

from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from downstream import journeys
from portal.errors import DomainError
from requests_app import explanations, grounds
from requests_app.rulebook import Rule, Wait
from requests_app.states import AT_ONCE, Capacity, Ground, PackageStatus, Right, Status

Words = str | Promise
_GDPR = frozenset({"EEA", "EU", "GB"})
"""Whose law counts its articles as the labels of grounds do."""

OFFERS: dict[Right, Words] = {
    Right.OBJECTION: gettext_lazy("Object: stop using my data, for AI training or something else"),
    Right.ACCESS: gettext_lazy("See my data: get a copy of everything you hold about me"),
    Right.ERASURE: gettext_lazy("Erase my data for good"),
    Right.RECTIFICATION: gettext_lazy("Correct something that is wrong"),
    Right.WITHDRAW_CONSENT: gettext_lazy("Take back a yes that I gave"),
    Right.OPT_OUT_SALE: gettext_lazy("Do not sell or share my data"),
    Right.RESTRICTION: gettext_lazy("Put my data on hold"),
    Right.PORTABILITY: gettext_lazy("Take my data elsewhere"),
    Right.AUTOMATED_DECISION: gettext_lazy("Have a person look at an automated decision"),
}
MEANINGS: dict[Right, Words] = {
    Right.OBJECTION: gettext_lazy("Your data leaves what you name and is not used for it again. You need no reason."),
    Right.ACCESS: gettext_lazy("You get it as a file to read, also what of yours is in our training data."),
    Right.ERASURE: gettext_lazy("Everything about you leaves every place we know of. Nobody can bring it back."),
    Right.RECTIFICATION: gettext_lazy("You say what is right; we correct it, also where we passed it on."),
    Right.WITHDRAW_CONSENT: gettext_lazy("It no longer counts, as if you had never said it, from now on."),
    Right.OPT_OUT_SALE: gettext_lazy("Other companies no longer get it from us."),
    Right.RESTRICTION: gettext_lazy("We keep it and do nothing else with it, until you or we lift that."),
    Right.PORTABILITY: gettext_lazy("You get what you gave us as files that another service can read."),
    Right.AUTOMATED_DECISION: gettext_lazy("If a computer alone decided about you, one of us decides again."),
}
ABOUT: dict[Right, Words] = {
    Right.OBJECTION: gettext_lazy("What do you object to?"),
    Right.WITHDRAW_CONSENT: gettext_lazy("Which yes do you take back?"),
    Right.OPT_OUT_SALE: gettext_lazy("What may your data no longer be passed on for?"),
    Right.RESTRICTION: gettext_lazy("Which use should be on hold?"),
}
CAPACITIES: dict[Capacity, Words] = {
    Capacity.SELF: gettext_lazy("For myself"),
    Capacity.PARENT: gettext_lazy("For my child, or somebody in my care"),
    Capacity.AGENT: gettext_lazy("For somebody who authorised me"),
    Capacity.HEIR: gettext_lazy("For somebody who has died, as their heir"),
}
STATES: dict[Status, tuple[str, Words]] = {
    Status.RECEIVED: ("waiting", gettext_lazy("We have it; work has not begun yet")),
    Status.VERIFYING: ("asked", gettext_lazy("It has yet to be shown who asks")),
    Status.IN_PROGRESS: ("working", gettext_lazy("We are working on it")),
    Status.AWAITING_SUBJECT: ("asked", gettext_lazy("We wait for your answer")),
    Status.IN_REVIEW: ("working", gettext_lazy("A second person of our staff looks at it")),
    Status.FULFILLED: ("removed", gettext_lazy("Done")),
    Status.PARTIALLY_FULFILLED: ("told_removed", gettext_lazy("Done in part")),
    Status.REFUSED: ("deny", gettext_lazy("Refused")),
    Status.WITHDRAWN: ("not_in", gettext_lazy("You took it back")),
    Status.EXPIRED: ("late", gettext_lazy("Ended, because it was not shown in time who asks")),
}
AT_ONCE_WORDS = gettext_lazy("It counts at once.")
MOVED_QUIETLY = frozenset({"extended", "override", "rulebook", "waiting"})
"""A day that moved because of these: an entry of its own tells it, or it moves every night while we wait."""
NEW_DAY = gettext_lazy("The new date:")
DAYS: dict[str, Words] = {"lifting_told": gettext_lazy("Not before:")}
"""What stands before the day that an entry names."""
GROUNDED = frozenset({"refused", "exempted"})
"""Of these the ground is shown. What is only proposed is nobody's decision yet, and no verdict on the person."""
QUOTED = frozenset({"extended", "refused", "reopened", "partially_fulfilled"})
"""Of these entries people are shown what staff wrote, because it was written for them and stands in no message."""

PLACES: dict[str, Words] = {
    journeys.WAITING: gettext_lazy("waiting"),
    journeys.WORKING: gettext_lazy("being removed now"),
    journeys.FAILED: gettext_lazy("not yet: something went wrong, we are on it"),
    journeys.LATE: gettext_lazy("late: this should have been done by now"),
    journeys.REMOVED: gettext_lazy("removed, and checked again"),
    journeys.ASKED: gettext_lazy("asked: we wait for the answer of whoever keeps it"),
    journeys.TOLD_REMOVED: gettext_lazy("removed, as whoever keeps it told us"),
    journeys.TOLD_NOT_IN: gettext_lazy("nothing of yours was in it, as whoever keeps it told us"),
    journeys.NOT_IN: gettext_lazy("nothing of yours was in it"),
    journeys.EXEMPT: gettext_lazy("kept, and not used: a law obliges us to keep it"),
    journeys.GAP: gettext_lazy("we cannot tell yet"),
}
PACKAGES: dict[str, Words] = {
    PackageStatus.WAITING: gettext_lazy("Your data is being put together. You get a mail when it is ready."),
    PackageStatus.BUILDING: gettext_lazy("Your data is being put together. You get a mail when it is ready."),
    PackageStatus.REVIEW: gettext_lazy(
        "Your data is put together. We still look whether there is something in it about other people."
    ),
    PackageStatus.FAILED: gettext_lazy("Putting your data together did not work. We know of it and try again."),
    PackageStatus.DELETED: gettext_lazy("The download was deleted, because its time was over."),
}
_REFUSALS: dict[str, Words] = {
    "carried_out": gettext_lazy("This is being carried out already and can no longer be taken back."),
    "erased": gettext_lazy("This person was erased; nothing more is recorded about them."),
    "code_refused": gettext_lazy(
        "This code does not serve: it is mistyped, or too old. Look again, or ask for a new one."
    ),
    "too_many": gettext_lazy("That was asked for too often just now. Wait an hour, then try again."),
    "request_closed": gettext_lazy("This request is closed. Make a new one if something is still missing."),
    "closed": gettext_lazy("This request is closed. Make a new one if something is still missing."),
    "wrong_state": gettext_lazy("That is not possible any more: the request has moved on. Look at it again."),
    "file_too_large": gettext_lazy("That file is too large. Send a smaller one, or several."),
    "files_too_large": gettext_lazy("All files of this request together are too large. Leave some out."),
    "file_empty": gettext_lazy("That file is empty."),
    "file_unknown": gettext_lazy(
        "We cannot take files of that kind. Send a PDF, a picture, text or an office document."
    ),
    "file_other_kind": gettext_lazy("That file is not what its name says. Save it anew and send it again."),
    "file_locked": gettext_lazy("That file is protected by a password. Save it without one."),
    "file_unsafe": gettext_lazy("That file holds something that runs by itself, so we do not take it."),
    "infected": gettext_lazy("Our scanner found something harmful in that file, so we did not keep it."),
    "file_infected": gettext_lazy("Our scanner found something harmful in that file, so we did not keep it."),
    "scanner_away": gettext_lazy("Files cannot be checked for viruses just now. Try again later."),
    "scanner_limit": gettext_lazy("That file is larger than our virus scanner takes."),
    "appeal_open": gettext_lazy("This is looked at already."),
    "too_many_messages": gettext_lazy("That was a lot for one day. Go on tomorrow, please."),
    "too_many_files": gettext_lazy("There are too many files. Leave some out."),
    "appeal_not_yet": gettext_lazy("We still have time to answer. Look at the request again later."),
    "appeal_too_late": gettext_lazy("The time to appeal is over. You can still complain to the authority."),
    "appeal_elsewhere": gettext_lazy("Where you live, complaints go to the authority, not to us."),
    "nothing_ready": gettext_lazy("There is no download to delete any more. Look at the request again."),
    "message_too_long": gettext_lazy("That message is too long. Make it shorter, or send it as a file."),
    "message_empty": gettext_lazy("Write something first."),
    "message_unreadable": gettext_lazy("Your message holds characters that cannot be shown. Type it anew."),
}
TOO_LARGE = gettext_lazy("What you sent is too large altogether, so nothing was kept. Send fewer or smaller files.")


def offer(right: str) -> Words:
    return OFFERS[Right(right)]


def refusal(error: DomainError) -> str:
    """Why something was refused, in the reader's language; the domain's own English words where none are known."""
    return str(_REFUSALS[error.code]) if error.code in _REFUSALS else _(error.message)


def refusal_of(code: str) -> str:
    """The same for a refusal of the pages' own."""
    return str(_REFUSALS[code])


def limit() -> str:
    """What is said with status 429."""
    return refusal_of("too_many")


def time_allowed(rule: Rule) -> str:
    """How long the law gives to answer, of one right."""
    return f"{AT_ONCE_WORDS} {law_allows(rule)}" if rule.right in AT_ONCE else law_allows(rule)


def law_allows(rule: Rule) -> str:
    """How long the law gives to answer, whatever is asked."""
    given: dict[str, Any] = {"period": explanations.period(rule.answer)}
    if rule.is_house_rule:
        return _("No law sets a time where you live; we answer within %(period)s.") % given
    if rule.longest is not None:
        given["longest"] = explanations.period(rule.longest)
        return _("The law: an answer within %(period)s, or %(longest)s if we tell you why.") % given
    return _("The law: an answer within %(period)s.") % given


def ground(code: str, *, right: str, scope: str) -> str:
    """A ground as the law of the place gives it; without any law where none of that place is known."""
    if code not in Ground.values:
        return ""
    label = str(Ground(code).label)
    if scope in _GDPR:
        return label
    laws = grounds.TABLE[Right(right)].get(Ground(code), "").split("; ")
    theirs = [law for law in laws if scope == "US-CA" and law.startswith("Cal.")]
    return " – ".join([label.split(" – ")[0], *theirs])


def waits_for(reason: str) -> Words:
    """What the clock stands still for."""
    return {
        Wait.IDENTITY.value: gettext_lazy("a proof of who you are"),
        Wait.CLARIFICATION.value: gettext_lazy("your answer to our question"),
        Wait.FEE.value: gettext_lazy("the fee"),
    }.get(reason, gettext_lazy("you"))
