"""Shapes of the API's messages about datasets."""

from typing import Any

from drf_spectacular.utils import OpenApiParameter
from rest_framework import serializers

from consents.api.serializers import Problem
from consents.vocabulary import Category
from downstream.models import Dataset, DatasetVersion, KeyHash
from downstream.versions import Origin, UnitChange
from portal import problems
from portal.api_views import StrictSerializer

# the type is drf-spectacular's: (status, media type) or status
PROBLEMS: dict[Any, Any] = {(status, problems.MEDIA_TYPE): Problem for status in (400, 401, 403, 404, 429)}
IF_NONE_MATCH = OpenApiParameter("If-None-Match", str, OpenApiParameter.HEADER)
KEY = OpenApiParameter("Idempotency-Key", str, OpenApiParameter.HEADER)


class PageQuery(StrictSerializer):
    after = serializers.CharField(max_length=1_000, required=False, help_text="`next` of the page before")
    limit = serializers.IntegerField(min_value=1, max_value=1_000, default=100)


class DatasetIn(StrictSerializer):
    """A dataset to take in; from then on whoever may not be in it is taken out."""

    slug = serializers.CharField(max_length=50)
    name = serializers.CharField(max_length=120, required=False, help_text="The slug if absent")
    public_name = serializers.CharField(max_length=120, required=False, help_text="As people see it named")
    owner = serializers.CharField(max_length=50, help_text="A recipient that you speak for")
    purposes = serializers.ListField(child=serializers.CharField(max_length=80), max_length=50)
    location = serializers.CharField(max_length=1_000)
    kind = serializers.CharField(max_length=40, default="parquet_folder")
    key_column = serializers.CharField(max_length=200, help_text="The column that names the person")
    key_scheme = serializers.CharField(max_length=40, default="account")
    key_hash = serializers.ChoiceField(
        choices=KeyHash.choices, required=False, help_text="How that column hides the identifiers"
    )
    key_secret = serializers.CharField(
        max_length=1_000,
        required=False,
        trim_whitespace=False,
        help_text="Key or salt of the hashes; without it one is made, and told in this answer alone",
    )
    created_column = serializers.CharField(max_length=200, required=False, help_text="Says when a row was made")
    category = serializers.ChoiceField(choices=Category.choices, required=False)
    deadline_hours = serializers.IntegerField(default=24)
    content_usage_column = serializers.CharField(max_length=200, required=False)
    tdm_reservation_column = serializers.CharField(max_length=200, required=False)


class DatasetOut(serializers.Serializer[Any]):
    slug = serializers.CharField()
    name = serializers.CharField()
    owner = serializers.CharField()
    purposes = serializers.ListField(child=serializers.CharField())
    category = serializers.CharField()
    kind = serializers.CharField()
    location = serializers.CharField()
    key_column = serializers.CharField()
    key_scheme = serializers.CharField()
    key_hash = serializers.CharField(help_text="Empty where the column holds identifiers as they are")
    position = serializers.IntegerField(help_text="Every no up to it is verified here")
    version = serializers.IntegerField(allow_null=True, help_text="The newest")
    has_arrivals = serializers.BooleanField(help_text="Files came in that nobody has looked through yet")
    rows = serializers.IntegerField()
    files = serializers.IntegerField()
    registered_at = serializers.DateTimeField()
    verified_at = serializers.DateTimeField(allow_null=True)
    retired_at = serializers.DateTimeField(allow_null=True)


class RegisteredOut(DatasetOut):
    key_secret = serializers.CharField(required=False, help_text="Only where it was made now; it is never told again")


class DatasetsOut(serializers.Serializer[Any]):
    datasets = DatasetOut(many=True)
    next = serializers.CharField(allow_null=True, help_text="Send as `after`; null: there is nothing more")


class VersionOut(serializers.Serializer[Any]):
    dataset = serializers.CharField()
    version = serializers.IntegerField()
    parent = serializers.IntegerField(allow_null=True)  # type: ignore[assignment]  # a field here, not DRF's own
    origin = serializers.ChoiceField(choices=Origin.choices)
    run = serializers.UUIDField(allow_null=True, help_text="The propagation that made it")
    position = serializers.IntegerField(help_text="Every no up to it is verified in this version")
    has_arrivals = serializers.BooleanField(help_text="It holds files that nobody has looked through yet")
    manifest_digest = serializers.CharField()
    rows = serializers.IntegerField()
    files = serializers.IntegerField()
    made_at = serializers.DateTimeField()


class VersionsOut(serializers.Serializer[Any]):
    versions = VersionOut(many=True, help_text="The newest first")
    next = serializers.CharField(allow_null=True)


class UnitOut(serializers.Serializer[Any]):
    name = serializers.CharField()
    change = serializers.ChoiceField(choices=["added", "removed", "rewritten"])
    rows_before = serializers.IntegerField(allow_null=True)
    rows_after = serializers.IntegerField(allow_null=True)


class RunOut(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    from_position = serializers.IntegerField()
    to_position = serializers.IntegerField()
    full = serializers.BooleanField(help_text="It looked for everybody, because files had come in")
    verified_at = serializers.DateTimeField(allow_null=True)


class DatasetChangesOut(serializers.Serializer[Any]):
    older = VersionOut()
    newer = VersionOut()
    rows_removed = serializers.IntegerField(help_text="By the runs in between")
    runs = RunOut(many=True)
    units = UnitOut(many=True, allow_null=True, help_text="null: the dataset's store does not tell its units")
    next = serializers.CharField(allow_null=True, help_text="Further units")


def dataset_out(dataset: Dataset, newest: DatasetVersion | None) -> dict[str, Any]:
    return {
        "slug": dataset.slug,
        "name": dataset.name,
        "owner": dataset.owner_id,
        "purposes": dataset.purposes,
        "category": dataset.category,
        "kind": dataset.kind,
        "location": dataset.location,
        "key_column": dataset.key_column,
        "key_scheme": dataset.key_scheme,
        "key_hash": dataset.key_hash,
        "position": dataset.position,
        "version": newest.number if newest else None,
        "has_arrivals": bool(newest and newest.has_arrivals),
        "rows": newest.rows if newest else dataset.row_count,
        "files": newest.files if newest else dataset.file_count,
        "registered_at": dataset.registered_at.isoformat(),
        "verified_at": dataset.verified_at.isoformat() if dataset.verified_at else None,
        "retired_at": dataset.retired_at.isoformat() if dataset.retired_at else None,
    }


def version_out(version: DatasetVersion, *, position: int) -> dict[str, Any]:
    return {
        "dataset": version.dataset.slug,
        "version": version.number,
        "parent": version.number - 1 or None,
        "origin": version.origin,
        "run": str(version.propagation_id) if version.propagation_id else None,
        "position": position,
        "has_arrivals": version.has_arrivals,
        "manifest_digest": version.manifest_digest,
        "rows": version.rows,
        "files": version.files,
        "made_at": version.made_at.isoformat(),
    }


def unit_out(change: UnitChange) -> dict[str, Any]:
    return {
        "name": change.name,
        "change": change.kind,
        "rows_before": change.before.rows if change.before else None,
        "rows_after": change.after.rows if change.after else None,
    }
