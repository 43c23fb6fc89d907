"""The one place where these pages reach parts of requests that are named here and live in modules of their own.

Each function is one call, so that it can be pointed elsewhere in one line.
"""

import uuid
from collections.abc import Iterator, Sequence
from datetime import datetime
from importlib import import_module
from importlib.util import find_spec
from typing import Any, BinaryIO

from portal import nudge
from portal.errors import Conflict
from requests_app.models import Attachment, IdentityCheck, Message, Package, Request


def _part(name: str) -> Any:
    """The module of requests_app with that name. Raises Conflict where this installation has none."""
    if not has(name):
        raise Conflict("not_here", "That cannot be done here yet.")
    return import_module(f"requests_app.{name}")


def has(name: str) -> bool:
    return find_spec(f"requests_app.{name}") is not None


def ask_code(*, request: Request, client: str, by: str, at: datetime) -> uuid.UUID:
    """Have a code sent to the address of whoever asks; answers the check that it is for.

    Where that address got as many as it may, nothing is sent, and those it has still serve. Raises DomainError.
    """
    sent = _part("identity").ask_code(request=request, by=by, at=at, client=client)
    if sent.code is not None:
        letters = _part("letters")
        letters.write(request=request, code="code", at=at, extra={"code": sent.code, "address": sent.contact})
        nudge.after_commit(letters.SEND_TASK)
    check_id: uuid.UUID = sent.check_id
    return check_id


def holds_nothing(request: Request) -> bool:
    """Whether a proven request ended because nothing is held under its address."""
    return has("identity") and bool(_part("identity").holds_nothing(request))


def check_code(*, check_id: uuid.UUID, code: str, at: datetime) -> list[Request]:
    """The requests that are proven by it. Raises DomainError where it does not serve."""
    proven: list[Request] = _part("identity").check_code(check_id=check_id, code=code, at=at)
    return proven


def add_file(
    *,
    request: Request,
    use: str,
    file: BinaryIO,
    name: str,
    by: str,
    at: datetime,
    check: IdentityCheck | None = None,
) -> Attachment:
    """Keep one file. Raises DomainError for what is too large, of another kind, or harmful."""
    added: Attachment = _part("attachments").add(
        request=request, use=use, name=name, stream=file, by=by, at=at, check=check
    )
    return added


def open_file(attachment: Attachment) -> Iterator[bytes]:
    content: Iterator[bytes] = _part("attachments").open_file(attachment)
    return content


def name_of(attachment: Attachment) -> str | None:
    named: str | None = _part("attachments").name_of(attachment)
    return named


def write(*, request: Request, body: str, files: Sequence[Any], by: str, at: datetime) -> Message:
    """The person's message to staff. Raises DomainError for what cannot be sent."""
    written: Message = _part("messages").write(request=request, body=body, by=by, at=at, files=files)
    return written


def can_write(request: Request, *, at: datetime) -> bool:
    """Whether messages are still taken: while it is open, and for a while after an answer."""
    if not has("messages"):
        return not request.is_closed
    return bool(_part("messages").can_write(request, at=at))


def mark_read(*, request: Request, at: datetime) -> None:
    """That the person has seen what staff wrote."""
    _part("messages").read(request=request, by_person=True, at=at)


def download(*, package: Package, by: str, at: datetime) -> Iterator[bytes]:
    """The ZIP, and the download is counted. Raises DomainError for one that is not ready or is gone."""
    content: Iterator[bytes] = _part("packages").download(package=package, by=by, at=at)
    return content


def appeal(*, request: Request, right: str, note: str, by: str, at: datetime) -> Request:
    """The appeal or complaint about an answer. Raises Conflict and DeadlineError."""
    lodged: Request = _part("workflow").appeal(request=request, right=right, note=note, by=by, at=at)
    return lodged


def stops(request: Request, *, at: datetime) -> list[Any]:
    """How far it is in each dataset (`journeys.Stop`)."""
    module = "steps" if has("steps") else f"rights.{request.right}"
    tell = getattr(_part(module), "stops", None)
    return list(tell(request, at=at)) if tell else []


def correction(*, about: str, wrong: str, correct: str) -> dict[str, Any]:
    """What is to be corrected, as the right's module takes it."""
    return {"corrections": [{"what": about, "wrong": wrong, "right": correct}]}
