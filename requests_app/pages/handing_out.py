"""What the page of a request shows of answer packages: one's own, and of an erasure those that it waits for."""

import uuid
from datetime import datetime
from typing import Any

from django.utils.translation import gettext as _

from consents.models import Subject
from requests_app import packages, rulebook
from requests_app.models import Package, Request
from requests_app.pages import words
from requests_app.states import PackageStatus, Right, Status, TaskStatus


def package(one: Request, *, at: datetime) -> dict[str, Any] | None:
    """The newest answer package, in words and, while it lasts, to be downloaded."""
    latest = _newest(one, at=at)
    if latest is None or one.status == Status.VERIFYING:
        return None
    ready = packages.can_download(latest, at=at)
    status = PackageStatus.DELETED if latest.status == PackageStatus.READY and not ready else latest.status
    return {
        "is_ready": ready,
        "text": "" if ready else words.PACKAGES[status],
        "icon": "failed" if status == PackageStatus.FAILED else "working",
        "size": latest.size,
        "expires_at": latest.expires_at,
        "downloads": latest.downloads.count() if ready else 0,
        "left_out": _left_out(one) if ready else [],
        "erasure": _erasure(one, at=at) if ready else None,
    }


def unfetched(one: Request, *, at: datetime) -> dict[str, Any] | None:
    """Of an erasure: which answers of the person it waits for, and until which day. None where it waits for none."""
    wait = packages.wait_of(one, at=at)
    if wait is None:
        return None
    requests = dict.fromkeys(each.request for each in wait.packages)
    return {"requests": list(requests), "ends_on": wait.ends_on, "is_fetched": wait.is_fetched}


def waits_for_fetching(one: Request, *, at: datetime) -> bool:
    """Whether nothing is left to do but that: every place has been seen to."""
    if one.carried_out_at is None or one.tasks.filter(status=TaskStatus.OPEN).exists():
        return False
    return packages.wait_of(one, at=at) is not None


def owes_a_copy(one: Request) -> bool:
    """Of an erasure: whether the person waits for a copy that our staff have yet to answer, and this waits for that."""
    return one.right == Right.ERASURE and packages.unanswered_of(one).exists()


def with_answer(subject: Subject, *, at: datetime) -> set[uuid.UUID]:
    """Those of the person's requests whose answer package can be downloaded now."""
    ready = Package.objects.filter(request__subject=subject, status=PackageStatus.READY, expires_at__gt=at)
    return set(ready.exclude(request__status=Status.VERIFYING).values_list("request_id", flat=True))


def _newest(one: Request, *, at: datetime) -> Package | None:
    """The one that can be downloaded, also while another is being built; else the last of all."""
    ready = one.packages.filter(status=PackageStatus.READY, expires_at__gt=at).first()
    return ready or one.packages.first()


def _erasure(one: Request, *, at: datetime) -> dict[str, Any] | None:
    """The erasure that waits until this was fetched, or takes it along any time."""
    found = packages.erasure_of(one, at=at)
    if found is None:
        return None
    erasure, wait = found
    return {"reference": erasure.reference, "ends_on": wait.ends_on if wait else None}


def _left_out(one: Request) -> list[str]:
    """The grounds on which staff took something out of the answer."""
    grounds = one.redactions.filter(undone_at__isnull=True).order_by("ground").values_list("ground", flat=True)
    scope = rulebook.thaw(one.terms).scope
    named = [words.ground(ground, right=one.right, scope=scope) for ground in grounds.distinct()]
    return [_("left out: %(ground)s") % {"ground": ground} for ground in named]
