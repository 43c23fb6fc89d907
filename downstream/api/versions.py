"""Versions of a dataset over the API: what they are, what changed between two, and one as Croissant metadata."""

from typing import Any

from django.db.models import Prefetch
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from consents.api import partners
from downstream import croissant, versions
from downstream.api import caching, shapes, visible
from downstream.models import DatasetVersion, Propagation
from portal.api_views import PartnerView, StrictSerializer
from portal.errors import NotFound

_NOT_CHANGED = {304: OpenApiResponse(description="As you have it")}
_LARGEST = 2_147_483_647
# whether there is a later version decides what is verified in one: asked for a page at once
_CHILDREN = Prefetch("children", DatasetVersion.objects.only("parent_id"))


class VersionQuery(StrictSerializer):
    version = serializers.IntegerField(
        min_value=1, max_value=_LARGEST, required=False, help_text="The newest if absent"
    )


class VersionsQuery(shapes.PageQuery):
    after = serializers.IntegerField(  # type: ignore[assignment]  # a number here
        min_value=1, max_value=_LARGEST, required=False, help_text="`next` of the page before"
    )


class ChangesQuery(shapes.PageQuery):
    to = serializers.IntegerField(min_value=1, max_value=_LARGEST, required=False, help_text="The newest if absent")

    def get_fields(self) -> "dict[str, serializers.Field[Any, Any, Any, Any]]":
        # a word of Python's own, which no attribute can be called by
        earlier = serializers.IntegerField(min_value=1, max_value=_LARGEST, help_text="The earlier version")
        return {"from": earlier, **super().get_fields()}


class Versions(PartnerView):
    required_scope = "datasets:read"

    @extend_schema(
        parameters=[VersionsQuery, shapes.IF_NONE_MATCH],
        responses={200: shapes.VersionsOut, **_NOT_CHANGED, **shapes.PROBLEMS},
        operation_id="datasets_versions_list",
        summary="The versions of a dataset, the newest first",
    )
    def get(self, request: Request, slug: str) -> Response:
        asked = VersionsQuery.parse(request.query_params.dict())
        every = visible.dataset(partners.of(request), slug).versions.select_related("dataset").order_by("-number")
        if "after" in asked:
            every = every.filter(number__lt=asked["after"])
        page = list(every.defer("units", "columns").prefetch_related(_CHILDREN)[: asked["limit"] + 1])
        shown = page[: asked["limit"]]
        said = {
            "versions": [_out(one) for one in shown],
            "next": str(shown[-1].number) if len(page) > len(shown) else None,
        }
        return caching.answer(request, said)


class OneVersion(PartnerView):
    required_scope = "datasets:read"

    @extend_schema(
        parameters=[shapes.IF_NONE_MATCH],
        responses={200: shapes.VersionOut, **_NOT_CHANGED, **shapes.PROBLEMS},
        summary="One version of a dataset",
    )
    def get(self, request: Request, slug: str, number: int) -> Response:
        return caching.answer(request, _out(_version(request, slug, number)))


class Changes(PartnerView):
    required_scope = "datasets:read"

    @extend_schema(
        parameters=[ChangesQuery, shapes.IF_NONE_MATCH],
        responses={200: shapes.DatasetChangesOut, **_NOT_CHANGED, **shapes.PROBLEMS},
        summary="What changed between two versions: files, rows, and the runs in between",
    )
    def get(self, request: Request, slug: str) -> Response:
        asked = ChangesQuery.parse(request.query_params.dict())
        newer = _version(request, slug, asked.get("to"))
        found = versions.changes(versions.get(newer.dataset, asked["from"]), newer)
        units = [one for one in found.units or () if one.name > asked.get("after", "")]
        shown = units[: asked["limit"]]
        said = {
            "older": _out(found.older),
            "newer": _out(found.newer),
            "rows_removed": found.rows_removed,
            "runs": [_run(one) for one in found.runs],
            "units": None if found.units is None else [shapes.unit_out(one) for one in shown],
            "next": shown[-1].name if len(units) > len(shown) else None,
        }
        return caching.answer(request, said)


class Croissant(PartnerView):
    required_scope = "datasets:read"

    @extend_schema(
        parameters=[VersionQuery, shapes.IF_NONE_MATCH],
        responses={(200, croissant.MEDIA_TYPE): OpenApiTypes.OBJECT, **_NOT_CHANGED, **shapes.PROBLEMS},
        summary="A version as Croissant 1.1 metadata, with how far people's choices are in it",
    )
    def get(self, request: Request, slug: str) -> Response:
        asked = VersionQuery.parse(request.query_params.dict())
        said = croissant.export(_version(request, slug, asked.get("version")))
        return caching.answer(request, said, content_type=croissant.MEDIA_TYPE)


def _version(request: Request, slug: str, number: int | None) -> DatasetVersion:
    """The version of this number, or the newest. Raises NotFound."""
    dataset = visible.dataset(partners.of(request), slug)
    if number is not None:
        if number > _LARGEST:
            raise NotFound("unknown_version", "The dataset has no version of this number.", field="version")
        return versions.get(dataset, number)
    version = versions.newest(dataset)
    if version is None:
        raise NotFound("unknown_version", "The dataset has no version yet.", field="version")
    return version


def _out(version: DatasetVersion) -> dict[str, Any]:
    return shapes.version_out(version, position=versions.verified_up_to(version))


def _run(run: Propagation) -> dict[str, Any]:
    return {
        "id": str(run.pk),
        "from_position": run.from_position,
        "to_position": run.to_position,
        "full": run.is_full,
        "verified_at": run.verified_at.isoformat() if run.verified_at else None,
    }
