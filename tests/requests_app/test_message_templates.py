"""The texts that staff begin with: versions, variables that are refused or filled, and what Heed is shipped with."""

import io
import re
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import DatabaseError
from django.utils import translation
from hypothesis import given
from hypothesis import strategies as st

from consents.models import Subject
from portal import audit
from portal.models import AuditEntry
from requests_app import message_templates, messages
from requests_app.message_templates import TemplateError, Wording
from requests_app.models import MessageTemplate, Request
from requests_app.states import Ground
from tests.conftest import AT, BY
from tests.requests_app.asking import received

pytestmark = pytest.mark.django_db

NAMES = st.sampled_from(message_templates.variables())
PIECES = st.one_of(
    st.text(st.characters(blacklist_characters="{}", blacklist_categories=["Cs"]), max_size=12),
    NAMES.map(lambda name: f"{{{name}}}"),
    st.sampled_from(["{{", "}}", "{{reference}}"]),
)


def kept(body: str, *, slug: str = "hello", language: str = "en", right: str = "") -> MessageTemplate:
    return message_templates.write(slug=slug, language=language, wording=Wording("Hello", body, right), by=BY, at=AT)


def filled(body: str, request: Request, language: str = "en") -> str:
    return message_templates.fill(body, request, language=language)


# --- what is refused


@pytest.mark.parametrize(
    ("body", "code", "where"),
    [
        ("Hello {nobody}", "unknown_variable", "line 1, character 7"),
        ("Hello\nyou {}", "unknown_variable", "line 2, character 5"),
        ("{Reference}", "unknown_variable", "line 1, character 1"),
        ("{reference.pk}", "unknown_variable", "line 1, character 1"),
        ("{reference!r}", "unknown_variable", "line 1, character 1"),
        ("a\n\n  { b", "lone_brace", "line 3, character 3"),
        ("a } b", "lone_brace", "line 1, character 3"),
        ("{{{reference}", "", ""),
        ("{{reference}", "lone_brace", "line 1, character 12"),
    ],
)
def test_a_variable_that_there_is_not_is_refused_with_its_place(body: str, code: str, where: str) -> None:
    if not code:
        message_templates.check(body)
        return
    with pytest.raises(TemplateError) as refused:
        kept(body)
    assert (refused.value.code, refused.value.field) == (code, "body")
    assert where in refused.value.message
    assert not MessageTemplate.objects.exists()


@pytest.mark.parametrize(
    ("wrong", "code"),
    [
        ({"slug": "Not a slug"}, "bad_slug"),
        ({"slug": "x" * 51}, "bad_slug"),
        ({"slug": ""}, "bad_slug"),
        ({"language": "xx"}, "unknown_language"),
        ({"wording": Wording(" ", "text")}, "bad_title"),
        ({"wording": Wording("x" * 121, "text")}, "bad_title"),
        ({"wording": Wording("a", "text", "nonsense")}, "unknown_right"),
        ({"wording": Wording("a", "x" * 8_001)}, "too_long"),
    ],
)
def test_what_is_wrong_is_said(wrong: dict[str, Any], code: str) -> None:
    good: dict[str, Any] = {"slug": "hello", "language": "en", "wording": Wording("a", "text")}
    with pytest.raises(TemplateError) as refused:
        message_templates.write(**{**good, **wrong}, by=BY, at=AT)
    assert refused.value.code == code


@given(st.text(st.characters(blacklist_categories=["Cs"]), max_size=80))
def test_whatever_passes_the_check_is_filled_without_a_brace_left_over(body: str) -> None:
    try:
        message_templates.check(body)
    except TemplateError:
        return
    text = message_templates.fill(body, message_templates.example(), language="en")
    assert body.count("{{") == text.count("{") or "{{{" in body


@given(st.lists(PIECES, max_size=12))
def test_filling_changes_variables_and_nothing_else(pieces: list[str]) -> None:
    values = message_templates.example().values
    meant = {"{{": "{", "}}": "}", "{{reference}}": "{reference}"}
    meant |= {f"{{{name}}}": value for name, value in values.items()}
    expected = "".join(meant.get(piece, piece) for piece in pieces)
    # two pieces side by side may read as another one
    body = "\u2060".join(pieces)
    message_templates.check(body)
    text = message_templates.fill(body, message_templates.example(), language="en")
    if "\u2060" not in "".join(pieces):
        assert text.replace("\u2060", "") == expected


def test_what_is_filled_in_is_not_read_as_a_variable_again() -> None:
    example = message_templates.Example({**message_templates.example().values, "regulator": "{reference}"})
    assert message_templates.fill("{regulator}", example, language="en") == "{reference}"


# --- filling


@pytest.mark.parametrize(
    ("language", "day"), [("en", "17 Apr 2026"), ("de", "17. April 2026"), ("fr", "17 avril 2026")]
)
def test_dates_read_as_in_the_readers_language(alice: Subject, language: str, day: str) -> None:
    request = received(alice)
    request.due_on = date(2026, 4, 17)
    with translation.override("fr"):
        assert filled("{due_on}", request, language) == day
        assert translation.get_language() == "fr"


def test_a_request_fills_in_what_it_knows(grace: Subject, settings: Any) -> None:
    request = received(grace)
    body = "{reference} {name_of_site} {contact} {regulator} {regulator_url} {right}"
    expected = f"{request.reference} {settings.SITE_NAME} {settings.CONTROLLER['email']}"
    text = filled(body, request)
    assert text.startswith(expected)
    assert "Information" in text
    assert "https://" in text
    assert text.endswith(str(request.get_right_display()))


def test_the_day_of_receipt_is_that_of_the_persons_calendar(grace: Subject) -> None:
    request = received(grace)
    # half past midnight in London, in summer
    request.received_at = AT.replace(month=7, day=1, hour=23, minute=30)
    assert filled("{received_on}", request) == "2 Jul 2026"


def test_what_a_request_lacks_leaves_a_mark(alice: Subject) -> None:
    text = filled("Until {extended_until}, because {ground}.", received(alice))
    assert text == "Until [extended_until?], because [ground?]."
    assert [found[1] for found in message_templates.MARK.finditer(text)] == ["extended_until", "ground"]


def test_an_extension_by_the_laws_longest_fills_in_the_due_date(alice: Subject) -> None:
    request = received(alice)
    request.due_on, request.extended_at = date(2026, 7, 1), AT
    assert filled("{extended_until}", request) == "1 Jul 2026"
    request.extended_until = date(2026, 6, 1)
    assert filled("{extended_until}", request) == "1 Jun 2026"


def test_a_template_is_filled_in_its_own_language(alice: Subject) -> None:
    template = kept("Bis {due_on}", language="de")
    request = received(alice)
    request.due_on = date(2026, 4, 17)
    assert messages.fill(template, request) == "Bis 17. April 2026"


# --- versions


def test_each_change_is_a_version_and_the_newest_counts() -> None:
    kept("One")
    second = kept("Two\r\nlines ")
    assert (second.version, second.body) == (2, "Two\nlines")
    assert message_templates.get("hello", locale="en") == second
    assert MessageTemplate.objects.filter(body="One").exists()
    entries = AuditEntry.objects.filter(action="message_template.write")
    assert [one.details["version"] for one in entries.order_by("pk")] == [1, 2]


def test_an_empty_text_retires_it_in_its_language_alone() -> None:
    kept("One")
    kept("Eins", language="de")
    kept("")
    assert [one.language for one in message_templates.current()] == ["de"]
    assert message_templates.get("hello", locale="fr") is None
    kept("Again")
    found = message_templates.get("hello", locale="fr")
    assert found is not None
    assert (found.version, found.language) == (3, "en")


def test_a_text_for_one_right_is_offered_for_no_other() -> None:
    kept("Any", slug="any")
    kept("Gone", slug="gone", right="erasure")
    assert [one.slug for one in message_templates.current(right="erasure")] == ["any", "gone"]
    assert [one.slug for one in message_templates.current(right="access")] == ["any"]
    assert len(message_templates.current()) == 2


@pytest.mark.parametrize(("locale", "language"), [("de", "de"), ("de-CH", "de"), ("fr", "en"), ("en", "en")])
def test_who_reads_another_language_gets_english(locale: str, language: str) -> None:
    kept("One")
    kept("Eins", language="de")
    found = message_templates.get("hello", locale=locale)
    assert found is not None
    assert found.language == language


def test_nothing_is_kept_where_the_trail_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(**_: Any) -> None:
        raise DatabaseError

    monkeypatch.setattr(audit, "record", fail)
    with pytest.raises(DatabaseError):
        kept("One")
    assert not MessageTemplate.objects.exists()


# --- what Heed is shipped with


def test_the_shipped_texts_come_in_every_language(settings: Any) -> None:
    new = message_templates.load(by=BY, at=AT)
    slugs = {one.slug for one in new}
    assert {"acknowledgement", "ask-for-clarification", "ask-for-proof", "extension", "answer-is-ready"} <= slugs
    assert {"erased", "correction-made", "appeal-decided"} <= slugs
    assert {f"refusal-{ground.value.replace('_', '-')}" for ground in Ground} <= slugs
    for slug in slugs:
        assert {one.language for one in new if one.slug == slug} == set(dict(settings.LANGUAGES))


def test_the_shipped_texts_use_the_same_variables_in_every_language() -> None:
    message_templates.load(by=BY, at=AT)
    for slug in {one.slug for one in MessageTemplate.objects.all()}:
        bodies = MessageTemplate.objects.filter(slug=slug).values_list("body", flat=True)
        assert len({tuple(sorted(re.findall(r"\{(\w+)\}", body))) for body in bodies}) == 1, slug


def test_loading_again_brings_nothing_and_overwrites_nobody() -> None:
    message_templates.load(by=BY, at=AT)
    kept("Our own words", slug="acknowledgement")
    kept("", slug="erased", language="fr")
    assert message_templates.load(by=BY, at=AT) == []
    own = message_templates.get("acknowledgement", locale="en")
    assert own is not None
    assert own.body == "Our own words"
    assert "erased/fr" not in {f"{one.slug}/{one.language}" for one in message_templates.current()}


def test_the_command_brings_them_and_says_how_many() -> None:
    said = io.StringIO()
    call_command("load_message_templates", stdout=said)
    assert said.getvalue() == f"{MessageTemplate.objects.count()} texts brought.\n"
    assert MessageTemplate.objects.values_list("written_by", flat=True).distinct().get() == (
        "command:load_message_templates"
    )


@pytest.mark.parametrize(
    "content", ["", "not toml [", "[template]\n[refusal]\n", '[template.a]\ntitle = "x"\nbody = "y"\n[refusal]\n']
)
def test_a_file_that_is_none_is_refused_whole(tmp_path: Path, content: str) -> None:
    path = tmp_path / "texts.toml"
    path.write_text(content)
    with pytest.raises(CommandError, match=r"texts\.toml"):
        call_command("load_message_templates", str(path))
    assert not MessageTemplate.objects.exists()


def test_a_shipped_file_with_a_wrong_variable_is_refused_whole(tmp_path: Path) -> None:
    path = tmp_path / "texts.toml"
    path.write_text(message_templates.SHIPPED.read_text().replace("{received_on}", "{recieved_on}"))
    with pytest.raises(TemplateError):
        message_templates.load(path=path, by=BY, at=AT)
    assert not MessageTemplate.objects.exists()
