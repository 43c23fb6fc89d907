"""/api/v1/requests: sending data subject requests in from another front end, following them, taking them back."""

from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request as Call
from rest_framework.response import Response

from consents import jurisdictions, ledger, subjects
from consents.api import partners
from consents.api.serializers import Problem
from consents.models import Partner
from consents.subjects import Name
from portal import actors, clock, nudge, problems, references
from portal.api_views import PartnerView, answered_once
from portal.errors import Forbidden, NotFound
from requests_app import front_ends, intake, workflow
from requests_app.api import sent, shapes
from requests_app.intake import Asked, Requester
from requests_app.models import Request, RequestQuerySet
from requests_app.states import AT_ONCE, CLOSED, FOLLOW_UPS, Channel

_READ: Any = [{"oauth2": ["requests:read"]}]
WRITING: Any = [{"oauth2": ["requests:write"]}]
_VOUCHING: Any = [*WRITING, {"oauth2": ["requests:write", sent.VOUCH]}]
_UNSHOWN = ("terms", "sealed_note", "sealed_details", "sealed_requester", "sealed_contact", "contact_fingerprint")
"""What a list needs of nobody."""


class ReadingAndWriting(PartnerView):
    """One scope to read, another to write."""

    required_scope = "requests:read"

    def initial(self, request: Call, *args: Any, **kwargs: Any) -> None:
        if request.method in {"POST", "DELETE"}:
            self.required_scope = "requests:write"
        super().initial(request, *args, **kwargs)


class Requests(ReadingAndWriting):
    @extend_schema(
        request=shapes.RequestIn,
        responses={201: shapes.CreatedOut, (422, problems.MEDIA_TYPE): Problem, **shapes.PROBLEMS},
        parameters=[shapes.KEY],
        auth=_VOUCHING,
        summary="Send what a person asks",
        description=(
            "A right that says no to something is carried out at once where it is known who asks. Where you do not"
            " vouch for that (`verified`, scope requests:vouch), the requests wait as `verifying` until the person has"
            " shown it to us; then an address is looked up by nobody, and `jurisdiction` is needed."
        ),
    )
    def post(self, request: Call) -> Response:
        partner = partners.of(request)
        body = shapes.RequestIn.parse(request.data)
        at = clock.now()
        vouched = body["verified"] and sent.vouches(request, partner)
        answer = answered_once(
            request, client=partner.slug, at=at, act=lambda: (201, _take_in(partner, body, vouched=vouched, at=at))
        )
        if not AT_ONCE.isdisjoint(body["rights"]):
            nudge.after_commit(ledger.SEQUENCE_TASK)
        return answer

    @extend_schema(
        parameters=[shapes.RequestsQuery],
        responses={200: shapes.RequestsOut, **shapes.PROBLEMS},
        auth=_READ,
        operation_id="requests_list",
        summary="The requests that you sent",
    )
    def get(self, request: Call) -> Response:
        partner = partners.of(request)
        asked = shapes.RequestsQuery.parse(request.query_params.dict())
        rows = _filtered(sent.by(partner), asked).select_related("subject").defer(*_UNSHOWN).order_by("-id")
        page = list(rows[: asked["limit"] + 1])
        shown = page[: asked["limit"]]
        more = shown[-1].reference if len(page) > len(shown) else None
        told = [shapes.request_out(one, is_seen=sent.sees(partner, one)) for one in shown]
        answer = {"requests": told, "next": more}
        return Response(answer, headers=_link(request, more) if more else None)


class OneRequest(ReadingAndWriting):
    @extend_schema(
        parameters=[shapes.REFERENCE],
        responses={200: shapes.OneRequestOut, **shapes.PROBLEMS},
        auth=_READ,
        summary="One request: its clock and how it was counted, what happened, the work in each place",
    )
    def get(self, request: Call, reference: str) -> Response:
        partner = partners.of(request)
        found = sent.one(partner, reference)
        told = shapes.one_request_out(found, is_seen=sent.sees(partner, found), at=clock.now())
        return Response(told, headers={"Cache-Control": "no-store"})

    @extend_schema(
        parameters=[shapes.REFERENCE],
        request=None,
        responses={200: shapes.RequestOut, **shapes.PROBLEMS},
        auth=WRITING,
        summary="The person takes the request back",
    )
    def delete(self, request: Call, reference: str) -> Response:
        partner = partners.of(request)
        found = sent.one(partner, reference)
        workflow.withdraw(request=found, by=actors.partner(partner.slug), at=clock.now())
        found.refresh_from_db()
        return Response(shapes.request_out(found, is_seen=sent.sees(partner, found)))


def _take_in(partner: Partner, body: dict[str, Any], *, vouched: bool, at: datetime) -> dict[str, Any]:
    who = partners.check_scheme(partner, subjects.name(**body["subject"]))
    asked = _asked(partner, body)
    by = actors.partner(partner.slug)
    if asked.about is not None:
        taken = [_follow_up(partner, asked, who, vouched=vouched, by=by, at=at)]
    else:
        taken = _received(partner, asked, who, vouched=vouched, by=by, at=at)
    return {"requests": [shapes.request_out(one) for one in taken]}


def _received(partner: Partner, asked: Asked, who: Name, *, vouched: bool, by: str, at: datetime) -> list[Request]:
    subject = None
    if vouched or not who.is_contact:
        subject = subjects.find_locked(who)
    if subject is not None and partners.sees(partner, subject):
        taken = intake.receive_of_locked(asked=asked, subject=subject, is_proven=vouched, by=by, at=at)
    elif who.is_contact:
        _check_place(partner, asked.jurisdiction)
        taken = intake.receive_unproven(asked=asked, contact=who, by=by, at=at)
    else:
        raise NotFound("unknown_subject", "Nobody is registered by this identifier.", field="subject")
    if not vouched or subject is None:
        front_ends.begin_proof(request=taken[0], by=by, at=at)
    return taken


def _check_place(partner: Partner, jurisdiction: str) -> None:
    """Raises PartnerError(`jurisdiction_not_yours`), UnknownJurisdiction."""
    place = jurisdictions.check(jurisdiction)
    if partner.jurisdictions and not any(jurisdictions.covers(one, place) for one in partner.jurisdictions):
        raise partners.PartnerError(
            "jurisdiction_not_yours",
            f"You may name people of: {', '.join(partner.jurisdictions)}.",
            field="jurisdiction",
        )


def _follow_up(partner: Partner, asked: Asked, who: Name, *, vouched: bool, by: str, at: datetime) -> Request:
    """An appeal or a complaint: of the same person, for whom the partner vouches. Raises NotFound, Forbidden."""
    if not vouched:
        raise Forbidden("not_vouching", f"Who appeals or complains for somebody vouches for them ({sent.VOUCH}).")
    subject = partners.get_locked(partner, who)
    if asked.about is None or asked.about.subject_id != subject.pk:
        raise NotFound("unknown_reference", "You have sent no such request of this person.", field="about")
    return front_ends.follow_up(earlier=asked.about, asked=asked, by=by, at=at)


def _asked(partner: Partner, body: dict[str, Any]) -> Asked:
    follows = not FOLLOW_UPS.isdisjoint(body["rights"])
    if follows and len(body["rights"]) > 1:
        raise intake.IntakeError("follow_up_alone", "Send an appeal or a complaint alone.", field="rights")
    if "about" in body and not follows:
        raise intake.IntakeError("about_not_taken", "Only an appeal or a complaint is about another.", field="about")
    return Asked(
        rights=tuple(body["rights"]),
        jurisdiction=body["jurisdiction"],
        note=body["note"],
        scope=body["scope"],
        details=body["details"],
        locale=body["locale"],
        channel=Channel.API,
        capacity=body["capacity"],
        requester=Requester(**body["requester"]) if "requester" in body else None,
        partner=partner.slug,
        about=sent.one(partner, body["about"]) if "about" in body else None,
        received_at=body.get("received_at"),
    )


def _filtered(rows: RequestQuerySet, asked: dict[str, Any]) -> RequestQuerySet:
    if "status" in asked:
        rows = rows.filter(status=asked["status"])
    if "right" in asked:
        rows = rows.filter(right=asked["right"])
    if "open" in asked:
        rows = rows.exclude(status__in=CLOSED) if asked["open"] else rows.filter(status__in=CLOSED)
    if "due_before" in asked:
        rows = rows.due_before(asked["due_before"])
    if "after" in asked:
        rows = rows.filter(pk__lt=references.decode("Q", asked["after"]))
    return rows


def _link(request: Call, more: str) -> dict[str, str]:
    """RFC 8288, of the same filters."""
    query = urlencode({**request.query_params.dict(), "after": more})
    return {"Link": f'<{shapes.PATH}?{query}>; rel="next"'}
