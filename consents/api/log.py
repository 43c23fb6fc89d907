"""Proofs about the log for anybody, in the words of RFC 9162: that a leaf is in it, and that it only ever grew.

Whoever reads the tiles below /log/ can compute both; this is for whoever has one receipt, or two checkpoints, and no
client for tiles.
"""

import base64
from collections.abc import Iterable
from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from consents import checkpoints
from consents.api.serializers import Problem
from portal import problems
from portal.api_access import AddressThrottle
from portal.api_views import StrictSerializer
from portal.errors import DomainError

_PROBLEMS: dict[Any, Any] = {(status, problems.MEDIA_TYPE): Problem for status in (400, 429)}


class ProofError(DomainError):
    """There is no such proof."""


class InclusionQuery(StrictSerializer):
    position = serializers.IntegerField(min_value=1, help_text="The entry's position, counted from 1: leaf_index + 1")
    size = serializers.IntegerField(
        min_value=1, required=False, help_text="Of a tree that you know; without it, the newest that is signed"
    )


class ConsistencyQuery(StrictSerializer):
    to = serializers.IntegerField(
        min_value=1, required=False, help_text="The larger size; without it, the newest that is signed"
    )

    def get_fields(self) -> "dict[str, serializers.Field[Any, Any, Any, Any]]":
        # a word of Python's own, which no attribute can be called by
        earlier = serializers.IntegerField(min_value=1, help_text="The smaller size, such as of a checkpoint you kept")
        return {"from": earlier, **super().get_fields()}


class InclusionOut(serializers.Serializer[Any]):
    """RFC 9162, section 4.11, with hashes in Base64."""

    leaf_index = serializers.IntegerField()
    tree_size = serializers.IntegerField()
    leaf_hash = serializers.CharField(help_text="SHA-256 over 0x00 and the entry (2.1.1)")
    inclusion_path = serializers.ListField(child=serializers.CharField(), help_text="For 2.1.3.2")
    root_hash = serializers.CharField()


class ConsistencyOut(serializers.Serializer[Any]):
    """RFC 9162, section 4.12, with hashes in Base64."""

    tree_size_1 = serializers.IntegerField()
    tree_size_2 = serializers.IntegerField()
    consistency_path = serializers.ListField(child=serializers.CharField(), help_text="For 2.1.4.2")
    root_hash_1 = serializers.CharField()
    root_hash_2 = serializers.CharField()


class _Public(APIView):
    authentication_classes = ()
    permission_classes = (AllowAny,)
    throttle_classes = (AddressThrottle,)


class Inclusion(_Public):
    @extend_schema(
        parameters=[InclusionQuery],
        responses={200: InclusionOut, **_PROBLEMS},
        auth=[],
        summary="The proof that an entry is in the log's tree",
    )
    def get(self, request: Request) -> Response:
        asked = InclusionQuery.parse(request.query_params.dict())
        head = _head()
        position, size = asked["position"], asked.get("size", head)
        _check_signed(size, head, field="size")
        if position > size:
            raise ProofError("position_beyond_size", f"A tree of {size} leaves has no such entry.", field="position")
        return Response(
            {
                "leaf_index": position - 1,
                "tree_size": size,
                "leaf_hash": _text(checkpoints.leaf_at(position)),
                "inclusion_path": _texts(checkpoints.inclusion(position=position, size=size)),
                "root_hash": _text(checkpoints.root_at(size)),
            }
        )


class Consistency(_Public):
    @extend_schema(
        parameters=[ConsistencyQuery],
        responses={200: ConsistencyOut, **_PROBLEMS},
        auth=[],
        summary="The proof that the log's tree begins with an earlier one",
    )
    def get(self, request: Request) -> Response:
        asked = ConsistencyQuery.parse(request.query_params.dict())
        head = _head()
        old, new = asked["from"], asked.get("to", head)
        _check_signed(new, head, field="to")
        if old > new:
            raise ProofError("sizes_out_of_order", f"A tree of {new} leaves begins with no larger one.", field="from")
        return Response(
            {
                "tree_size_1": old,
                "tree_size_2": new,
                "consistency_path": _texts(checkpoints.consistency(old=old, new=new)),
                "root_hash_1": _text(checkpoints.root_at(old)),
                "root_hash_2": _text(checkpoints.root_at(new)),
            }
        )


def _head() -> int:
    last = checkpoints.latest()
    return last.size if last else 0


def _check_signed(size: int, head: int, *, field: str) -> None:
    """Refuse what nobody has signed yet. Raises ProofError(`beyond_the_head`)."""
    if size > head or head == 0:
        message = f"The newest signed tree has {head} leaves; what is beyond it is signed within seconds."
        raise ProofError("beyond_the_head", message, field=field)


def _text(value: bytes) -> str:
    return base64.b64encode(value).decode()


def _texts(values: Iterable[bytes]) -> list[str]:
    return [_text(one) for one in values]
