"""The clock of one request: the rule of the day of receipt, frozen on it, and everything that moves its days.

`reckoning` says what the day is and why, `moving` changes what it is reckoned from, `recomputing` does so for all that
are open, `adopting` brings a newer rulebook to requests that run already.
"""

from requests_app.legal_clock.adopting import Adoption, adopt_rulebook, preview_adoption
from requests_app.legal_clock.moving import (
    acknowledge,
    acknowledge_by_mail,
    apply,
    begin_pause,
    can_acknowledge,
    can_extend,
    can_override,
    check_can_acknowledge,
    check_can_extend,
    check_can_override,
    end_pause,
    extend,
    override,
)
from requests_app.legal_clock.reckoning import (
    arithmetic,
    end_of_due_day,
    is_unanswered,
    of,
    onward,
    set_at_receipt,
    silence_from,
)
from requests_app.legal_clock.recomputing import recompute_all

__all__ = [
    "Adoption",
    "acknowledge",
    "acknowledge_by_mail",
    "adopt_rulebook",
    "apply",
    "arithmetic",
    "begin_pause",
    "can_acknowledge",
    "can_extend",
    "can_override",
    "check_can_acknowledge",
    "check_can_extend",
    "check_can_override",
    "end_of_due_day",
    "end_pause",
    "extend",
    "is_unanswered",
    "of",
    "onward",
    "override",
    "preview_adoption",
    "recompute_all",
    "set_at_receipt",
    "silence_from",
]
