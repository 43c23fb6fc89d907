"""Which parts the answer to each right has: of access everything, of portability what the person provided."""

from collections.abc import Iterator

from portal.errors import Conflict, NotFound
from requests_app.packages import about, data_parts, person_parts, request_parts
from requests_app.packages.parts import Asking, Part
from requests_app.states import Right

ANSWERED = frozenset({Right.ACCESS, Right.PORTABILITY})
"""The rights that a package answers."""


def of(asking: Asking) -> Iterator[Part]:
    """The parts in order, each made when its turn comes. The active language has to be that of `asking`."""
    if asking.request.right == Right.PORTABILITY:
        yield from _provided(asking)
        return
    yield about.about(asking)
    yield person_parts.person(asking)
    yield person_parts.identifiers(asking)
    yield person_parts.uses(asking)
    yield person_parts.choices(asking)
    yield person_parts.history(asking)
    yield person_parts.receipts(asking)
    yield from data_parts.datasets(asking)
    yield data_parts.removals(asking)
    yield data_parts.models(asking)
    yield data_parts.holds(asking)
    yield data_parts.notices(asking)
    yield request_parts.requests(asking)
    yield request_parts.timeline(asking)
    yield request_parts.messages(asking)
    yield request_parts.files(asking)


def part(asking: Asking, name: str) -> Part:
    """One part by its name. Raises NotFound(`unknown_part`)."""
    for one in of(asking):
        if one.name == name:
            return one
    raise NotFound("unknown_part", "There is no such part in this answer.", field="part")


def check_is_answered(right: str) -> None:
    """Raise Conflict(`no_package`) where the answer is no package."""
    if right not in ANSWERED:
        raise Conflict("no_package", "Only access and portability are answered with a package.")


def _provided(asking: Asking) -> Iterator[Part]:
    """GDPR Art. 20(1): what the person provided, by typing it or by using the service (WP 242, II)."""
    yield person_parts.person(asking)
    yield person_parts.identifiers(asking)
    yield person_parts.choices(asking)
    yield person_parts.history(asking)
    yield person_parts.receipts(asking)
    yield from data_parts.datasets(asking)
    yield request_parts.requests(asking)
    yield request_parts.messages(asking)
    yield request_parts.files(asking)
