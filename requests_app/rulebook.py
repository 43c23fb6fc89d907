"""Which law's clock a request runs on: reads `rulebook.toml` and looks a rule up by place, right and day.

A request keeps the rule that it was received under: `freeze` gives the whole rule as JSON, `thaw`
brings it back, so a later rulebook never moves a running request. Counting is in `deadlines`.
"""

import datetime
import hashlib
import json
import tomllib
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cache, lru_cache
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from consents import jurisdictions
from consents.vocabulary import ANYWHERE
from portal.errors import DomainError
from requests_app import periods
from requests_app.periods import Moment, Period

DEFAULT = Path(__file__).with_name("rulebook.toml")

RIGHTS = frozenset(
    {"access", "portability", "rectification", "erasure", "restriction", "objection", "withdraw_consent"}
    | {"opt_out_sale", "automated_decision", "complaint", "appeal"}
)
_OVERRIDABLE = frozenset({"source", "note", "clock_starts", "acknowledge", "answer", "roll", "extension", "appeal"})
_KEYS = _OVERRIDABLE | {"scope", "effective_from", "confidence", "pauses", "silence_is_refusal", "regulator", "rights"}


class RulebookError(DomainError):
    """The rulebook cannot be used as it is written."""


class UnknownRight(DomainError):
    """No such right."""


class Wait(StrEnum):
    """What a request may be waiting for before it can be answered."""

    IDENTITY = "identity"
    FEE = "fee"
    CLARIFICATION = "clarification"


class AppealTo(StrEnum):
    CONTROLLER = "controller"
    REGULATOR = "regulator"


@dataclass(frozen=True, slots=True)
class ExtensionRule:
    """By how much at most (None: until a day that the notice names), and until when it must be told."""

    up_to: Period | None
    told_within: Period


@dataclass(frozen=True, slots=True)
class AppealRule:
    """Who hears it, how long the person has, how soon it is acknowledged and decided."""

    to: AppealTo
    window: Period | None
    acknowledge: Period | None
    decide: Period | None
    extension: Period | None


@dataclass(frozen=True, slots=True)
class Regulator:
    name: str
    url: str


@dataclass(frozen=True, slots=True)
class Rule:
    """One law's clock for one right, as it applies in the place that was asked for."""

    asked_for: str
    scope: str
    right: str
    effective_from: datetime.date
    source: str
    confidence: str
    note: str
    timezone: str
    starts_at: frozenset[str]
    acknowledge: Period | None
    answer: Period
    roll: bool
    pauses: frozenset[Wait]
    extension: ExtensionRule | None
    appeal: AppealRule | None
    silence_is_refusal: bool
    regulator: Regulator | None
    rulebook_version: str
    rulebook_digest: str
    terms: dict[str, Any] = field(compare=False, repr=False)

    @property
    def zone(self) -> ZoneInfo:
        return periods.zone(self.timezone)

    @property
    def is_house_rule(self) -> bool:
        return self.scope == ANYWHERE

    @property
    def longest(self) -> Period | None:
        """The time to answer with its longest extension; None where there is none, or none of fixed length."""
        if self.extension is None or self.extension.up_to is None:
            return None
        return self.answer.plus(self.extension.up_to)

    @property
    def fell_back(self) -> bool:
        """Whether the place asked for has no rule of its own. A member of the EEA has one: the EEA's."""
        is_member = self.scope in jurisdictions.GROUPS and "-" not in self.asked_for
        return self.scope != self.asked_for and not is_member

    @property
    def digest(self) -> str:
        """Changes with what this rule says, not with the rest of the rulebook."""
        said = {key: value for key, value in self.terms.items() if not key.startswith("rulebook_")}
        return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()


@dataclass(frozen=True, eq=False)
class Rulebook:
    """One file, read and checked. `entries` by scope, newest first."""

    version: str
    digest: str
    entries: dict[str, list[dict[str, Any]]]
    zones: dict[str, str]
    authorities: dict[str, dict[str, str]]

    def zone_of(self, jurisdiction: str) -> str:
        """The time zone whose calendar counts there; UTC where none is known."""
        places = jurisdictions.widening(_tidy(jurisdiction))
        return next((self.zones[place] for place in places if place in self.zones), "UTC")


@cache
def load(path: Path = DEFAULT) -> Rulebook:
    """The rulebook in `path`. Raises RulebookError, which names the entry at fault."""
    content = path.read_bytes()
    try:
        document = tomllib.loads(content.decode())
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise RulebookError("rulebook_unreadable", f"{path.name}: {error}") from error
    missing = {"version", "zones", "authorities", "rule"} - document.keys()
    if missing:
        raise RulebookError("rulebook_incomplete", f"{path.name} lacks {', '.join(sorted(missing))}.")
    book = Rulebook(
        version=document["version"],
        digest=hashlib.sha256(content).hexdigest(),
        entries=_by_scope(document["rule"]),
        zones=document["zones"],
        authorities=document["authorities"],
    )
    _check_whole(book)
    return book


def rule_for(jurisdiction: str, right: str, *, on: Moment, book: Rulebook | None = None) -> Rule:
    """The rule in force on the day of receipt: the place's own, else its country's, its group's, the house's.

    An unknown place is no error: it gets the house rule, and the rule says that it fell back.
    """
    if right not in RIGHTS:
        raise UnknownRight("unknown_right", "There is no such right.", field="right")
    book = book or load()
    asked_for, zone, versions = _applicable(book, jurisdiction)
    day = periods.local_date(on, zone)
    for scope, position, effective_from in versions:
        if effective_from <= day:
            return _resolved(book, scope, position, asked_for, right)
    raise RulebookError("no_house_rule", f"The house rule is not in force on {day.isoformat()}.")


def freeze(rule: Rule) -> dict[str, Any]:
    """The whole rule as JSON, to be kept with the request."""
    kept: dict[str, Any] = json.loads(json.dumps(rule.terms))
    return kept


def thaw(kept: dict[str, Any]) -> Rule:
    """The rule that `freeze` kept, whatever the rulebook says today."""
    return _parsed(kept)


def _tidy(jurisdiction: str) -> str:
    return jurisdiction.strip().upper()


def _by_scope(listed: list[dict[str, Any]]) -> dict[str, list[dict[str, Any]]]:
    entries: dict[str, list[dict[str, Any]]] = {}
    for entry in listed:
        unknown = entry.keys() - _KEYS
        has_both = type(entry.get("scope")) is str and type(entry.get("effective_from")) is datetime.date
        if unknown or not has_both:
            what = f"unknown {', '.join(sorted(unknown))}" if unknown else "needs scope and effective_from"
            raise RulebookError("rule_malformed", f"Rule {entry.get('scope', '?')}: {what}.")
        entries.setdefault(entry["scope"], []).append(entry)
    for scope, versions in entries.items():
        versions.sort(key=lambda entry: entry["effective_from"], reverse=True)
        if len({entry["effective_from"] for entry in versions}) < len(versions):
            raise RulebookError("rule_twice", f"Rule {scope}: two versions from the same day.")
    return entries


def _check_whole(book: Rulebook) -> None:
    """Resolves everything once, so that a mistake shows at start and not with the first request."""
    if ANYWHERE not in book.entries:
        raise RulebookError("no_house_rule", f"The rulebook needs a rule for {ANYWHERE!r}.")
    for place, zone in book.zones.items():
        try:
            periods.zone(zone)
        except (ZoneInfoNotFoundError, ValueError) as error:
            raise RulebookError(
                "unknown_time_zone",
                f"{place}: no time zone {zone!r} on this machine; install its tzdata package.",
            ) from error
    for scope, versions in book.entries.items():
        for position, entry in enumerate(versions):
            try:
                for right in sorted(RIGHTS):
                    _resolved(book, scope, position, scope, right)
            except (KeyError, TypeError, ValueError) as error:
                where = f"{scope} from {entry['effective_from']}"
                raise RulebookError("rule_malformed", f"Rule {where}: {error}.") from error


@lru_cache(maxsize=1024)
def _applicable(book: Rulebook, jurisdiction: str) -> tuple[str, ZoneInfo, tuple[tuple[str, int, datetime.date], ...]]:
    """The place in capitals, its zone, and every version of every rule that covers it, nearest and newest first."""
    asked_for = _tidy(jurisdiction)
    # Nobody lives in a group: whose holidays and authority would count?
    scopes = [
        scope for scope in jurisdictions.widening(asked_for) if scope not in jurisdictions.GROUPS or scope != asked_for
    ]
    versions = tuple(
        (scope, position, entry["effective_from"])
        for scope in scopes
        for position, entry in enumerate(book.entries.get(scope, ()))
    )
    return asked_for, periods.zone(book.zone_of(asked_for)), versions


@lru_cache(maxsize=8192)
def _resolved(book: Rulebook, scope: str, position: int, asked_for: str, right: str) -> Rule:
    return _parsed(_terms(book, book.entries[scope][position], asked_for, right))


def _terms(book: Rulebook, entry: dict[str, Any], asked_for: str, right: str) -> dict[str, Any]:
    """What the entry says for this place and right, as plain JSON; `false` in the file is None here."""
    by_right = entry.get("rights", {})
    odd = (by_right.keys() - RIGHTS) | (by_right.get(right, {}).keys() - _OVERRIDABLE)
    if odd:
        raise ValueError(f"'rights' cannot say {', '.join(sorted(odd))}")
    said = entry | by_right.get(right, {})
    regulator = said.get("regulator")
    if entry["scope"] in jurisdictions.GROUPS:
        regulator = book.authorities.get(asked_for.partition("-")[0], regulator)
    return {
        "asked_for": asked_for,
        "scope": entry["scope"],
        "right": right,
        "effective_from": entry["effective_from"].isoformat(),
        "source": said["source"],
        "confidence": said["confidence"],
        "note": said.get("note", ""),
        "timezone": book.zone_of(asked_for),
        "clock_starts": said["clock_starts"],
        "acknowledge": said.get("acknowledge") or None,
        "answer": said["answer"],
        "roll": said["roll"],
        "pauses": [wait for wait, rights in entry.get("pauses", {}).items() if rights == "all" or right in rights],
        "extension": said.get("extension") or None,
        "appeal": said.get("appeal") or None,
        "silence_is_refusal": said.get("silence_is_refusal", False),
        "regulator": regulator or None,
        "rulebook_version": book.version,
        "rulebook_digest": book.digest,
    }


def _parsed(terms: dict[str, Any]) -> Rule:
    if terms["confidence"] not in ("high", "medium", "low"):
        raise ValueError("confidence is high, medium or low")
    starts_at = frozenset(terms["clock_starts"])
    if "receipt" not in starts_at or starts_at - {"receipt", Wait.IDENTITY, Wait.FEE}:
        raise ValueError("clock_starts lists 'receipt', and perhaps 'identity' and 'fee'")
    if not isinstance(terms["roll"], bool):
        raise TypeError("roll is true or false")
    answer = periods.parse(terms["answer"])
    return Rule(
        **{key: terms[key] for key in ("asked_for", "scope", "right", "source", "confidence", "note")},
        **{key: terms[key] for key in ("timezone", "rulebook_version", "rulebook_digest")},
        effective_from=datetime.date.fromisoformat(terms["effective_from"]),
        starts_at=starts_at,
        acknowledge=_period(terms["acknowledge"]),
        answer=answer,
        roll=terms["roll"],
        pauses=frozenset(Wait(wait) for wait in terms["pauses"]),
        extension=_extension(terms["extension"], answer),
        appeal=_appeal(terms["appeal"]),
        silence_is_refusal=terms["silence_is_refusal"],
        regulator=Regulator(**terms["regulator"]) if terms["regulator"] else None,
        terms=terms,
    )


def _period(text: str | None) -> Period | None:
    return periods.parse(text) if text else None


def _extension(said: dict[str, str] | None, answer: Period) -> ExtensionRule | None:
    if said is None:
        return None
    up_to = None if said["up_to"] == "a named day" else periods.parse(said["up_to"])
    if up_to:
        answer.plus(up_to)
    return ExtensionRule(up_to=up_to, told_within=periods.parse(said["told_within"]))


def _appeal(said: dict[str, str] | None) -> AppealRule | None:
    if said is None:
        return None
    odd = said.keys() - {"to", "window", "acknowledge", "decide", "extension"}
    if odd:
        raise ValueError(f"'appeal' cannot say {', '.join(sorted(odd))}")
    decide, extension = _period(said.get("decide")), _period(said.get("extension"))
    if extension:
        if decide is None:
            raise ValueError("an appeal without a time to decide cannot be extended")
        decide.plus(extension)
    return AppealRule(
        to=AppealTo(said["to"]),
        window=_period(said.get("window")),
        acknowledge=_period(said.get("acknowledge")),
        decide=decide,
        extension=extension,
    )
