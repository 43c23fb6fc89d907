"""The arithmetic of a deadline in words: each step is a code, its parameters and a sentence.

A step is made in any language and read in the reader's: the sentence is put together only when it
is asked for. In a template `%(day.full)s` is the parameter `day` in the form `full`.
"""

import datetime
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from babel.dates import format_date, format_datetime
from django.utils.translation import get_language, gettext, gettext_lazy, ngettext_lazy, to_locale

from portal.countries import name_of
from requests_app import working_days
from requests_app.periods import Period, Unit
from requests_app.rulebook import Wait
from requests_app.working_days import Calendar

TEMPLATES: dict[str, Any] = {
    # which rule
    "rule": gettext_lazy("The law here (%(scope)s): %(source)s."),
    "fell_back": gettext_lazy("%(place)s is covered by the law of %(scope)s: %(source)s."),
    "house_rule": gettext_lazy("No law is recorded for %(place)s, so the house rule applies: %(answer)s."),
    "assumed_part": gettext_lazy(
        "Only the country (%(country)s) is known, not which part of it; the holidays of %(place)s count."
    ),
    # when the clock starts
    "received": gettext_lazy("Received on %(day)s."),
    "received_elsewhere": gettext_lazy("Received on %(instant)s UTC, which is %(day)s in %(place)s."),
    "starts_with_identity": gettext_lazy("Identity was confirmed on %(day)s; the time runs from then."),
    "starts_with_fee": gettext_lazy("The fee was paid on %(day)s; the time runs from then."),
    "not_started": gettext_lazy(
        "The time has not begun to run: we wait for %(wait)s. The days below count as if that ended on %(day)s."
    ),
    # counting
    "months_later": ngettext_lazy("One month later: %(day)s.", "%(count)s months later: %(day)s.", "count"),
    "month_too_short": ngettext_lazy(
        "One month later there is no %(missing)s %(day.month)s, so %(day)s.",
        "%(count)s months later there is no %(missing)s %(day.month)s, so %(day)s.",
        "count",
    ),
    "days_later": ngettext_lazy("One day later: %(day)s.", "%(count)s days later: %(day)s.", "count"),
    "working_days_later": ngettext_lazy(
        "One working day later in %(place)s: %(day)s.",
        "%(count)s working days later in %(place)s: %(day)s.",
        "count",
    ),
    "rolled_weekend": gettext_lazy(
        "%(from)s is a %(from.weekday)s; the next working day in %(place)s is %(day.full)s."
    ),
    "rolled_holiday": gettext_lazy(
        "%(from)s is a public holiday (%(holiday)s); the next working day in %(place)s is %(day.full)s."
    ),
    # waiting
    "pause": ngettext_lazy(
        "One day of waiting for %(wait)s, from %(began)s to %(ended)s, does not count: %(day)s.",
        "%(count)s days of waiting for %(wait)s, from %(began)s to %(ended)s, do not count: %(day)s.",
        "count",
    ),
    "pause_open": gettext_lazy(
        "Since %(began)s the time stands still, because we wait for %(wait)s; the last day moves with it."
    ),
    "wait_ignored": gettext_lazy("Waiting for %(wait)s does not stop the time under this rule."),
    "pause_too_late": gettext_lazy(
        "Waiting for %(wait)s began on %(began)s, after the last day, so it changes nothing."
    ),
    # extension
    "extended": gettext_lazy(
        "On %(told)s, in time (last day for it: %(by)s), the person was told that it takes longer: %(period)s in all."
    ),
    "extended_until": gettext_lazy(
        "On %(told)s, in time (last day for it: %(by)s), the person was told that the answer comes by %(day)s."
    ),
    # results
    "due": gettext_lazy("The answer is due by %(day.full)s."),
    "set_by_staff": gettext_lazy("Our staff decided to answer by %(day.full)s."),
    "acknowledge_by": gettext_lazy("Receipt is to be confirmed within %(period)s: by %(day.full)s."),
    # appeals
    "complain_to": gettext_lazy("A complaint goes to: %(regulator)s (%(url)s)."),
    "complain_to_unknown": gettext_lazy("No authority is recorded for %(place)s."),
    "silence_refuses": gettext_lazy("No answer by then counts as a refusal."),
    "lodge_by": gettext_lazy("From %(answered)s the person has %(period)s: until %(day.full)s."),
    "lodged": gettext_lazy("The appeal came in on %(day)s."),
    "appeal_acknowledge_by": gettext_lazy("It is to be acknowledged within %(period)s: by %(day.full)s."),
    "appeal_due": gettext_lazy("It is to be decided within %(period)s: by %(day.full)s."),
    "appeal_no_limit": gettext_lazy("The law sets no number of days for deciding it: without undue delay."),
}

_PLACES = {
    "GB-ENG": gettext_lazy("England"),
    "GB-SCT": gettext_lazy("Scotland"),
    "GB-WLS": gettext_lazy("Wales"),
    "GB-NIR": gettext_lazy("Northern Ireland"),
    "EU": gettext_lazy("the European Union"),
    "EEA": gettext_lazy("the European Economic Area"),
}
_OF_GERMANY = gettext_lazy(
    "The data protection authority of your federal state, or the Federal Commissioner for Data Protection (BfDI)"
)
AUTHORITIES: dict[str, Any] = {
    "The data protection authority of your country": gettext_lazy("The data protection authority of your country"),
    "The data protection authority of your federal state, or the Federal Commissioner for Data Protection (BfDI)": (
        _OF_GERMANY
    ),
    "California Privacy Protection Agency, or the Attorney General of California": gettext_lazy(
        "California Privacy Protection Agency, or the Attorney General of California"
    ),
    # as the rulebook had it until November 2026: requests that were received then have it still
    "Die Datenschutzaufsicht Ihres Landes, oder die Bundesbeauftragte für den Datenschutz und die "
    "Informationsfreiheit (BfDI)": _OF_GERMANY,
}
"""What the rulebook says of authorities where that is no name of their own, for the reader's language."""
_WAITS = {
    Wait.IDENTITY: gettext_lazy("proof of identity"),
    Wait.FEE: gettext_lazy("the fee"),
    Wait.CLARIFICATION: gettext_lazy("clarification"),
}
_PERIODS = {
    Unit.MONTH: ngettext_lazy("%(count)s month", "%(count)s months", "count"),
    Unit.DAY: ngettext_lazy("%(count)s day", "%(count)s days", "count"),
    Unit.BUSINESS_DAY: ngettext_lazy("%(count)s business day", "%(count)s business days", "count"),
    Unit.WORKING_DAY: ngettext_lazy("%(count)s working day", "%(count)s working days", "count"),
}


@dataclass(frozen=True, slots=True)
class Place:
    """A jurisdiction that is named to the reader."""

    code: str


@dataclass(frozen=True, slots=True)
class Holiday:
    """A public holiday that is named to the reader."""

    where: Calendar
    day: datetime.date


@dataclass(frozen=True, slots=True)
class Authority:
    """A regulator that is named to the reader."""

    name: str


Value = str | int | datetime.date | Place | Holiday | Authority | Period | Wait


@dataclass(frozen=True, slots=True)
class Step:
    """One step of the arithmetic."""

    code: str
    params: Mapping[str, Value] = field(default_factory=dict)

    @property
    def sentence(self) -> str:
        """The step in the active language."""
        return str(TEMPLATES[self.code] % _Words(self.params))

    def __str__(self) -> str:
        return self.sentence


def text(steps: tuple[Step, ...]) -> str:
    """All steps as one paragraph in the active language."""
    return " ".join(step.sentence for step in steps)


class _Words(dict[str, object]):
    """Parameters as words, looked up as `name` or `name.form`. A dict, because plurals ask for one."""

    def __init__(self, params: Mapping[str, Value]) -> None:
        super().__init__()
        self._params = params

    def __missing__(self, key: str) -> object:
        name, _, form = key.partition(".")
        value = self._params[name]
        return value if isinstance(value, int) else _word(value, form)


def _word(value: Value, form: str) -> str:
    match value:
        case datetime.datetime():
            return format_datetime(value, "d MMMM y HH:mm", tzinfo=datetime.UTC, locale=_locale())
        case datetime.date():
            return _DAY_FORMS[form](value)
        case Place():
            return _place(value.code)
        case Authority():
            return authority(value.name)
        case Holiday():
            return working_days.holiday_name(value.where, value.day, _language())
        case Period():
            return str(_PERIODS[value.unit] % {"count": value.count})
        case Wait():
            return str(_WAITS[value])
    return str(value)


def _language() -> str:
    return (get_language() or "en").partition("-")[0]


def _locale() -> str:
    # Day before month: "1 March 2027" cannot be misread.
    return "en_GB" if _language() == "en" else to_locale(get_language() or "en")


def _full(day: datetime.date) -> str:
    return format_date(day, "EEEE d MMMM y" if _language() == "en" else "full", _locale())


_DAY_FORMS: dict[str, Callable[[datetime.date], str]] = {
    "": lambda day: format_date(day, "long", _locale()),
    "full": _full,
    "weekday": lambda day: format_date(day, "EEEE", _locale()),
    "month": lambda day: format_date(day, "MMMM", _locale()),
}


def _place(code: str) -> str:
    if code in _PLACES:
        return str(_PLACES[code])
    country, _, part = code.partition("-")
    if not part:
        return name_of(country) if country else gettext("this place")
    return name_of(code) if name_of(code) != code else f"{name_of(country)} ({code})"


def authority(name: str) -> str:
    """A regulator as the rulebook names it: its own name as it is, a description in the active language."""
    return str(AUTHORITIES.get(name, name))


def period(length: Period) -> str:
    """A length of time in the active language: "1 month", "10 business days"."""
    return _word(length, "")
