"""Building packages. The table is the queue: one asks, whoever is free takes the next, and who dies is followed.

A package is written beside its place and put there whole, so that a killed builder leaves nothing that anybody sees;
the next one throws away what it began.
"""

import hashlib
import io
from collections.abc import Callable
from datetime import datetime, timedelta

import structlog
from django.conf import settings
from django.db import transaction
from django.utils import translation

from portal import actors, sealed_files
from portal.errors import Conflict, DomainError, NoRoom, twin
from portal.fault_points import reach
from portal.leases import LeaseLost
from requests_app import sealing, timeline
from requests_app.models import Package, Request
from requests_app.packages import archive, contents, leases, redaction, unseen
from requests_app.packages.archive import Summary
from requests_app.packages.leases import Lease
from requests_app.packages.parts import Asking
from requests_app.packages.redaction import InForce
from requests_app.packages.spooling import KIND
from requests_app.states import PackageStatus, Status

logger = structlog.get_logger(__name__)

BUILD_TASK = "requests_app.tasks.build_packages"
BUDGET = 5
"""Attempts before staff have to look."""
_FIRST_WAIT, _LONGEST_WAIT = timedelta(seconds=5), timedelta(minutes=10)


@transaction.atomic
def ask(*, request: Request, by: str, at: datetime) -> Package:
    """Have the answer built, anew where there is one already. One at a time for each request.

    Raises Conflict(`no_package` | `closed` | `not_proven` | `erased` | `duplicate` | `package_waits`).
    """
    request = Request.objects.select_for_update(no_key=True, of=("self",)).select_related("subject").get(pk=request.pk)
    check_can_ask(request)
    if request.packages.filter(status__in=[PackageStatus.WAITING, PackageStatus.BUILDING]).exists():
        raise Conflict("package_waits", "The answer is being built already.")
    key = sealing.seal(request, sealed_files.new_key().hex(), context=sealing.PACKAGE_KEY)
    package = Package.objects.create(request=request, sealed_key=key, asked_at=at, asked_by=by)
    timeline.tell(request, "package_asked", by=by, at=at)
    return package


def check_can_ask(request: Request) -> None:
    """Raise Conflict unless the request is one that a package answers, and it is known who asks."""
    contents.check_is_answered(request.right)
    if request.is_closed:
        raise Conflict("closed", "This request is closed; its answer stays as it is.")
    if request.subject is None or request.status == Status.VERIFYING:
        raise Conflict("not_proven", "It is not known yet who asks.")
    if request.subject.erased_at is not None:
        raise Conflict("erased", "This person was erased; nothing is left to hand out.")
    if request.duplicate_of_id is not None:
        raise Conflict("duplicate", "This is answered with the earlier request that asks for the same.")


can_ask = twin(check_can_ask)


def build_next(*, holder: str, clock: Callable[[], datetime]) -> bool:
    """Build the package that waits longest; answers whether there was one, however it went."""
    lease = leases.claim(holder=holder)
    if lease is None:
        return False
    try:
        if lease.attempt > BUDGET:
            _give_up(lease, "attempts_used_up", at=clock())
            return True
        with leases.heartbeat(lease):
            _build(lease, clock)
    except LeaseLost:
        logger.warning("package.lease_lost", package=str(lease.package_id))
    except Exception as error:
        _failed(lease, error, at=clock())
    return True


def key_of(package: Package) -> bytes | None:
    """What the package's file is encrypted with; None once the person was erased or the package deleted."""
    opened = sealing.unseal(package.request, package.sealed_key, context=sealing.PACKAGE_KEY)
    return None if opened is None else bytes.fromhex(opened)


def asking_for(request: Request, *, at: datetime) -> Asking:
    """For whom the answer is gathered, in a language that we speak."""
    language = request.locale[:2].lower()
    return Asking(request, language if language in dict(settings.LANGUAGES) else "en", settings.SITE_URL, at)


def _build(lease: Lease, clock: Callable[[], datetime]) -> None:
    package = Package.objects.select_related("request__subject").get(pk=lease.package_id)
    key, path = key_of(package), sealed_files.path_of(KIND, package.pk)
    if key is None:
        raise Conflict("erased", "This person was erased; nothing is left to hand out.")
    # first: it disarms whoever lost the lease and still runs, because what they write has no place any more
    sealed_files.abandon(path)
    redactions = redaction.in_force(package.request)
    asking = asking_for(package.request, at=clock())
    with translation.override(asking.language), sealed_files.create(path, key=key) as writer:
        target = _Digesting(writer)
        summary = archive.write(
            target,
            asking=asking,
            parts=contents.of(asking),
            redactions=redactions,
            tell=lambda name: _progress(lease, name),
        )
        writer.close()
        reach("package.before_rename")
        leases.extend(lease)
    reach("package.after_rename")
    _settle(lease, summary, redactions, size=target.size, sha256=target.digest.hexdigest(), at=clock())


class _Digesting(io.RawIOBase):
    """Passes on what is written to it, and knows its length and SHA-256. It cannot seek."""

    def __init__(self, writer: sealed_files.SealedWriter) -> None:
        super().__init__()
        self._writer, self.size, self.digest = writer, 0, hashlib.sha256()

    def writable(self) -> bool:
        return True

    def write(self, data: "bytes | bytearray | memoryview") -> int:  # type: ignore[override]  # a narrower buffer
        self.digest.update(data)
        self.size += len(data)
        return self._writer.write(data)


def _progress(lease: Lease, name: str) -> None:
    reach("package.between_parts")
    mine = Package.objects.filter(pk=lease.package_id, attempts=lease.attempt, status=PackageStatus.BUILDING)
    if not mine.update(progress=name[:80]):
        raise LeaseLost(str(lease.package_id))


@transaction.atomic
def _settle(lease: Lease, summary: Summary, redactions: list[InForce], *, size: int, sha256: str, at: datetime) -> None:
    package = leases.lock(lease)
    if package.request.subject is None or package.request.subject.erased_at is not None:
        raise Conflict("erased", "This person was erased meanwhile.")
    package.status, package.built_at, package.lease_until = PackageStatus.REVIEW, at, None
    package.holder = package.progress = package.last_reason = ""
    package.size, package.sha256, package.parts = size, sha256, summary.parts
    package.sealed_unseen = unseen.seal(package.request, summary.unseen)
    package.applied = [one.pk for one in redactions]
    package.worked = [one.pk for one in redactions if one.pk in summary.worked]
    package.save()
    timeline.tell(package.request, "package_built", by=actors.SYSTEM, at=at, details={"size": size})


def _failed(lease: Lease, error: Exception, *, at: datetime) -> None:
    """Try again later, or have staff look. The reason is a code or a kind of error: no text of anybody's data.

    An error that nobody foresaw is told with the part that it came from, which is where staff have to look.
    """
    reason = error.code if isinstance(error, DomainError | NoRoom) else _unforeseen(lease, error)
    logger.warning("package.failed", package=str(lease.package_id), reason=reason)
    if lease.attempt >= BUDGET or isinstance(error, Conflict):
        _give_up(lease, reason, at=at)
        return
    wait = min(_FIRST_WAIT * 4 ** (lease.attempt - 1), _LONGEST_WAIT)
    leases.put_off(lease, wait=wait, reason=reason[:80])


def _unforeseen(lease: Lease, error: Exception) -> str:
    part = Package.objects.filter(pk=lease.package_id).values_list("progress", flat=True).first()
    return f"{type(error).__name__} in {part}" if part else type(error).__name__


@transaction.atomic
def _give_up(lease: Lease, reason: str, *, at: datetime) -> None:
    try:
        package = leases.lock(lease)
    except LeaseLost:
        return
    package.status, package.last_reason, package.lease_until = PackageStatus.FAILED, reason[:80], None
    package.holder = package.progress = ""
    package.save()
    sealed_files.abandon(sealed_files.path_of(KIND, package.pk))
    timeline.tell(package.request, "package_failed", by=actors.SYSTEM, at=at, details={"reason": reason[:80]})
