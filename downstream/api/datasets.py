"""/api/v1/datasets: registering datasets, and reading how they stand."""

from typing import Any

from django.conf import settings
from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from consents import purposes
from consents.api import partners
from consents.api.serializers import Problem
from consents.models import Partner
from downstream import locations, registry, statements, versions
from downstream.api import caching, shapes, visible
from downstream.holders import HOLDERS
from downstream.locations import LocationTaken, RegistrationError
from downstream.models import Dataset
from downstream.registry import Prepared, Registration
from portal import actors, clock, idempotency, problems
from portal.api_views import PartnerView
from portal.errors import Conflict, DomainError


class Datasets(PartnerView):
    required_scope = "datasets:read"

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        """One scope to read, another to write."""
        if request.method == "POST":
            self.required_scope = "datasets:write"
        super().initial(request, *args, **kwargs)

    @extend_schema(
        parameters=[shapes.PageQuery],
        responses={200: shapes.DatasetsOut, **shapes.PROBLEMS},
        auth=[{"oauth2": ["datasets:read"]}],  # type: ignore[list-item]  # an OpenAPI security requirement
        operation_id="datasets_list",
        summary="The datasets of the recipients you speak for",
    )
    def get(self, request: Request) -> Response:
        asked = shapes.PageQuery.parse(request.query_params.dict())
        found = visible.datasets(partners.of(request)).order_by("slug")
        page = list(found.filter(slug__gt=asked.get("after", ""))[: asked["limit"] + 1])
        shown = page[: asked["limit"]]
        more = len(page) > len(shown)
        newest = versions.newest_of(shown)
        said = {
            "datasets": [shapes.dataset_out(one, newest.get(one.pk)) for one in shown],
            "next": shown[-1].slug if more else None,
        }
        return caching.answer(request, said)

    @extend_schema(
        request=shapes.DatasetIn,
        responses={
            201: shapes.RegisteredOut,
            (409, problems.MEDIA_TYPE): Problem,
            (422, problems.MEDIA_TYPE): Problem,
            **shapes.PROBLEMS,
        },
        parameters=[shapes.KEY],
        auth=[{"oauth2": ["datasets:write"]}],  # type: ignore[list-item]  # an OpenAPI security requirement
        summary="Register a dataset: whoever may not be in it is taken out from then on",
        description=(
            "Everything is checked first: the connection, the key column, that the place is not registered yet. Hashed"
            " keys: HMAC-SHA-256 of the identifier's UTF-8 bytes under the secret, or SHA-256 over secret and"
            " identifier, as lower-case hexadecimal digits."
        ),
    )
    def post(self, request: Request) -> Response:
        partner = partners.of(request)
        sent = shapes.DatasetIn.parse(request.data)
        made = registry.new_secret() if sent.get("key_hash") and "key_secret" not in sent else ""
        # outside the transaction of the answer that is remembered: while it is open, the log gives no positions
        key = request.headers.get("Idempotency-Key")
        prepared = None if idempotency.was_used(client=partner.slug, key=key) else _prepared(partner, sent, made)
        (status, body), repeated = idempotency.once(
            client=partner.slug,
            key=key,
            request=request.data,
            at=clock.now(),
            act=lambda: (201, _register(partner, prepared)),
        )
        # neither in what is remembered nor in the answer to a repetition: a secret is told once
        said = {**body, "key_secret": made} if made and not repeated else body
        if not repeated:
            statements.refresh(dataset=Dataset.objects.get(slug=sent["slug"]), at=clock.now())
        # a secret stays in nobody's cache
        headers = {"Idempotency-Replayed": "true"} if repeated else {"Cache-Control": "no-store"}
        return Response(said, status=status, headers=headers)


def _prepared(partner: Partner, sent: dict[str, Any], made: str) -> Prepared | DomainError:
    """What is to be registered, or why it cannot be: a repeated call gets its first answer whatever is so by now."""
    try:
        return registry.prepare(_registration(partner, sent, made), at=clock.now())
    except LocationTaken as refusal:
        return _untold(partner, refusal)
    except DomainError as refusal:
        return refusal


def _untold(partner: Partner, refusal: LocationTaken) -> DomainError:
    """What else is there is named to whoever may see it."""
    if visible.datasets(partner).filter(slug=refusal.slug).exists():
        return refusal
    return Conflict("location_taken", "This place is registered already.", field="location")


def _register(partner: Partner, prepared: Prepared | DomainError | None) -> dict[str, Any]:
    if prepared is None:
        # the answer that was remembered has been forgotten in between
        raise Conflict("try_again", "Your Idempotency-Key was just forgotten; send the call again.")
    if isinstance(prepared, DomainError):
        raise prepared
    try:
        dataset = registry.take_in(prepared, by=actors.partner(partner.slug), at=clock.now())
    except LocationTaken as refusal:
        raise _untold(partner, refusal) from None
    return shapes.dataset_out(dataset, versions.newest(dataset))


def _registration(partner: Partner, sent: dict[str, Any], made: str) -> Registration:
    partners.check_recipient(partner, sent["owner"])
    partners.check_scheme_name(partner, sent["key_scheme"], field="key_scheme")
    _check_place(sent["kind"], sent["location"], owner=sent["owner"])
    for slug in sent["purposes"]:
        purposes.get(slug)
    known = {"name": sent["slug"], **sent, "purposes": tuple(sent["purposes"])}
    if made:
        known["key_secret"] = made
    return Registration(**known)


def _check_place(kind: str, location: str, *, owner: str) -> None:
    """Each recipient's datasets are where the operator lets them, and nothing that we would have to ask others about.

    Raises RegistrationError(`location_not_allowed`).
    """
    if kind in HOLDERS or not locations.is_below(location, settings.DATASET_ROOTS.get(owner, ())):
        raise RegistrationError(
            "location_not_allowed", "This recipient's datasets are registered elsewhere; ask us.", field="location"
        )


class OneDataset(PartnerView):
    required_scope = "datasets:read"

    @extend_schema(
        parameters=[shapes.IF_NONE_MATCH],
        responses={200: shapes.DatasetOut, 304: OpenApiResponse(description="As you have it"), **shapes.PROBLEMS},
        summary="One dataset, and how far the log has reached it",
    )
    def get(self, request: Request, slug: str) -> Response:
        dataset = visible.dataset(partners.of(request), slug)
        return caching.answer(request, shapes.dataset_out(dataset, versions.newest(dataset)))
