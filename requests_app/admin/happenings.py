"""How staff read an entry of a request's timeline: what happened, and the details kept with it, as words.

Codes are told all over this app; a test compares them with the tables here and in `pages.words`.
"""

from collections.abc import Callable, Mapping
from datetime import date, datetime
from typing import Any

from django.template.defaultfilters import filesizeformat
from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from portal.staff_pages import named
from requests_app.models import TimelineEntry
from requests_app.rulebook import Wait
from requests_app.states import Channel, CheckMethod, FileUse, Ground, Status

HAPPENED = {
    "received": gettext_lazy("received"),
    "acknowledged": gettext_lazy("receipt confirmed to the person"),
    "code_asked": gettext_lazy("a code asked for"),
    "address_confirmed": gettext_lazy("the address is theirs"),
    "nothing_held": gettext_lazy("nothing is held under this address"),
    "identity_confirmed": gettext_lazy("it is shown who asks"),
    "doubted": gettext_lazy("doubted who asks"),
    "proof_required": gettext_lazy("a proof asked for"),
    "proof_passed": gettext_lazy("a proof accepted"),
    "proof_failed": gettext_lazy("a proof not accepted"),
    "evidence_deleted": gettext_lazy("the evidence of identity deleted"),
    "assigned": gettext_lazy("assigned"),
    "unassigned": gettext_lazy("given back to the queue"),
    "started": gettext_lazy("work started"),
    "carried_out": gettext_lazy("set going in every place"),
    "carried_out_unanswered": gettext_lazy("the erasure begun before the copy was answered"),
    "erasure_goes_first": gettext_lazy("their erasure begun before this was answered"),
    "task_done": gettext_lazy("a task done"),
    "exempted": gettext_lazy("a place exempted"),
    "exemption_proposed": gettext_lazy("an exemption proposed"),
    "exemption_sent_back": gettext_lazy("the exemption sent back"),
    "refusal_proposed": gettext_lazy("refusal proposed"),
    "refusal_sent_back": gettext_lazy("the refusal sent back"),
    "stands_alone": gettext_lazy("answered by itself now"),
    "answered_with_first": gettext_lazy("answered with the earlier request"),
    "moot_after_erasure": gettext_lazy("the person was erased, so nothing is left to do"),
    "corrections_written": gettext_lazy("what is to be corrected written down"),
    "awaiting_subject": gettext_lazy("the person asked"),
    "resumed": gettext_lazy("taken up again"),
    "pause_began": gettext_lazy("waiting began"),
    "pause_ended": gettext_lazy("waiting ended"),
    "clock_moved": gettext_lazy("the due day moved"),
    "extended": gettext_lazy("extended, and the person told"),
    "deadline_overridden": gettext_lazy("another due day set"),
    "rulebook_adopted": gettext_lazy("the new rulebook adopted"),
    "reminded": gettext_lazy("staff reminded"),
    "escalated": gettext_lazy("escalated to every privacy manager"),
    "message_from_staff": gettext_lazy("a message written to the person"),
    "message_from_person": gettext_lazy("a message came from the person"),
    "file_added": gettext_lazy("a file added"),
    "file_deleted": gettext_lazy("a file deleted"),
    "file_infected": gettext_lazy("a file turned away: the scanner found something"),
    "package_asked": gettext_lazy("the answer asked for"),
    "package_built": gettext_lazy("the answer built"),
    "package_failed": gettext_lazy("the answer could not be built"),
    "package_released": gettext_lazy("the answer released to the person"),
    "package_downloaded": gettext_lazy("the answer downloaded"),
    "package_looked_into": gettext_lazy("the answer looked into"),
    "package_deleted": gettext_lazy("the answer deleted"),
    "package_let_go": gettext_lazy("the answer deleted at the person's word"),
    "redacted": gettext_lazy("something left out of the answer"),
    "redaction_undone": gettext_lazy("a redaction taken back"),
    "files_cleared": gettext_lazy("files that could not be looked into are handed out as they are"),
    "clearance_undone": gettext_lazy("files are no longer handed out as they are"),
    "evidence_exported": gettext_lazy("exported as evidence"),
    "letter_written_again": gettext_lazy("a letter written again"),
    "letter_given_up": gettext_lazy("a letter could not be delivered: tell the person in another way"),
    "lifting_told": gettext_lazy("the person told that the restriction will be lifted"),
    "restriction_lifted": gettext_lazy("the restriction lifted"),
    "appealed": gettext_lazy("the person appealed"),
    "silence_appealed": gettext_lazy("the person appealed, because no answer came in time"),
    "complained": gettext_lazy("the person complained"),
    "reopened": gettext_lazy("reopened"),
    "fulfilled": gettext_lazy("fulfilled"),
    "partially_fulfilled": gettext_lazy("fulfilled in part"),
    "refused": gettext_lazy("refused"),
    "withdrawn": gettext_lazy("withdrawn"),
    "expired": gettext_lazy("expired: identity never shown"),
}
TASKS = {
    "collect": gettext_lazy("Collect the data"),
    "correct": gettext_lazy("Correct the data"),
    "remove": gettext_lazy("Remove the data"),
    "stop": gettext_lazy("Stop the use"),
    "review": gettext_lazy("Look at it again"),
}
WAITS = {
    Wait.IDENTITY.value: gettext_lazy("a proof of identity"),
    Wait.CLARIFICATION.value: gettext_lazy("the person's answer"),
    Wait.FEE.value: gettext_lazy("the fee"),
}
_BECAUSE = {
    "pause_began": gettext_lazy("waiting began"),
    "pause_ended": gettext_lazy("waiting ended"),
    "waiting": gettext_lazy("still waiting"),
    "extended": gettext_lazy("it was extended"),
    "override": gettext_lazy("staff set it"),
    "rulebook": gettext_lazy("the rulebook is a new one"),
    "recomputed": gettext_lazy("counted anew"),
}
_NOTICES = {
    "due_in_7": gettext_lazy("due within a week"),
    "due_in_2": gettext_lazy("due within two days"),
    "due_today": gettext_lazy("due today"),
    "overdue": gettext_lazy("overdue"),
    "escalated": gettext_lazy("the deadline was missed"),
    "acknowledge_in_2": gettext_lazy("receipt to be confirmed within two days"),
    "acknowledge_today": gettext_lazy("receipt to be confirmed today"),
    "acknowledge_overdue": gettext_lazy("receipt should have been confirmed"),
}
# on people's own pages “these” are theirs; here they would be staff's
_DOORS = {**dict(Channel.choices), Channel.PAGES.value: gettext_lazy("on people's pages")}
_WHY = {
    "expired": gettext_lazy("its time was over"),
    "closed": gettext_lazy("the request is closed"),
    "erased": gettext_lazy("the person was erased"),
    "replaced": gettext_lazy("a newer one took its place"),
}


def happened(code: str) -> str:
    """An entry of the timeline in words; a code that is not known here is readable all the same."""
    return str(HAPPENED.get(code, code.replace("_", " ")))


def details(entry: TimelineEntry) -> str:
    """What an entry says beside its code. Ids and digests are for programs; they are in the evidence file."""
    found = {name: value for name, value in entry.details.items() if value not in ("", None)}
    said = [_moved(found)] if {"from", "to"} <= found.keys() else []
    said += [_WORDS[name](value) for name, value in found.items() if name in _WORDS]
    return ", ".join(part for part in said if part)


def task(code: str) -> str:
    return str(TASKS.get(code, code.replace("_", " ")))


def came_in(channel: str) -> str:
    """The door by which a request came, as staff call it."""
    return str(_DOORS.get(channel, channel))


def waits_for(reason: str) -> str:
    return str(WAITS.get(reason, reason))


def _moved(found: Mapping[str, Any]) -> str:
    return _("from %(before)s to %(after)s") % {"before": _day(found["from"]), "after": _day(found["to"])}


def _day(stated: Any) -> str:
    try:
        return date_format(date.fromisoformat(str(stated)[:10]), "DATE_FORMAT")
    except ValueError:
        return str(stated)


def _until(stated: Any) -> str:
    try:
        until = date_format(datetime.fromisoformat(str(stated)), "DATETIME_FORMAT")
    except ValueError:
        until = str(stated)
    return _("until %s") % until


def _files(number: Any) -> str:
    return ngettext("with %d file", "with %d files", number) % number if number else ""


def _things(number: Any) -> str:
    return str(ngettext("%d thing to correct", "%d things to correct", number) % number)


def _of(table: Mapping[str, Any]) -> Callable[[Any], str]:
    return lambda value: str(table.get(str(value), str(value).replace("_", " ")))


def _whom(value: Any) -> str:
    """Whom it was given to; a day is told together with the one before it."""
    return named(str(value)) if str(value).startswith("staff:") else ""


_WORDS: dict[str, Callable[[Any], str]] = {
    "channel": _of(_DOORS),
    "method": _of(dict(CheckMethod.choices)),
    "ground": _of(dict(Ground.choices)),
    "use": _of(dict(FileUse.choices)),
    "as": _of(dict(Status.choices)),
    "waits_for": _of(WAITS),
    "because": _of(_BECAUSE),
    "notice": _of(_NOTICES),
    "reason": _of(_WHY),
    "code": _of(TASKS),
    "letter": _of({}),
    "to": _whom,
    "told": lambda value: _("told by staff themselves"),
    "place": str,
    "type": str,
    "found": str,
    "size": filesizeformat,
    "files": _files,
    "corrections": _things,
    "by_mail": lambda value: _("by mail") if value else "",
    "due_on": lambda value: _("due %s") % _day(value),
    "until": _until,
    "about": lambda value: _("about %s") % value,
    "after": lambda value: _("after %s") % value,
    "before": lambda value: _("before %s") % value,
    "first": lambda value: _("with %s") % value,
    "was_with": lambda value: _("before with %s") % value,
    "erasure": str,
    "reference": str,
    "missed_by": lambda value: _("it was %s's") % named(value),
}
