"""A dataset's versions on the staff's pages: what each was, and what changed between two."""

from typing import Any

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.template.response import TemplateResponse
from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from downstream import croissant, versions
from downstream.models import Dataset, DatasetVersion
from downstream.versions import Changes, UnitChange
from portal.errors import DomainError, NotFound
from portal.staff_pages import badge, found

_SHOWN, _MOST_UNITS = 200, 500
_KINDS = {
    "added": gettext_lazy("added"),
    "removed": gettext_lazy("removed"),
    "rewritten": gettext_lazy("rewritten"),
}


def page(request: HttpRequest, object_id: str) -> HttpResponse:
    """The versions of a dataset; with `from` and `to`, what changed between these two. Raises Http404."""
    dataset = _dataset(request, object_id)
    every = list(dataset.versions.defer("units", "columns").order_by("-number")[:_SHOWN])
    numbers = [one.number for one in every]
    context: dict[str, Any] = {
        **admin.site.each_context(request),
        "title": _("Versions of %s") % dataset.name,
        "dataset": dataset,
        "versions": [_row(one) for one in every],
        "numbers": numbers,
        "older": request.GET.get("from", str(numbers[1] if len(numbers) > 1 else 1)),
        "newer": request.GET.get("to", str(numbers[0] if numbers else 1)),
    }
    if "from" in request.GET:
        try:
            wanted = (_number(request, "from"), _number(request, "to"))
            context["changes"] = _shown(versions.changes(*(versions.get(dataset, one) for one in wanted)))
        except DomainError as error:
            context["refused"] = error.message
    return TemplateResponse(request, "admin/downstream/dataset/versions.html", context)


def metadata(request: HttpRequest, object_id: str) -> HttpResponse:
    """A version, the newest unless `version` says another, as a file of Croissant metadata. Raises Http404."""
    dataset = _dataset(request, object_id)
    try:
        version = versions.get(dataset, _number(request, "version")) if "version" in request.GET else None
    except NotFound as error:
        raise Http404 from error
    version = version or versions.newest(dataset)
    if version is None:
        raise Http404
    name = f"{dataset.slug}-v{version.number}.croissant.json"
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    return JsonResponse(croissant.export(version), content_type=croissant.MEDIA_TYPE, headers=headers)


def _dataset(request: HttpRequest, object_id: str) -> Dataset:
    if not request.user.has_perm("downstream.view_dataset"):
        raise PermissionDenied
    dataset = found(Dataset.objects.select_related("owner"), object_id)
    if dataset is None:
        raise Http404
    return dataset


def _number(request: HttpRequest, name: str) -> int:
    """Raises NotFound for what is no number of a version."""
    text = request.GET.get(name, "")
    if not (text.isascii() and text.isdigit() and len(text) < 10):
        raise NotFound("unknown_version", "The dataset has no version of this number.")
    return int(text)


def _row(version: DatasetVersion) -> list[object]:
    state = badge("warning", _("not looked through yet")) if version.has_arrivals else badge("success", _("verified"))
    if not version.has_arrivals and not version.position:
        state = badge("info", _("nothing verified yet"))
    return [
        version.number,
        version.get_origin_display(),
        state,
        version.position,
        version.rows,
        version.files,
        date_format(version.made_at, "DATETIME_FORMAT"),
    ]


def _shown(changes: Changes) -> dict[str, Any]:
    units = changes.units
    return {
        "older": changes.older,
        "newer": changes.newer,
        "rows_removed": changes.rows_removed,
        "runs": changes.runs,
        "units": None if units is None else [_unit(one) for one in units[:_MOST_UNITS]],
        "more": max(len(units or ()) - _MOST_UNITS, 0),
    }


def _unit(change: UnitChange) -> list[object]:
    return [
        change.name,
        _KINDS[change.kind],
        change.before.rows if change.before else "–",
        change.after.rows if change.after else "–",
    ]
