"""The texts that staff begin a message with: versions per language, with variables that a request fills in.

A text says `{reference}` or `{due_on}`; a brace that is meant is written twice. What a variable means is in `_VALUES`.
Nothing here sends anything: `messages` does.
"""

import re
import tomllib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import transaction
from django.utils import translation
from django.utils.formats import date_format

from portal import audit
from portal.errors import DomainError
from requests_app import explanations, periods, rulebook
from requests_app.models import MessageTemplate, Request
from requests_app.states import Ground, Right

SHIPPED = Path(__file__).with_name("message_templates.toml")
LONGEST = 8_000
_SLUG = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
_PIECE = re.compile(r"\{\{|\}\}|\{([^{}\n]*)\}|[{}]")
MARK = re.compile(r"\[([a-z_]+)\?\]")
"""What stands where a request has no such thing yet, `[extended_until?]`: no message is sent with one left in it."""


class TemplateError(DomainError):
    """A text that cannot be kept as it is written."""


@dataclass(frozen=True)
class Wording:
    """What somebody writes: a title for staff's list, the text, and for which right alone it is, if any."""

    title: str
    body: str
    right: str = ""


@dataclass(frozen=True)
class Example:
    """What a preview is filled with, of a request that there is not."""

    values: dict[str, str]


def variables() -> list[str]:
    """Every name that may stand between braces."""
    return sorted(_VALUES)


def check(body: str) -> None:
    """Raise TemplateError(`unknown_variable` | `lone_brace`), which says where, unless `body` can be filled."""
    for found in _PIECE.finditer(body):
        piece, name = found[0], found[1]
        if piece in {"{{", "}}"} or name in _VALUES:
            continue
        line = body.count("\n", 0, found.start()) + 1
        column = found.start() - body.rfind("\n", 0, found.start())
        where = f"line {line}, character {column}"
        if name is None:
            raise TemplateError(
                "lone_brace", f"A single brace at {where}: write it twice to mean a brace.", field="body"
            )
        known = ", ".join(variables())
        raise TemplateError(
            "unknown_variable", f"At {where} is a variable that there is not. There are: {known}.", field="body"
        )


@transaction.atomic
def write(*, slug: str, language: str, wording: Wording, by: str, at: datetime) -> MessageTemplate:
    """Keep a further version; an empty text retires this one in this language. Raises TemplateError."""
    body = wording.body.replace("\r\n", "\n").strip()
    if not _SLUG.fullmatch(slug) or len(slug) > 50:
        raise TemplateError("bad_slug", "Name it in small letters, digits and hyphens.", field="slug")
    if language not in dict(settings.LANGUAGES):
        raise TemplateError("unknown_language", "The site does not speak this language.", field="language")
    if not wording.title.strip() or len(wording.title) > 120:
        raise TemplateError("bad_title", "Give it a title of at most 120 characters.", field="title")
    if wording.right and wording.right not in Right.values:
        raise TemplateError("unknown_right", "There is no such right.", field="right")
    if len(body) > LONGEST:
        raise TemplateError("too_long", f"Keep it to {LONGEST} characters.", field="body")
    check(body)
    newest = MessageTemplate.objects.filter(slug=slug, language=language).order_by("-version").first()
    written = MessageTemplate.objects.create(
        slug=slug,
        language=language,
        version=newest.version + 1 if newest else 1,
        title=wording.title.strip(),
        right=wording.right,
        body=body,
        written_at=at,
        written_by=by,
    )
    details = {"language": language, "version": written.version}
    audit.record(at=at, by=by, action="message_template.write", of=("message_template", slug), details=details)
    return written


def current(*, right: str = "") -> list[MessageTemplate]:
    """The newest version of each text in each language, without the retired; those for this right or any."""
    newest = MessageTemplate.objects.order_by("slug", "language", "-version").distinct("slug", "language")
    return [one for one in newest if one.body and (not right or one.right in {"", right})]


def get(slug: str, *, locale: str) -> MessageTemplate | None:
    """The text in the reader's language, else in English; None where there is neither."""
    by_language = {one.language: one for one in current() if one.slug == slug}
    return by_language.get(locale[:2]) or by_language.get("en")


def fill(body: str, source: Request | Example, *, language: str) -> str:
    """The text with the request's own words in this language. What the request lacks leaves a MARK."""
    with translation.override(language):
        return _PIECE.sub(lambda found: _filled(found, source), body)


def load(*, path: Path = SHIPPED, by: str, at: datetime) -> list[MessageTemplate]:
    """Bring the texts of a file wherever there is none yet; answers those that are new.

    What somebody wrote, or retired, stays as it is. Raises TemplateError.
    """
    there = set(MessageTemplate.objects.values_list("slug", "language"))
    with transaction.atomic():
        return [
            write(slug=slug, language=language, wording=wording, by=by, at=at)
            for slug, language, wording in _shipped(path)
            if (slug, language) not in there
        ]


def example() -> Example:
    """A request as previews show it, in the language that is on."""
    day = _day(date(2026, 5, 29))
    named = {"reference": "Q-01JAR4NQ0E7Y5S2VB6KXTW9M3P", "right": str(Right.ACCESS.label), "law": "GDPR Art. 12(3)"}
    named |= {"regulator": "Data Protection Commission", "regulator_url": "https://www.dataprotection.ie/"}
    return Example({name: named.get(name) or _GENERAL.get(name, lambda: day)() for name in _VALUES})


def _filled(found: re.Match[str], source: Request | Example) -> str:
    if found[0] in {"{{", "}}"}:
        return found[0][0]
    name = found[1]
    if name not in _VALUES:
        return found[0]
    value = source.values[name] if isinstance(source, Example) else _VALUES[name](source)
    return value or f"[{name}?]"


def _in_words(ground: str, language: str) -> str:
    """A ground without its law, as it is called in this language."""
    with translation.override(language):
        return str(Ground(ground).label).split(" – ")[0]


def _day(day: date | None) -> str:
    return date_format(day, "DATE_FORMAT") if day else ""


def _local(request: Request, moment: datetime | None) -> str:
    """The day of a moment on the calendar that counts for this request."""
    return _day(periods.local_date(moment, rulebook.thaw(request.terms).zone)) if moment else ""


def _regulator(request: Request) -> str:
    found = rulebook.thaw(request.terms).regulator
    return explanations.authority(found.name) if found else ""


def _regulator_url(request: Request) -> str:
    found = rulebook.thaw(request.terms).regulator
    return found.url if found else ""


_GENERAL: dict[str, Callable[[], str]] = {
    "name_of_site": lambda: str(settings.SITE_NAME),
    "contact": lambda: str(settings.CONTROLLER["email"]),
}
_VALUES: dict[str, Callable[[Request], str]] = {
    "reference": lambda one: one.reference,
    "right": lambda one: str(Right(one.right).label),
    "received_on": lambda one: _local(one, one.received_at),
    "due_on": lambda one: _day(one.due_on),
    # without a day of its own an extension is the law's longest, and that is in the due date
    "extended_until": lambda one: _day(one.extended_until or (one.due_on if one.extended_at else None)),
    "closed_on": lambda one: _local(one, one.closed_at),
    "ground": lambda one: str(Ground(one.refusal_ground).label) if one.refusal_ground else "",
    "law": lambda one: rulebook.thaw(one.terms).source,
    "regulator": _regulator,
    "regulator_url": _regulator_url,
    "name_of_site": lambda _: _GENERAL["name_of_site"](),
    "contact": lambda _: _GENERAL["contact"](),
}


def _shipped(path: Path) -> Iterator[tuple[str, str, Wording]]:
    """What a file of texts holds: whole ones, and refusals put together of what they have in common and a ground."""
    try:
        book: dict[str, Any] = tomllib.loads(path.read_text())
        for slug, text in book["template"].items():
            for language, body in text["body"].items():
                yield slug, language, Wording(text["title"][language], body, text.get("right", ""))
        around = book["refusal"]
        for ground, said in around["ground"].items():
            for language, reason in said.items():
                body = "\n\n".join([around["opening"][language], reason, around["closing"][language]])
                title = around["title"][language].format(ground=_in_words(ground, language))
                yield f"refusal-{ground.replace('_', '-')}", language, Wording(title, body)
    except (OSError, ValueError, KeyError, AttributeError) as error:
        raise TemplateError("bad_file", f"{path.name} cannot be read as a file of texts.") from error
