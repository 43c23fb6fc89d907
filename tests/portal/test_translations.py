"""The German and French catalogues: whole, faithful to the English, compiled, and what people are answered with."""

import ast
import io
import re
import tomllib
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pytest
from babel.messages.catalog import Catalog, Message
from babel.messages.mofile import read_mo, write_mo
from babel.messages.pofile import read_po
from django.conf import settings
from django.template.loader import render_to_string
from django.test import Client
from django.utils import translation

LANGUAGES = ["de", "fr"]
STAFF_TEMPLATES = {"admin", "unfold"}
PEOPLES_CODE = [
    "consents/pages/*.py",
    "consents/receipts/*.py",
    "consents/vocabulary.py",
    "downstream/pages/*.py",
    "requests_app/pages/*.py",
    "requests_app/correcting.py",
    "requests_app/states.py",
    "requests_app/explanations.py",
    "requests_app/packages/*.py",
]
PLURAL_MARKERS = {"ngettext", "ngettext_lazy"}
MARKERS = {"_", "gettext", "gettext_lazy", "pgettext"} | PLURAL_MARKERS
TRANSLATE = re.compile(
    r"""{%\s*translate\s+(?P<quote>["'])(?P<text>.+?)(?P=quote)(?:\s+context\s+["'](?P<context>.+?)["'])?"""
)
BLOCK = re.compile(r"{%\s*blocktranslate\b[^%]*%}(?P<text>.*?){%\s*endblocktranslate\s*%}", re.DOTALL)
PLACEHOLDER = re.compile(r"%(?:\([\w.]+\))?[sd]|<[^>]+>")

Key = tuple[str | None, str]


def folder(language: str) -> Path:
    return Path(settings.LOCALE_PATHS[0]) / language / "LC_MESSAGES"


@pytest.fixture(params=LANGUAGES)
def catalogue(request: pytest.FixtureRequest) -> Catalog:
    return read(request.param)


def read(language: str) -> Catalog:
    with (folder(language) / "django.po").open("rb") as file:
        return read_po(file, locale=language)


def entries(catalogue: Catalog) -> list[Message]:
    return [message for message in catalogue if message.id]


def forms(text: str | list[str] | tuple[str, ...] | None) -> list[str]:
    return [text] if isinstance(text, str) else list(text or [""])


def known(catalogue: Catalog) -> set[Key]:
    return {(message.context, forms(message.id)[0]) for message in entries(catalogue)}


def peoples_templates() -> Iterator[str]:
    root = settings.BASE_DIR / "templates"
    for path in sorted(root.rglob("*")):
        if not path.is_dir() and path.relative_to(root).parts[0] not in STAFF_TEMPLATES:
            yield path.read_text()


def in_templates() -> Iterator[Key]:
    for source in peoples_templates():
        for found in TRANSLATE.finditer(source):
            yield found["context"], found["text"]
        for found in BLOCK.finditer(source):
            yield None, re.sub(r"{{\s*(\w+)\s*}}", r"%(\1)s", re.split(r"{%\s*plural\s*%}", found["text"])[0])


def calls_in_code() -> Iterator[tuple[str, list[str]]]:
    """(marker, its texts) of each call that marks texts."""
    for pattern in PEOPLES_CODE:
        for path in sorted(settings.BASE_DIR.glob(pattern)):
            for node in ast.walk(ast.parse(path.read_text())):
                if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in MARKERS:
                    yield node.func.id, [str(one.value) for one in node.args if isinstance(one, ast.Constant)]


def in_code() -> Iterator[Key]:
    for marker, texts in calls_in_code():
        if marker == "pgettext":
            yield texts[0], texts[1]
        elif texts:
            yield None, texts[0]


def plurals() -> Iterator[tuple[str, ...]]:
    for source in peoples_templates():
        for found in BLOCK.finditer(source):
            named = re.sub(r"{{\s*(\w+)\s*}}", r"%(\1)s", found["text"])
            if len(both := re.split(r"{%\s*plural\s*%}", named)) > 1:
                yield tuple(both)
    yield from (tuple(texts[:2]) for marker, texts in calls_in_code() if marker in PLURAL_MARKERS)


def in_rulebook() -> Iterator[Key]:
    for path in sorted((settings.BASE_DIR / "consents" / "rulebooks").glob("*.toml")):
        book = tomllib.loads(path.read_text())
        for purpose in book["purpose"]:
            for name in ("name", "description", "models_text"):
                if name in purpose:
                    yield None, purpose[name]
        for rule in book["rule"]:
            yield None, rule["explanation"]


def constants() -> Iterator[str]:
    """Every text in the code of the house, wherever it is marked."""
    for app in ("portal", "consents", "downstream", "requests_app"):
        for path in (settings.BASE_DIR / app).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text())):
                if isinstance(node, ast.Constant) and isinstance(node.value, str):
                    yield node.value


def test_every_text_of_peoples_templates_is_translated(catalogue: Catalog) -> None:
    wanted = set(in_templates())
    assert len(wanted) > 100
    assert wanted - known(catalogue) == set()


def test_every_text_of_peoples_code_is_translated(catalogue: Catalog) -> None:
    wanted = set(in_code())
    assert len(wanted) > 100
    assert wanted - known(catalogue) == set()


def test_what_has_a_plural_is_one_message_with_one(catalogue: Catalog) -> None:
    """As two messages neither is ever found."""
    wanted = set(plurals())
    assert len(wanted) > 5
    assert wanted - {message.id for message in entries(catalogue) if message.pluralizable} == set()


def test_every_text_of_the_rulebooks_is_translated(catalogue: Catalog) -> None:
    assert set(in_rulebook()) - known(catalogue) == set()


def test_no_entry_is_of_a_text_that_nobody_shows_any_more(catalogue: Catalog) -> None:
    shown = {text for _context, text in (*in_templates(), *in_rulebook())} | set(constants())
    assert {text for _context, text in known(catalogue)} - shown == set()


def test_no_entry_is_empty_fuzzy_or_obsolete(catalogue: Catalog) -> None:
    assert not catalogue.obsolete
    assert [message.id for message in entries(catalogue) if message.fuzzy] == []
    assert [message.id for message in entries(catalogue) if not all(forms(message.string))] == []


def test_both_languages_translate_the_same_texts() -> None:
    assert known(read("de")) == known(read("fr"))


def test_placeholders_and_tags_are_those_of_the_english(catalogue: Catalog) -> None:
    for message in entries(catalogue):
        assert list(message.check(catalogue)) == [], message.id
        english, translated = forms(message.id), forms(message.string)
        assert len(english) == len(translated), message.id
        for one, other in zip(english, translated, strict=True):
            assert sorted(PLACEHOLDER.findall(one)) == sorted(PLACEHOLDER.findall(other)), message.id


@pytest.mark.parametrize("language", LANGUAGES)
def test_what_is_compiled_is_what_is_written(language: str) -> None:
    written = io.BytesIO()
    write_mo(written, read(language))
    written.seek(0)
    with (folder(language) / "django.mo").open("rb") as file:
        assert texts(read_mo(file)) == texts(read_mo(written))


def texts(catalogue: Catalog) -> dict[Key, list[str]]:
    return {(message.context, forms(message.id)[0]): forms(message.string) for message in entries(catalogue)}


@pytest.mark.parametrize(
    ("language", "path", "sentence"),
    [
        ("de", "/", "Werden meine Daten genutzt, um KI zu trainieren?"),
        ("de", "/account/login/", "Geben Sie Ihre E-Mail-Adresse ein, und wir senden Ihnen einen Code."),
        ("fr", "/", "Choisissez votre pays pour voir ce qui s’y applique."),
        ("fr", "/account/login/", "Saisissez votre adresse e-mail et nous vous envoyons un code."),
    ],
)
def test_people_are_answered_in_the_language_their_browser_asks_for(
    world: None, language: str, path: str, sentence: str
) -> None:
    page = Client().get(path, headers={"Accept-Language": language}).content.decode()
    assert f'<html lang="{language}">' in page
    assert sentence in page


@pytest.mark.parametrize(("language", "shown"), [("de", "1. März 2026"), ("fr", "1 mars 2026")])
def test_a_day_is_written_as_the_language_writes_it(language: str, shown: str) -> None:
    with translation.override(language):
        assert shown in render_to_string("components/time.html", {"at": date(2026, 3, 1), "day_only": True})
