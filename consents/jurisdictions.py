"""Where a person lives, from the most specific to the most general: US-CA, US, its groups, anywhere."""

import re
from collections.abc import Iterable

from consents.vocabulary import ANYWHERE
from portal.errors import DomainError

EU = frozenset(
    [
        "AT",
        "BE",
        "BG",
        "CY",
        "CZ",
        "DE",
        "DK",
        "EE",
        "ES",
        "FI",
        "FR",
        "GR",
        "HR",
        "HU",
        "IE",
        "IT",
        "LT",
        "LU",
        "LV",
        "MT",
        "NL",
        "PL",
        "PT",
        "RO",
        "SE",
        "SI",
        "SK",
    ]
)
EEA = EU | {"IS", "LI", "NO"}
GROUPS = {"EU": EU, "EEA": EEA}
_SHAPE = re.compile(r"[A-Z]{2}(-[A-Z0-9]{1,3})?")


class UnknownJurisdiction(DomainError):
    """Not an ISO 3166 code."""


def check(code: str) -> str:
    """The code in capitals. Raises UnknownJurisdiction unless it reads like ISO 3166-1 or -2."""
    code = code.strip().upper()
    if not _SHAPE.fullmatch(code) or code == "EU":
        raise UnknownJurisdiction(
            "unknown_jurisdiction",
            "A jurisdiction is an ISO 3166 code such as GB or US-CA.",
            field="jurisdiction",
        )
    return code


def check_scope(code: str) -> str:
    """Like `check`, and also a group (EU, EEA) or `*`."""
    return code if code in GROUPS or code == ANYWHERE else check(code)


def widening(code: str) -> tuple[str, ...]:
    """The code and everything it belongs to, most specific first: ('DE-BY', 'DE', 'EU', 'EEA', '*')."""
    country = code.partition("-")[0]
    own = (code,) if code == country else (code, country)
    return (*own, *(name for name, members in GROUPS.items() if country in members), ANYWHERE)


def covers(scope: str, code: str) -> bool:
    """Whether `scope` (a code, a group or `*`) takes in the jurisdiction `code`."""
    return scope in widening(code)


def any_covers(scopes: Iterable[str], code: str) -> bool:
    """Whether one of the scopes of a registration takes in the jurisdiction; one without any is for all."""
    listed = list(scopes)
    return not listed or any(covers(one, code) for one in listed)


def meet(one: str, other: str) -> bool:
    """Whether two scopes (codes, groups or `*`) have a place in common."""
    if one in GROUPS and other in GROUPS:
        return not GROUPS[one].isdisjoint(GROUPS[other])
    return ANYWHERE in (one, other) or covers(one, other) or covers(other, one)


def members(scope: str) -> tuple[list[str], list[str]]:
    """For database look-ups: exact codes and country prefixes that `scope` covers; ([], []) is everywhere."""
    if scope == ANYWHERE:
        return [], []
    countries = sorted(GROUPS.get(scope, {scope}))
    return countries, [f"{country}-" for country in countries]
