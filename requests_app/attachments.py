"""Files that come with a request: taken in only when their content is of a known kind, encrypted wherever they lie.

A file is written before its row, and deleted after the row says so. What a crash or a rollback leaves between the two
is a file without a row, whose key nobody has; `sweep` removes it.
"""

import hashlib
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Protocol

import structlog
from django.conf import settings
from django.db import transaction
from django.db.models import Q, Sum
from uuid_utils.compat import uuid7

from portal import actors, sealed_files
from portal.errors import Conflict, NotFound, TooLarge
from requests_app import file_kinds, file_names, sealing, timeline, virus_scanner
from requests_app.models import Attachment, IdentityCheck, Message, Request, Task
from requests_app.states import FileUse, Scan

logger = structlog.get_logger(__name__)

FOLDER = "attachments"
MOST_OF_REQUEST = 200
"""Files of one request, beside how large they may be together."""
ORPHAN_AFTER = timedelta(days=1)
"""Longer than any transaction that could still bring the row."""
_BY_STAFF = frozenset({FileUse.TASK, FileUse.ANSWER})
_PART = 64 * 1024
_PAGE = 500


class Stream(Protocol):
    """What can be read from: a file, an upload."""

    def read(self, size: int = ..., /) -> bytes: ...


class Upload(Stream, Protocol):
    """The same with a name, as browsers send it."""

    @property
    def name(self) -> str | None: ...


@dataclass(frozen=True)
class Taken:
    """A file that was looked at and lies encrypted in its place, but belongs to nothing yet."""

    id: uuid.UUID
    name: str = field(repr=False)
    key: bytes = field(repr=False)
    content_type: str
    size: int
    sha256: str
    scan: str


def add(
    *,
    request: Request,
    use: str,
    name: str,
    stream: Stream,
    by: str,
    at: datetime,
    message: Message | None = None,
    check: IdentityCheck | None = None,
    task: Task | None = None,
) -> Attachment:
    """Take a file in. Nothing is kept of one that is refused, but that the virus scanner found something in it.

    Raises Conflict(`request_closed`, `erased`), TooLarge(`file_too_large`, `files_too_large`, `too_many_files`),
    FileRefused, Infected, ScannerAway.
    """
    if message is None:
        check_can_add(request)
    with taken(request=request, use=use, files=[(name, stream)], by=by, at=at) as (one,):
        return keep(request=request, use=use, file=one, by=by, at=at, message=message, check=check, task=task)


def check_can_add(request: Request) -> None:
    """Raise Conflict once the request is closed; what comes with a message is for `messages` to allow."""
    if request.is_closed:
        raise Conflict("request_closed", "This request is closed; no more files are added to it.")


@contextmanager
def taken(
    *, request: Request, use: str, files: Sequence[tuple[str, Stream]], by: str, at: datetime
) -> Iterator[list[Taken]]:
    """Look at these files and put them in their places, for `keep` within the block; on any error they are gone.

    No lock is held meanwhile, so that nobody waits for somebody's virus scan. Raises TooLarge(`file_too_large`),
    FileRefused, Infected (which is on the timeline then, where no transaction is around), ScannerAway.
    """
    found: list[Taken] = []
    try:
        for name, stream in files:
            found.append(_take(request, use, name, stream, by, at))
        yield found
    except BaseException:
        for one in found:
            sealed_files.delete(_path(one.id))
        raise


@transaction.atomic
def keep(
    *,
    request: Request,
    use: str,
    file: Taken,
    by: str,
    at: datetime,
    message: Message | None = None,
    check: IdentityCheck | None = None,
    task: Task | None = None,
) -> Attachment:
    """Write the row of a file that was taken.

    Raises TooLarge(`files_too_large`, `too_many_files`), Conflict(`request_closed`, `erased`).
    """
    # locked, so that two uploads at once are both counted, and it is known whose key seals
    request = Request.objects.select_for_update(no_key=True, of=("self",)).select_related("subject").get(pk=request.pk)
    if message is None:
        check_can_add(request)
    _check_room(request, file.size)
    attachment = Attachment.objects.create(
        id=file.id,
        request=request,
        message=message,
        check_of=check,
        task=task,
        use=use,
        sealed_name=sealing.seal(request, file.name, context=sealing.FILE_NAME),
        sealed_key=sealing.seal(request, file.key.hex(), context=sealing.FILE_KEY),
        content_type=file.content_type,
        size=file.size,
        sha256=file.sha256,
        scan=file.scan,
        uploaded_at=at,
        uploaded_by=by,
    )
    details = {"file": str(file.id), "use": str(use), "type": file.content_type, "size": file.size}
    timeline.tell(request, "file_added", by=by, at=at, details=details)
    return attachment


def open_file(attachment: Attachment) -> Iterator[bytes]:
    """The content, a megabyte at a time. Raises NotFound(`file_gone`) at once, SealedFileError also half-way."""
    key = sealing.unseal(attachment.request, attachment.sealed_key, context=sealing.FILE_KEY)
    if key is None:
        raise NotFound("file_gone", "This file was deleted.")
    return sealed_files.read(_path(attachment.pk), key=bytes.fromhex(key))


def name_of(attachment: Attachment) -> str | None:
    """What the file is called; None once it was deleted, or the person was erased."""
    return sealing.unseal(attachment.request, attachment.sealed_name, context=sealing.FILE_NAME)


@transaction.atomic
def delete(*, attachment: Attachment, by: str, at: datetime) -> None:
    """Delete a file and everything that says what it was, but that there was one; once deleted, nothing happens.

    The key goes with the transaction, the file right after it.
    """
    row = Attachment.objects.select_for_update(of=("self",)).select_related("request").get(pk=attachment.pk)
    if row.deleted_at is not None:
        return
    row.sealed_name = row.sealed_key = None
    row.sha256, row.deleted_at = "", at
    row.save(update_fields=["sealed_name", "sealed_key", "sha256", "deleted_at"])
    details = {"file": str(row.pk), "use": row.use}
    timeline.tell(row.request, "file_deleted", by=by, at=at, details=details)
    path = _path(row.pk)
    transaction.on_commit(lambda: sealed_files.delete(path), robust=True)


def sweep(*, at: datetime) -> int:
    """Delete files that no row speaks of, and those of people who were erased or whom we never came to know.

    Answers how many files went that no row speaks of. `at` is compared with when the files were written, so it is the
    real time.
    """
    erased = Q(request__subject__erased_at__isnull=False)
    never_known = Q(request__subject__isnull=True, request__closed_at__isnull=False)
    for one in Attachment.objects.filter(erased | never_known, deleted_at__isnull=True):
        delete(attachment=one, by=actors.SYSTEM, at=at)
    before = (at - ORPHAN_AFTER).timestamp()
    swept = sealed_files.sweep(FOLDER, older_than=before)
    page: list[Path] = []
    for path in (Path(settings.FILES_DIR) / FOLDER).glob("*/*"):
        if not path.suffix and path.stat().st_mtime < before:
            page.append(path)
        if len(page) == _PAGE:
            swept += _sweep(page)
            page = []
    return swept + _sweep(page)


def _sweep(paths: list[Path]) -> int:
    named = {uuid.UUID(hex=path.name): path for path in paths}
    living = Attachment.objects.filter(pk__in=named, deleted_at__isnull=True).values_list("pk", flat=True)
    orphans = named.keys() - set(living)
    return sum(sealed_files.delete(named[one]) for one in orphans)


def _take(request: Request, use: str, name: str, stream: Stream, by: str, at: datetime) -> Taken:
    content = _read(stream)
    kind = file_kinds.of(content, name=name, by_staff=use in _BY_STAFF)
    scan = _scan(request, content, by, at)
    key, pk = sealed_files.new_key(), uuid7()
    with sealed_files.create(_path(pk), key=key) as file:
        file.write(content)
    return Taken(
        id=pk,
        name=file_names.clean(name, extension=kind.extension),
        key=key,
        content_type=kind.content_type,
        size=len(content),
        sha256=hashlib.sha256(content).hexdigest(),
        scan=scan,
    )


def _read(stream: Stream) -> bytes:
    """Everything, but never more than a part beyond what one file may hold."""
    content = bytearray()
    while part := stream.read(_PART):
        content += part
        if len(content) > settings.LARGEST_FILE:
            megabytes = settings.LARGEST_FILE // 1024**2
            raise TooLarge("file_too_large", f"A file may have {megabytes} megabytes.", field="files")
    return bytes(content)


def _scan(request: Request, content: bytes, by: str, at: datetime) -> str:
    parts = (content[start : start + _PART] for start in range(0, len(content), _PART))
    try:
        return Scan(virus_scanner.scan(parts))
    except virus_scanner.Infected as found:
        logger.warning("request_files.infected", found=found.signature)
        with transaction.atomic():
            timeline.tell(request, "file_infected", by=by, at=at, details={"found": found.signature})
        raise


def _check_room(request: Request, size: int) -> None:
    living = request.attachments.filter(deleted_at__isnull=True)
    if living.count() >= MOST_OF_REQUEST:
        raise TooLarge("too_many_files", f"A request may have {MOST_OF_REQUEST} files.", field="files")
    together = (living.aggregate(total=Sum("size"))["total"] or 0) + size
    if together > settings.LARGEST_FILES_OF_REQUEST:
        megabytes = settings.LARGEST_FILES_OF_REQUEST // 1024**2
        raise TooLarge("files_too_large", f"All files of a request may have {megabytes} megabytes.", field="files")


def _path(pk: uuid.UUID) -> Path:
    return sealed_files.path_of(FOLDER, pk)
