"""The staff's pages of texts: a list of the newest, a further version with its preview, and every version so far."""

import re
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from consents.models import Subject
from portal.models import User
from requests_app import message_templates
from requests_app.message_templates import Wording
from requests_app.models import MessageTemplate
from tests.conftest import AT, BY, SignIn

pytestmark = pytest.mark.django_db

LIST, WRITE = "/admin/requests_app/messagetemplate/", "/admin/requests_app/messagetemplate/add/"
GOOD = {"slug": "hello", "language": "en", "title": "Hello", "right": "", "body": "About {reference}."}


def kept(body: str = "About {reference}.", language: str = "en") -> MessageTemplate:
    wording = Wording("Hello", body)
    return message_templates.write(slug="hello", language=language, wording=wording, by=BY, at=AT)


def versions(slug: str = "hello", language: str = "en") -> str:
    return reverse("admin:requests_app_messagetemplate_versions", args=[slug, language])


def test_a_manager_writes_a_text_and_sees_it_in_the_list(petra: User, signed_in: SignIn) -> None:
    browser = signed_in(petra)
    answer = browser.post(WRITE, GOOD | {"keep": "1"})
    assert answer["Location"] == versions()
    written = MessageTemplate.objects.get()
    assert (written.body, written.version, written.written_by) == ("About {reference}.", 1, f"staff:{petra.pk}")
    assert "Hello" in browser.get(LIST).content.decode()


def test_a_preview_is_filled_and_keeps_nothing(petra: User, signed_in: SignIn) -> None:
    answer = signed_in(petra).post(WRITE, GOOD | {"preview": "1", "body": "Until {due_on}", "language": "de"})
    page = answer.content.decode()
    assert "Until 29. Mai 2026" in page
    # what was typed is still there
    assert "Until {due_on}" in page
    assert not MessageTemplate.objects.exists()


def test_a_preview_shows_markup_as_it_is_written(petra: User, signed_in: SignIn) -> None:
    page = signed_in(petra).post(WRITE, GOOD | {"preview": "1", "body": "<script>x</script>"}).content.decode()
    assert "<script>x" not in page
    assert "&lt;script&gt;x" in page


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"body": "Hello {nobody}"}, "body"),
        ({"body": "Hello { you"}, "body"),
        ({"slug": "Not a slug"}, "slug"),
        ({"slug": ""}, "slug"),
        ({"language": "xx"}, "language"),
        ({"title": ""}, "title"),
        ({"right": "nonsense"}, "right"),
        ({"body": "x" * 8_001}, "body"),
        ({"body": "a\0b"}, "body"),
    ],
)
@pytest.mark.parametrize("button", ["keep", "preview"])
def test_what_is_wrong_is_said_at_its_field(
    petra: User, signed_in: SignIn, wrong: dict[str, str], field: str, button: str
) -> None:
    answer = signed_in(petra).post(WRITE, GOOD | wrong | {button: "1"})
    if button == "preview" and wrong.get("slug") == "Not a slug":
        assert not MessageTemplate.objects.exists()
        return
    assert list(answer.context["form"].errors) == [field]
    assert not MessageTemplate.objects.exists()


def test_the_next_version_begins_with_the_newest(petra: User, signed_in: SignIn) -> None:
    kept("One")
    kept("Two")
    page = signed_in(petra).get(f"{WRITE}?slug=hello&language=en").content.decode()
    assert "Two" in page
    assert not re.search(r"\bOne\b", page), "a random token may have these letters"
    assert signed_in(petra).get(f"{WRITE}?slug=%00&language=%00").status_code == 200


def test_every_version_is_shown_with_who_wrote_it(petra: User, signed_in: SignIn) -> None:
    one = kept("First words")
    kept("Second words")
    browser = signed_in(petra)
    page = browser.get(versions()).content.decode()
    assert page.index("Second words") < page.index("First words")
    assert page.count("a former member of staff") == 2
    listed = browser.get(LIST).content.decode()
    assert listed.count("Hello") == 1
    # the row of an older version leads there too
    answer = browser.get(f"{LIST}{one.pk}/change/")
    assert answer["Location"] == versions()


def test_a_retired_text_is_listed_as_such(petra: User, signed_in: SignIn) -> None:
    kept("One")
    kept("")
    browser = signed_in(petra)
    assert "retired" in browser.get(LIST).content.decode()
    assert "Retired" in browser.get(versions()).content.decode()


def test_an_agent_reads_and_does_not_write(bob: User, signed_in: SignIn) -> None:
    kept()
    browser = signed_in(bob)
    assert browser.get(LIST).status_code == 200
    assert "Write the next version" not in browser.get(versions()).content.decode()
    assert browser.get(WRITE).status_code == 403
    assert browser.post(WRITE, GOOD | {"keep": "1"}).status_code == 403
    assert MessageTemplate.objects.count() == 1


@pytest.mark.parametrize("path", [LIST, WRITE, "versions"])
def test_people_and_strangers_do_not_come_in(alice: Subject, signed_in: SignIn, path: str) -> None:
    kept()
    address = versions() if path == "versions" else path
    assert signed_in(alice).get(address, follow=True).status_code == 403
    assert Client().get(address).status_code == 302


def test_what_is_unknown_is_not_found(petra: User, signed_in: SignIn) -> None:
    browser = signed_in(petra)
    assert browser.get(versions("nothing")).status_code == 404
    for name in ("0", "nonsense", "x" * 200):
        assert browser.get(f"{LIST}{name}/change/").status_code == 404


def test_nothing_is_edited_or_deleted_in_place(petra: User, signed_in: SignIn) -> None:
    one = kept()
    browser: Any = signed_in(petra)
    assert browser.post(f"{LIST}{one.pk}/delete/", {"post": "yes"}).status_code in {302, 403, 404}
    browser.post(f"{LIST}{one.pk}/change/", {"body": "other"})
    assert MessageTemplate.objects.get().body == "About {reference}."


def test_a_post_from_elsewhere_keeps_nothing(petra: User, signed_in: SignIn) -> None:
    strict = Client(enforce_csrf_checks=True)
    strict.cookies = signed_in(petra).cookies
    assert strict.post(WRITE, GOOD | {"keep": "1"}).status_code == 403
    assert not MessageTemplate.objects.exists()
