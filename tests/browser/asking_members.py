"""Two members of the sample network who asked everything, so that there is a request in each state to look at."""

import io
from datetime import datetime, timedelta
from typing import Any

from consents import subjects
from consents.models import Subject
from portal import actors, clock
from portal.models import User
from requests_app import attachments, identity, intake, legal_clock, messages, packages, systems, workflow
from requests_app.admin.deeds import EVERY
from requests_app.admin.deeds.base import why_not
from requests_app.intake import Asked
from requests_app.models import Package, Request
from requests_app.rights import restriction
from requests_app.states import FileUse, PackageStatus, Right
from tests.stack import wait_for

ACCOUNT, OTHER = "m_gb003", "m_gb004"
ADDRESS = f"{ACCOUNT}@linkwell.example"


def requests() -> list[Request]:
    """All of them, made where they are not there yet."""
    subject, other = (subjects.get(subjects.name("account", one)) for one in (ACCOUNT, OTHER))
    if not Request.objects.filter(subject=other).exists():
        _ask_everything(subject)
        _propose_to_refuse(other)
    return list(Request.objects.filter(subject__in=(subject, other)).order_by("pk"))


def deeds(request: Request) -> list[str]:
    """What staff can do to it now, by name."""
    fitting = [one for one in EVERY if not one.takes_part and (not one.rights or request.right in one.rights)]
    return [one.name for one in fitting if not why_not(one, request)]


def _ask_everything(subject: Subject) -> None:
    _answered(subject)
    _in_work(subject)
    _carried_out_at_once(subject)
    _refused(subject)
    _doubted(subject)


def _answered(subject: Subject) -> None:
    """A copy that was written about and can be fetched."""
    systems.register(
        slug="letters",
        name="Letters",
        public_name="Letters that we wrote to you",
        rights=("rectification",),
        instructions="Search the archive by name.",
        by=_staff("petra"),
        at=_ago(days=60),
    )
    request = _started(subject, "access", days=9, note="Please also what your AI tools keep of me.")
    workflow.carry_out(request=request, by=_staff("bob"), at=_ago(days=8))
    messages.send(request=request, body="Hello,\n\nwe are putting it together.", by=_staff("bob"), at=_ago(days=7))
    file = io.BytesIO(b"alice1, alice2\n")
    file.name = "my accounts.txt"
    messages.write(request=request, body="These were mine.", by=_by(subject), at=_ago(days=6), files=[file])
    wait_for(lambda: _built(request), within=60, what="an answer to be built")
    package = Package.objects.get(request=request)
    packages.release(package=package, by=_staff("bob"), at=clock.now())


def _built(request: Request) -> bool:
    """Beat lets a worker build it after a while; here it is built at once, by whoever comes first."""
    packages.build_next(holder="browser-tests", clock=clock.now)
    return Package.objects.filter(request=request, status=PackageStatus.REVIEW).exists()


def _in_work(subject: Subject) -> None:
    """One that takes longer, one that waits for the person."""
    longer = _started(subject, "portability", days=20)
    reason = "Your records are in three archives that are searched by hand."
    legal_clock.extend(request=longer, reason=reason, by=_staff("bob"), at=_ago(days=5))
    waits = _started(subject, "rectification", days=6, note="My birthday is wrong.")
    workflow.await_subject(request=waits, by=_staff("bob"), at=_ago(days=4), words="Which day is right?")


def _carried_out_at_once(subject: Subject) -> None:
    _asked(subject, "objection", days=3, scope={"purposes": ["ai-training"]})
    hold = _asked(subject, "restriction", days=12)
    wait_for(lambda: _closed(hold), within=60, what="a restriction to be in force everywhere")
    hold.refresh_from_db()
    restriction.tell_of_lifting(request=hold, by=_staff("bob"), at=clock.now())


def _closed(request: Request) -> bool:
    return Request.objects.filter(pk=request.pk, closed_at__isnull=False).exists()


def _refused(subject: Subject) -> None:
    """One that was refused, and the complaint about that."""
    request = _started(subject, "automated_decision", days=15)
    proposal = workflow.propose_refusal(
        request=request, ground="not_applicable", reason="A person decided.", by=_staff("bob"), at=_ago(days=10)
    )
    workflow.decide(proposal=proposal, approve=True, by=_staff("petra"), at=_ago(days=9))
    request.refresh_from_db()
    note = "Nobody looked at it."
    workflow.appeal(request=request, right=Right.COMPLAINT, note=note, by=_by(subject), at=_ago(days=2))


def _doubted(subject: Subject) -> None:
    request = _asked(subject, "erasure", days=5)
    workflow.doubt(request=request, by=_staff("bob"), at=_ago(days=4))
    identity.require(request=request, method="document", by=_staff("bob"), at=_ago(days=3))
    stream = io.BytesIO(b"%PDF-1.4\n%%EOF\n")
    attachments.add(
        request=request, use=FileUse.IDENTITY, stream=stream, name="passport.pdf", by=_by(subject), at=_ago(days=2)
    )


def _propose_to_refuse(subject: Subject) -> None:
    request = _started(subject, "rectification", days=8)
    workflow.propose_refusal(
        request=request, ground="accurate", reason="The register says so.", by=_staff("bob"), at=_ago(days=1)
    )


def _started(subject: Subject, right: str, *, days: int, **said: Any) -> Request:
    request = _asked(subject, right, days=days, **said)
    staff = User.objects.get(username="bob")
    return workflow.start(request=request, staff=staff, by=_staff("bob"), at=_ago(days=days) + timedelta(hours=3))


def _asked(subject: Subject, right: str, *, days: int, **said: Any) -> Request:
    asked = Asked(rights=(right,), **said)
    return intake.receive(asked=asked, subject=subject, by=_by(subject), at=_ago(days=days))[0]


def _ago(**long: int) -> datetime:
    return clock.now() - timedelta(**long)


def _by(subject: Subject) -> str:
    return actors.subject(subject.pk)


def _staff(name: str) -> str:
    return actors.staff(User.objects.get(username=name).pk)
