"""What becomes of a built package: released to the person, fetched, and deleted when its time is over."""

from collections.abc import Iterator
from datetime import datetime, timedelta

from django.conf import settings
from django.db import transaction
from django.db.models import Q, QuerySet

from portal import actors, sealed_files
from portal.errors import Conflict, NotFound, twin
from requests_app import letters, timeline
from requests_app.models import Package, PackageDownload, Request
from requests_app.packages import building, unseen
from requests_app.packages.spooling import KIND
from requests_app.states import PackageStatus, Status

_MOST_AT_ONCE = 200
_WITHOUT_ANSWER = (Status.WITHDRAWN, Status.EXPIRED, Status.REFUSED)
_DEAD_AFTER = timedelta(minutes=10)
"""How long nothing was written to a file that somebody began, before nobody is at it any more."""


def current(request: Request) -> Package | None:
    """The package that counts: the one that the person can fetch, else the newest that is not deleted."""
    living = request.packages.exclude(status=PackageStatus.DELETED)
    return living.filter(status=PackageStatus.READY).first() or living.first()


def newest(request: Request) -> Package | None:
    """The one that was asked for last and is not deleted: what staff work on."""
    return request.packages.exclude(status=PackageStatus.DELETED).first()


def check_can_release(package: Package) -> None:
    """Raise Conflict unless it is built just as it would be now, as far as redactions go, and each file is decided."""
    if package.status != PackageStatus.REVIEW:
        raise Conflict("wrong_state", "Only an answer that waits for your look can be released.")
    if package.request.status in _WITHOUT_ANSWER:
        raise Conflict("closed", "This request is closed; nothing is handed out any more.")
    if package.request.status == Status.VERIFYING:
        raise Conflict("not_proven", "It is doubted who asks; nothing is handed out before that is shown.")
    in_force = set(package.request.redactions.filter(undone_at__isnull=True).values_list("pk", flat=True))
    if in_force != set(package.applied):
        raise Conflict("redactions_changed", "What is left out has changed since it was built. Build it again first.")
    if in_force != set(package.worked):
        raise Conflict(
            "redaction_without_effect",
            "Something that should be left out was not found: the data has changed. Look again, or take it back.",
        )
    unseen.check_are_decided(package)


can_release = twin(check_can_release)


@transaction.atomic
def release(*, package: Package, by: str, at: datetime) -> Package:
    """Let the person fetch it until it expires, and write to them that it is there; earlier ones are deleted.

    Raises Conflict(`wrong_state` | `closed` | `not_proven` | `erased` | `redactions_changed` |
    `redaction_without_effect` | `files_undecided` | `files_not_looked_into`).
    """
    request = (
        Request.objects.select_for_update(no_key=True, of=("self",))
        .select_related("subject")
        .get(pk=package.request_id)
    )
    package = Package.objects.select_for_update().get(pk=package.pk)
    package.request = request
    if request.subject is None or request.subject.erased_at is not None:
        raise Conflict("erased", "This person was erased; nothing is left to hand out.")
    check_can_release(package)
    for earlier in request.packages.filter(status__in=[PackageStatus.REVIEW, PackageStatus.READY]):
        if earlier.pk != package.pk:
            _delete(earlier, reason="replaced", at=at)
    package.status, package.released_at, package.released_by = PackageStatus.READY, at, by
    package.expires_at = at + settings.PACKAGE_KEPT
    package.save()
    details = {"until": package.expires_at.isoformat()}
    timeline.tell(request, "package_released", by=by, at=at, details=details)
    _write(request, at=at)
    return package


def check_can_download(package: Package, *, at: datetime) -> None:
    """Raise Conflict(`not_ready` | `package_expired` | `package_deleted`) unless the person can fetch it now.

    Also one that is there still: what ended without an answer is deleted by the next turn of beat, and whoever is
    doubted since gets nothing before it is shown who they are.
    """
    if package.status == PackageStatus.DELETED or package.request.status in _WITHOUT_ANSWER:
        raise Conflict("package_deleted", "This answer was deleted; ask for it again.")
    is_doubted = package.request.status == Status.VERIFYING
    if package.status != PackageStatus.READY or package.expires_at is None or is_doubted:
        raise Conflict("not_ready", "The answer is not ready yet.")
    if package.expires_at <= at:
        raise Conflict("package_expired", "The time to fetch this answer is over; ask for it again.")


can_download = twin(check_can_download)


@transaction.atomic
def download(*, package: Package, by: str, at: datetime) -> Iterator[bytes]:
    """The ZIP, a megabyte at a time; counted, and told on the timeline, before the first byte.

    Raises Conflict(`not_ready` | `package_expired` | `package_deleted`), NotFound(`package_gone`).
    """
    package = _locked(package)
    check_can_download(package, at=at)
    content = _content(package)
    PackageDownload.objects.create(package=package, at=at, actor=by)
    timeline.tell(package.request, "package_downloaded", by=by, at=at)
    return content


@transaction.atomic
def look_into(*, package: Package, by: str, at: datetime) -> Iterator[bytes]:
    """The same for staff, before and after release; audited, and no download of the person's.

    Raises Conflict(`not_ready` | `package_deleted`), NotFound(`package_gone`).
    """
    package = _locked(package)
    if package.status == PackageStatus.DELETED:
        raise Conflict("package_deleted", "This answer was deleted.")
    if package.status not in {PackageStatus.REVIEW, PackageStatus.READY}:
        raise Conflict("not_ready", "The answer is not built yet.")
    content = _content(package)
    timeline.tell(package.request, "package_looked_into", by=by, at=at)
    return content


@transaction.atomic
def let_go(*, package: Package, by: str, at: datetime) -> bool:
    """The person wants it deleted now. Answers whether it was: somebody may have deleted or replaced it meanwhile."""
    package = _locked(package)
    if package.status != PackageStatus.READY:
        return False
    _take_away(package, at=at)
    timeline.tell(package.request, "package_let_go", by=by, at=at)
    return True


def downloads(package: Package) -> int:
    """How often the person, or who asks for them, has fetched it."""
    return package.downloads.count()


def delete_expired(*, at: datetime) -> int:
    """Delete what nobody may fetch any more; answers how many. What dead builders left goes too."""
    sealed_files.sweep(KIND, older_than=(at - _DEAD_AFTER).timestamp())
    deleted = 0
    for pk in _over(at).values_list("pk", flat=True)[:_MOST_AT_ONCE]:
        with transaction.atomic():
            package = _over(at).select_for_update(of=("self",), skip_locked=True).filter(pk=pk).first()
            if package is not None:
                _delete(package, reason=_why(package, at), at=at)
                deleted += 1
    return deleted


def _over(at: datetime) -> "QuerySet[Package]":
    """Expired, of people who were erased, of requests that ended without an answer, or never released."""
    closed = Q(request__closed_at__lte=at - settings.PACKAGE_KEPT)
    over = (
        Q(expires_at__lte=at)
        | Q(request__subject__erased_at__isnull=False)
        | Q(request__status__in=_WITHOUT_ANSWER)
        | closed & ~Q(status=PackageStatus.READY)
    )
    building_now = [PackageStatus.WAITING, PackageStatus.BUILDING]
    # what is being built is its builder's; it gives up by itself where there is no key any more
    living = Package.objects.filter(deleted_at__isnull=True).exclude(status__in=building_now, lease_until__gt=at)
    return living.filter(over).select_related("request__subject").order_by("expires_at", "id")


def _why(package: Package, at: datetime) -> str:
    if package.expires_at is not None and package.expires_at <= at:
        return "expired"
    subject = package.request.subject
    return "erased" if subject is None or subject.erased_at is not None else "closed"


def _delete(package: Package, *, reason: str, at: datetime) -> None:
    _take_away(package, at=at)
    timeline.tell(package.request, "package_deleted", by=actors.SYSTEM, at=at, details={"reason": reason})


def _take_away(package: Package, *, at: datetime) -> None:
    """The file first: whoever dies in between leaves a package that is due to be deleted still."""
    path = sealed_files.path_of(KIND, package.pk)
    sealed_files.abandon(path)
    sealed_files.delete(path)
    package.status, package.deleted_at = PackageStatus.DELETED, at
    package.sealed_key = package.sealed_unseen = None
    package.holder, package.progress, package.lease_until = "", "", None
    package.save()


def _locked(package: Package) -> Package:
    locked = Package.objects.select_for_update(of=("self",)).select_related("request__subject")
    return locked.get(pk=package.pk)


def _content(package: Package) -> Iterator[bytes]:
    key, path = building.key_of(package), sealed_files.path_of(KIND, package.pk)
    if key is None or not path.exists():
        raise NotFound("package_gone", "The answer is no longer there; ask for it again.")
    return sealed_files.read(path, key=key)


def _write(request: Request, *, at: datetime) -> None:
    """Mail that says that the answer is there, and nothing of it."""
    letters.write(request=request, code="package_ready", at=at)
