"""Access (GDPR Art. 15): everything that is kept of a person, and what is done with it."""

from requests_app.models import Request
from requests_app.rights import base
from requests_app.states import TaskKind

scope, details = base.no_scope, base.no_details
carry_out = base.changes_nothing
# the package's release settles its task, and it expires by itself
is_settled, finish = base.tasks_are_all, base.nothing_last


def plan(request: Request) -> list[base.Planned]:
    """A package is made; staff look through it and release it."""
    return [base.Planned("collect", TaskKind.AUTOMATIC)]
