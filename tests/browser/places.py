"""The pages that people and staff see, each by the address under which one member or colleague finds it."""

from django.contrib.admin.utils import quote
from django.db.models import Model
from django.urls import reverse

from consents import ledger, notices, subjects
from consents.models import Hold, LedgerEvent, Notice, NoticeDelivery, NoticeDraft, Partner, Purpose, Rule, Subject
from consents.vocabulary import Action, Kind, Source
from downstream.models import Dataset, Propagation, RemovalReceipt
from portal import actors, clock
from portal.models import AuditEntry, User
from requests_app import intake
from requests_app.intake import Asked
from requests_app.models import Agent, Letter, MessageTemplate, Package, Request, RequestImport, System
from requests_app.states import Right, Status
from tests.browser import asking_members

MEMBER = "m_us005@linkwell.example"
SHOWN: tuple[type[Model], ...] = (
    *(Request, Hold, Subject, Dataset, Propagation, RemovalReceipt),
    *(Purpose, Rule, Notice, NoticeDraft, NoticeDelivery, LedgerEvent, AuditEntry, Partner, User),
    *(Package, RequestImport, MessageTemplate, Letter, System, Agent),
)
"""What staff have pages for."""
_BEGUN = (Hold, NoticeDraft, NoticeDelivery, Request, RequestImport, MessageTemplate, System, Agent)
"""What staff begin on a page of its own."""


def before_signing_in() -> list[str]:
    """What anybody sees."""
    return [
        "/",
        "/?country=DE",
        "/account/login/",
        "/object/",
        "/object/undo/",
        "/requests/new/?country=DE",
        "/requests/new/?country=US-CA",
        "/signal/",
        "/notices/",
        "/notices/ai-training/1/",
        _difference(),
        "/verify/",
        "/dev/mail/",
    ]


def _difference() -> str:
    """What changed between two versions of a notice (made here where there is only one)."""
    now = clock.now()
    if not Notice.objects.filter(slug="analytics").exists():
        for body in ("We count what is read.\n\nWe keep it for a year.", "We count what is read and clicked."):
            draft = notices.Draft("analytics", {"en": ("How we measure", body)}, now, now)
            notices.publish(draft=draft, by=actors.SYSTEM, at=now)
    return "/notices/analytics/1/2/"


def of_member() -> list[str]:
    """What MEMBER sees, who said no and asked for an erasure (both done here where they are not yet)."""
    subject = subjects.get(subjects.name("email", MEMBER))
    said, asked = _no_of(subject), _request_of(subject)
    return [
        "/",
        "/choices/",
        "/choices/ai-training/journey/",
        "/choices/personalisation/journey/",
        "/history/",
        f"/receipts/{ledger.reference(said.pk)}/",
        "/signal/",
        "/requests/",
        "/requests/new/",
        f"/requests/{asked.reference}/",
        "/account/logout/",
    ]


def _no_of(subject: Subject) -> LedgerEvent:
    found = LedgerEvent.objects.filter(subject_id=subject.pk, kind=Kind.CHOICE).first()
    if found is not None:
        return found
    origin = ledger.Origin(source=Source.SELF_SERVICE, by=actors.subject(subject.pk))
    scope = ledger.Scope("ai-training")
    return ledger.record(subject=subject, scope=scope, action=Action.DENY, origin=origin, at=clock.now())


def _request_of(subject: Subject) -> Request:
    found = Request.objects.filter(subject=subject).first()
    by = actors.subject(subject.pk)
    return found or intake.receive(asked=Asked(rights=(Right.ERASURE,)), subject=subject, by=by, at=clock.now())[0]


def of_asking_member() -> list[str]:
    """What the member sees who asked everything."""
    asked = [one for one in asking_members.requests() if _is_theirs(one)]
    refused = next(one for one in asked if one.status == Status.REFUSED)
    return [
        "/requests/",
        *(f"/requests/{one.reference}/" for one in asked),
        f"/requests/{refused.reference}/?messages=all",
    ]


def _is_theirs(request: Request) -> bool:
    return request.subject == subjects.find(subjects.name("email", asking_members.ADDRESS))


def of_requests() -> list[str]:
    """What staff see of requests: each request, everything that can be done to it, its answer, and the reports."""
    asked = asking_members.requests()
    answer = reverse("admin:requests_app_package_answer", args=[_with_package(asked).pk])
    return [
        "/admin/",
        _address(Request, "changelist"),
        *(change_of(one) for one in asked),
        *(_address(Request, "do", one.pk, name) for one in asked for name in asking_members.deeds(one)),
        *(_address(model, page) for model in (MessageTemplate, System, Agent) for page in ("changelist", "add")),
        *(_address(Request, "add"), _address(RequestImport, "add")),
        *(answer, f"{answer}?part=identifiers"),
        reverse("reports"),
    ]


def change_of(request: Request) -> str:
    """The page of one request, for staff."""
    return _address(Request, "change", quote(request.pk))


def _with_package(asked: list[Request]) -> Request:
    return next(one for one in asked if one.packages.exists())


def of_staff() -> list[str]:
    """Every list of the staff's site, and the page of one row of each that has any."""
    return [
        "/admin/",
        *(_address(model, "changelist") for model in SHOWN),
        *_rows(),
        *(_address(model, "add") for model in _BEGUN),
    ]


def _rows() -> list[str]:
    firsts = {model: model._default_manager.first() for model in SHOWN if model is not User}
    return [_address(model, "change", quote(row.pk)) for model, row in firsts.items() if row is not None]


def _address(model: type[Model], page: str, *arguments: object) -> str:
    return reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_{page}", args=arguments)
