"""Everything that staff can do to a request, by name, in the order in which it is usually done."""

from requests_app.admin.deeds import answer, clock, corrections, identity, work
from requests_app.admin.deeds.base import Deed

EVERY: tuple[Deed, ...] = (*work.DEEDS, *corrections.DEEDS, *identity.DEEDS, *clock.DEEDS, *answer.DEEDS)
BY_NAME = {one.name: one for one in EVERY}
