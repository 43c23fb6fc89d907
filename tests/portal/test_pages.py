"""Health, the try-out's mail, and errors."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.core.mail import EmailMessage, get_connection
from django.test import Client

from portal import demo_access, pages
from portal.demo_access import StaffSignIn


def test_a_living_process_says_so() -> None:
    response = Client().get("/healthz")
    assert (response.status_code, response.json()) == (200, {"status": "ok"})
    assert "no-store" in response["Cache-Control"]


def test_it_is_ready_when_the_database_answers(db: None) -> None:
    assert Client().get("/readyz").json() == {"status": "ok"}


def test_it_is_not_ready_when_the_database_does_not_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    def away() -> None:
        raise OSError("connection refused to alice@db.example")

    monkeypatch.setattr(pages.connection, "cursor", away)
    response = Client().get("/readyz")
    assert (response.status_code, response.json()) == (503, {"status": "database unreachable"})


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/dev/mail/"])
def test_nothing_but_reading_is_allowed(path: str) -> None:
    assert Client().post(path).status_code == 405


@pytest.fixture
def box(settings: Any, tmp_path: Path) -> Callable[..., None]:
    """Sends a mail as a try-out installation does."""
    settings.MAIL_DIR = settings.DATA_DIR = tmp_path

    def send(subject: str, body: str = "Text") -> None:
        connection = get_connection("django.core.mail.backends.filebased.EmailBackend", file_path=str(tmp_path))
        EmailMessage(subject, body, "from@x.example", ["alice@x.example"], connection=connection).send()

    return send


class TestMailOfATryOut:
    def test_what_would_have_been_sent_is_shown(self, box: Callable[..., None], db: None) -> None:
        box("Your code", "AB12-CD34 – ä")
        page = Client().get("/dev/mail/").content.decode()
        for text in ("Your code", "AB12-CD34 – ä", "alice@x.example"):
            assert text in page

    def test_an_empty_box_says_so(self, box: Callable[..., None], db: None) -> None:
        assert "No mail yet" in Client().get("/dev/mail/").content.decode()

    def test_the_demos_staff_find_the_code_of_their_second_factor(self, box: Callable[..., None], db: None) -> None:
        demo_access.remember([StaffSignIn("agent", "bob@x.example", "JBSWY3DPEHPK3PXP")])
        ((role, address, code),) = demo_access.staff_codes()
        assert (role, address) == ("agent", "bob@x.example")
        assert code.isdigit()
        assert len(code) == 6

    def test_in_production_there_is_no_such_page(self, box: Callable[..., None], db: None, settings: Any) -> None:
        demo_access.remember([StaffSignIn("agent", "bob@x.example", "JBSWY3DPEHPK3PXP")])
        settings.LOCAL = False
        assert Client().get("/dev/mail/").status_code == 404
        assert demo_access.staff_codes() == []


def test_an_address_that_is_not_there_is_a_page_for_people(db: None) -> None:
    response = Client().get("/nothing/")
    assert response.status_code == 404
    assert "There is no such page" in response.content.decode()


def test_an_address_that_is_not_there_is_a_problem_for_programs(db: None) -> None:
    response = Client().get("/api/v1/nothing")
    assert (response.status_code, response["Content-Type"]) == (404, "application/problem+json")
    assert response.json()["code"] == "not_found"


@pytest.mark.parametrize(
    ("path", "kind"), [("/notices/", "text/html"), ("/api/v1/schema/", "application/problem+json")]
)
def test_a_failure_of_ours_tells_nothing_of_its_cause(
    db: None, monkeypatch: pytest.MonkeyPatch, path: str, kind: str
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise RuntimeError("alice@example.org")

    monkeypatch.setattr("consents.pages.views._in_language", fail)
    monkeypatch.setattr("drf_spectacular.views.SpectacularAPIView._get_schema_response", fail)
    response = Client(raise_request_exception=False).get(path)
    assert response.status_code == 500
    assert response["Content-Type"].startswith(kind)
    assert b"alice" not in response.content
    if kind.endswith("json"):
        assert json.loads(response.content)["code"] == "failed"


def test_the_public_keys_are_there_for_everybody() -> None:
    response = Client().get("/.well-known/jwks.json")
    keys = response.json()["keys"]
    assert [key["kid"] for key in keys] == list(settings.SIGNING_KEYS.public)
    assert all(key["crv"] == "Ed25519" and "d" not in key for key in keys)
    assert response["Content-Type"] == "application/jwk-set+json"
    assert response["Cache-Control"] == "public, max-age=300"
    assert Client().post("/.well-known/jwks.json").status_code == 405
