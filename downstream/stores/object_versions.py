"""Earlier versions of objects, which a bucket with versioning keeps when an object is put anew or deleted."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import Any

from downstream.engines.errors import ConnectorError
from downstream.stores.base import Kept

_BATCH = 1_000
_FOR_EVER = datetime.max.replace(tzinfo=UTC)
# as far as a store lets its clock and ours differ: a version that may be from before is counted
_CLOCKS_DIFFER = timedelta(minutes=15)
Call = Callable[..., Any]


@dataclass(frozen=True)
class _Version:
    """One that is not the object any more, since `since`."""

    key: str
    id: str
    made: datetime
    since: datetime
    is_marker: bool


class Versions:
    """The earlier versions under one prefix. `call` reaches the bucket and raises ConnectorError."""

    def __init__(self, call: Call, bucket: str, prefix: str) -> None:
        self._call = call
        self._bucket = bucket
        self._prefix = prefix

    def purge(self, *, retention: timedelta | None, at: datetime) -> None:
        """Delete every version that has not been the object for `retention`, for good."""
        if retention is None:
            return
        old = [one for one in self._earlier() if one.since + retention <= at and self._lock(one) is None]
        for start in range(0, len(old), _BATCH):
            wanted = [{"Key": one.key, "VersionId": one.id} for one in old[start : start + _BATCH]]
            answer = self._call("delete_objects", Delete={"Objects": wanted, "Quiet": True})
            if answer.get("Errors"):
                codes = ", ".join(sorted({error["Code"] for error in answer["Errors"]}))
                raise ConnectorError(
                    "versions_kept",
                    f"The store did not delete {len(answer['Errors'])} earlier versions ({codes}); "
                    "let the worker delete versions there.",
                    permanent=True,
                )

    def kept(self, *, retention: timedelta | None, at: datetime, removed_at: datetime | None = None) -> Kept:
        """Versions that are still there. Without a decision the bucket's lifecycle rule says until when."""
        latest = _FOR_EVER if removed_at is None else removed_at + _CLOCKS_DIFFER
        earlier = [one for one in self._earlier() if not one.is_marker and one.made <= latest]
        if not earlier:
            return Kept()
        days = self._days() if retention is None else retention
        untils = [self._until(one, days) for one in earlier]
        known = [until for until in untils if until is not None]
        names = tuple(sorted({one.key.removeprefix(self._prefix) for one in earlier}))
        return Kept(names, until=max(known) if len(known) == len(untils) else None)

    def _until(self, version: _Version, days: timedelta | None) -> datetime | None:
        locked = self._lock(version)
        if locked == _FOR_EVER:
            return None
        until = None if days is None else version.since + days
        return max(until, locked) if until and locked else until

    def _earlier(self) -> Iterator[_Version]:
        """From the newest to the oldest of each key, as the store lists them."""
        newer: dict[str, datetime] = {}
        for one, is_marker in self._listed():
            key, modified = str(one["Key"]), one["LastModified"]
            if not one["IsLatest"]:
                yield _Version(key, str(one["VersionId"]), modified, newer.get(key, modified), is_marker)
            elif is_marker:
                # a deleted object's marker holds nothing, and without it the object would come back
                pass
            newer[key] = modified

    def _listed(self) -> Iterator[tuple[dict[str, Any], bool]]:
        more: dict[str, Any] = {}
        while True:
            page = self._call("list_object_versions", Prefix=self._prefix, **more)
            both = [(one, False) for one in page.get("Versions", ())]
            both += [(one, True) for one in page.get("DeleteMarkers", ())]
            both.sort(key=lambda each: each[0]["LastModified"], reverse=True)
            yield from both
            if not page.get("IsTruncated"):
                return
            more = {"KeyMarker": page["NextKeyMarker"], "VersionIdMarker": page.get("NextVersionIdMarker", "")}

    def _lock(self, version: _Version) -> datetime | None:
        """Until when a lock keeps it; for ever under a legal hold; None without one."""
        if version.is_marker or not self._can_lock:
            return None
        try:
            head = self._call("head_object", Key=version.key, VersionId=version.id, of=version.key)
        except ConnectorError as error:
            if error.code == "source_changed":
                return None
            raise
        if head.get("ObjectLockLegalHoldStatus") == "ON":
            return _FOR_EVER
        until: datetime | None = head.get("ObjectLockRetainUntilDate")
        return until

    @cached_property
    def _can_lock(self) -> bool:
        """Whether the bucket locks versions at all, which saves asking about each."""
        try:
            answer = self._call("get_object_lock_configuration")
        except ConnectorError as error:
            if error.permanent and error.code == "store_forbidden":
                raise
            return False
        return bool(answer.get("ObjectLockConfiguration"))

    def _days(self) -> timedelta | None:
        """After how long the bucket's own rules expire earlier versions here; None where none does."""
        try:
            rules = self._call("get_bucket_lifecycle_configuration").get("Rules", [])
        except ConnectorError as error:
            if error.code in {"store_refused", "source_changed", "store_away"}:
                return None
            raise
        days = [
            int(rule["NoncurrentVersionExpiration"]["NoncurrentDays"])
            for rule in rules
            if rule.get("Status") == "Enabled" and "NoncurrentVersionExpiration" in rule and self._covers(rule)
        ]
        return timedelta(days=min(days)) if days else None

    def _covers(self, rule: dict[str, Any]) -> bool:
        prefix = rule.get("Filter", {}).get("Prefix", rule.get("Prefix", ""))
        return self._prefix.startswith(str(prefix))
