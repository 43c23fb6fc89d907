"""Files of an answer that could not be looked into for words to leave out, on staff's page of the answer."""

import json
from collections.abc import Callable
from typing import Any

from django.http import Http404, HttpRequest
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from portal import clock
from portal.staff_pages import by, found, named
from requests_app.file_contents.kinds import Unseen as Why
from requests_app.models import Clearance, Package, Request
from requests_app.packages import previews, unseen
from requests_app.packages.redaction import RedactionError, Unseen
from requests_app.states import Ground, PackageStatus

_MOST_SHOWN = 200
_WHY: dict[str, Any] = {
    Why.PICTURE: gettext_lazy("a picture, or something with pictures in it"),
    Why.DRAWN: gettext_lazy("scanned or drawn: there is no text on it"),
    Why.FONTS: gettext_lazy("its letters can be drawn but not read"),
    Why.VERSIONS: gettext_lazy("it keeps earlier versions of itself"),
    Why.CARRIED: gettext_lazy("other files are written in it"),
    Why.LOCKED: gettext_lazy("locked with a password"),
    Why.DAMAGED: gettext_lazy("damaged, or not written as it should be"),
    Why.TOO_MUCH: gettext_lazy("too large, or takes too long"),
    Why.NO_TIME: gettext_lazy("there was no time left for it"),
    Why.UNKNOWN: gettext_lazy("a kind of file that we cannot read"),
}


def shown(one: Request, package: Package | None) -> dict[str, Any] | None:
    """What the page says of them; None where there is nothing to say."""
    if package is None:
        return None
    files = unseen.of(package) or []
    clearances = [_clearance(each) for each in one.clearances.select_related("request__subject")]
    if not files and not clearances:
        return None
    waiting = {unseen.name_of(each) for each in unseen.undecided(package)}
    open_ones = [_file(each) for each in files if unseen.name_of(each) in waiting]
    return {
        "waiting": open_ones[:_MOST_SHOWN],
        "count": len(open_ones),
        "decided": len(files) - len(open_ones),
        "can_decide": package.status == PackageStatus.REVIEW and not one.is_closed,
        "clearances": clearances,
        "grounds": Ground.choices,
        "ground": Ground.RIGHTS_OF_OTHERS,
    }


def notes(row: previews.Seen) -> list[str]:
    """Of a row in the preview: which of its files are left out and where they say it, and which cannot be told."""
    said = []
    for file, places in row.held:
        where = ", ".join(place for place in places if place)
        words = _("“%(name)s” is left out whole: words to leave out stand in it") % {"name": file.name}
        said.append(f"{words} ({where})." if where else f"{words}.")
    for one in row.unseen:
        words = _("“%(name)s” cannot be looked into") % {"name": one.name}
        said.append(f"{words}: {'; '.join(_whys(one))}. " + _("Decide about it once the answer is built."))
    return said


def _file(one: Unseen) -> dict[str, Any]:
    return {
        "value": json.dumps(unseen.name_of(one)),
        "name": one.name,
        "file": one.file,
        "part": one.part,
        "column": one.column,
        "whys": _whys(one),
    }


def _whys(one: Unseen) -> list[str]:
    return [f"{_WHY[why]} ({place})" if place else str(_WHY[why]) for why, place in one.whys]


def _clearance(one: Clearance) -> dict[str, Any]:
    return {
        "pk": one.pk,
        "files": len(unseen.files_of(one)),
        "reason": unseen.reason_of(one),
        "who": named(one.made_by),
        "made_at": one.made_at,
        "undone_at": one.undone_at,
    }


def _clear(request: HttpRequest, one: Request) -> str:
    package, files = _chosen(request, one)
    reason = request.POST.get("reason", "")
    unseen.clear(package=package, files=files, reason=reason, by=by(request), at=clock.now())
    told = ngettext("%(count)d file goes out as it is.", "%(count)d files go out as they are.", len(files))
    return told % {"count": len(files)}


def _leave_out(request: HttpRequest, one: Request) -> str:
    package, files = _chosen(request, one)
    said = {name: request.POST.get(name, "") for name in ("ground", "reason")}
    unseen.leave_out(package=package, files=files, by=by(request), at=clock.now(), **said)
    return _("It is left out of the next build.")


def _undo(request: HttpRequest, one: Request) -> str:
    mine = found(one.clearances.all(), request.POST.get("clearance", ""))
    if mine is None:
        raise Http404
    unseen.undo(clearance=mine, by=by(request), at=clock.now())
    return _("Taken back. The files have to be decided again.")


def _chosen(request: HttpRequest, one: Request) -> tuple[Package, list[unseen.Named]]:
    package = found(one.packages.select_related("request__subject"), request.POST.get("package", ""))
    if package is None:
        raise Http404
    if request.POST.get("all"):
        return package, [unseen.name_of(each) for each in unseen.undecided(package)]
    return package, [_named(each) for each in request.POST.getlist("file")]


def _named(said: str) -> unseen.Named:
    """Raises RedactionError(`unknown_file`) for what the page did not make."""
    try:
        part, mark, column = json.loads(said)
    except (ValueError, TypeError):
        raise RedactionError("unknown_file", "Tick the files in the list.", field="files") from None
    return str(part), str(mark), str(column)


ACTS: dict[str, Callable[[HttpRequest, Request], str]] = {
    "clear": _clear,
    "leave_file_out": _leave_out,
    "undo_clearance": _undo,
}
