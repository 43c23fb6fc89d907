"""Neither a log line nor a task says who somebody is, whatever happens."""

import inspect
import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from celery import current_app, signals
from django.core import mail
from django.core.management import CommandError, call_command
from django.db import IntegrityError
from django.test import Client

from consents import subjects
from consents.models import Identifier, Partner, Subject
from portal.models import User
from tests.conftest import AT, BY, SignIn, person, token_of

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("own_cache")]

ACCOUNT, ADDRESS = "m_zaphod9", "zaphod9@example.org"
SCOPES = "choices:write decisions:read changes:read"


@pytest.fixture
def zaphod(world: None) -> Subject:
    return person("zaphod9", "GB")


@pytest.fixture
def published() -> Iterator[list[str]]:
    """Every task message that is handed to the broker, headers and all."""
    messages: list[str] = []

    def keep(body: Any = None, headers: Any = None, **_: Any) -> None:
        messages.append(json.dumps([body, headers], default=str))

    signals.before_task_publish.connect(keep)
    yield messages
    signals.before_task_publish.disconnect(keep)


def by_partner(acme: Partner) -> None:
    """Calls that succeed and calls that fail in every way, all naming the person."""
    client = Client(headers={"authorization": f"Bearer {token_of(acme, SCOPES)}"}, raise_request_exception=False)
    choice: dict[str, Any] = {"purpose": "ai-training", "action": "deny", "occurred_at": "2026-03-02T12:00:00Z"}
    by_account = {**choice, "subject": {"scheme": "account", "value": ACCOUNT}, "evidence": f"said {ACCOUNT}"}
    by_address = {**choice, "subject": {"scheme": "email", "value": ADDRESS}}
    bodies: list[Any] = [by_account, by_address, {**by_account, "purpose": ADDRESS}, {**by_account, "action": ADDRESS}]
    bodies += [{**by_account, "occurred_at": ADDRESS}, {**by_account, ACCOUNT: 1}, [ACCOUNT], ACCOUNT]
    bodies += [{**by_account, "subject": {"scheme": "nobodys", "value": ACCOUNT}}]
    for body in bodies:
        client.post("/api/v1/choices", json.dumps(body), content_type="application/json")
        client.post("/api/v1/choices", json.dumps(body)[:-2], content_type="application/json")
        client.post("/api/v1/choices", {"body": str(body)})
    many = "\n".join(json.dumps(body) for body in bodies)
    for cut in (len(many), -2):
        client.post("/api/v1/choices/bulk", many[:cut], content_type="application/x-ndjson")
    for subject in (f"account:{ACCOUNT}", f"email:{ADDRESS}", ACCOUNT, f"nobodys:{ACCOUNT}"):
        client.get("/api/v1/decisions", {"subject": subject, "purpose": "ai-training"})
    client.get("/api/v1/changes", {"after": "0"})


def by_the_person(zaphod: Subject) -> None:
    browser = Client(raise_request_exception=False)
    browser.post("/account/login/code/", {"email": ADDRESS})
    browser.post("/account/login/code/confirm/", {"code": "WRONG"})
    code = str(mail.outbox[-1].body).split("\n\n")[1].strip()
    assert browser.post("/account/login/code/confirm/", {"code": code}).status_code == 302
    for path in ("/", "/choices/", "/history/", f"/?country={ADDRESS}"):
        browser.get(path)
    browser.post("/choices/choose/", {"purpose": "ai-training", "action": "deny"})
    browser.post("/choices/choose/", {"purpose": ADDRESS, "action": ACCOUNT})


def by_somebody_without_an_account() -> None:
    browser = Client(raise_request_exception=False, headers={"sec-gpc": "1"})
    filled = {"purposes": ["ai-training"], "country": "GB", "email": ADDRESS, "content": f"of {ACCOUNT}"}
    browser.post("/object/", {**filled, "country": ADDRESS})
    browser.post("/object/", filled)
    browser.post("/object/code/", {"code": ADDRESS})
    code = str(mail.outbox[-1].body).split("\n\n")[1].strip()
    assert browser.post("/object/code/", {"code": code}).status_code == 302
    browser.get("/object/done/")


def by_staff(browser: Client, zaphod: Subject) -> None:
    for term in (ACCOUNT, ADDRESS, "nobody@example.org"):
        browser.get("/admin/consents/subject/", {"q": term})
    browser.get(f"/admin/consents/subject/{zaphod.pk}/change/")


def by_commands(folder: Path) -> None:
    good, bad = folder / "good.csv", folder / "bad.csv"
    good.write_text(f"author_id,email,jurisdiction\n{ACCOUNT},{ADDRESS},GB\nx,x-{ADDRESS},GB\n")
    bad.write_text(f"author_id,email,jurisdiction\n{ACCOUNT},{ADDRESS},{ADDRESS}\n")
    out = io.StringIO()
    call_command("import_members", str(good), stdout=out)
    with pytest.raises(CommandError) as refusal:
        call_command("import_members", str(bad), stdout=out)
    choices = folder / "choices.csv"
    values = ["account", ACCOUNT, "ai-training", "deny", "2026-03-02T12:00:00Z", f"said {ACCOUNT}"]
    wrong = [",".join(ADDRESS if at == place else value for at, value in enumerate(values)) for place in range(6)]
    head = "scheme,value,purpose,action,occurred_at,evidence"
    choices.write_text("\n".join([head, ",".join(values), *wrong, f'"{ACCOUNT}']))
    with pytest.raises(CommandError) as broken:
        call_command("import_choices", str(choices), stdout=out)
    assert "zaphod9" not in out.getvalue() + str(refusal.value) + str(broken.value)


def by_accident(zaphod: Subject, monkeypatch: pytest.MonkeyPatch) -> None:
    """A failure of ours in the middle of a page, with the database's own words."""

    def fail(*_: object) -> None:
        twin = Identifier.objects.exclude(value=None).get(subject=zaphod)
        twin.pk = None
        twin.save(force_insert=True)

    with monkeypatch.context() as patched:
        patched.setattr("consents.pages.notices.in_language", fail)
        response = Client(raise_request_exception=False).get("/notices/")
    assert response.status_code == 500
    with pytest.raises(IntegrityError):
        fail()


def test_no_line_and_no_task_names_the_person(
    zaphod: Subject,
    acme: Partner,
    bob: User,
    signed_in: SignIn,
    written: io.StringIO,
    published: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    by_partner(acme)
    by_the_person(zaphod)
    by_somebody_without_an_account()
    by_staff(signed_in(bob), zaphod)
    by_accident(zaphod, monkeypatch)
    by_commands(tmp_path)
    subjects.forget(subject=zaphod, by=BY, at=AT)
    lines = written.getvalue()
    assert "/api/v1/choices" in lines
    assert "request_failed" in lines
    assert "IntegrityError" in lines
    found = [line for line in lines.splitlines() if "zaphod9" in line.lower() or "example.org" in line.lower()]
    assert found == []
    assert published
    assert not [message for message in published if "zaphod9" in message or str(zaphod.pk) in message]


def parameters() -> list[tuple[str, list[inspect.Parameter]]]:
    """Each of our tasks with what it is called with."""
    current_app.loader.import_default_modules()
    ours = {"portal", "consents", "downstream", "requests_app"}
    tasks = [task for name, task in current_app.tasks.items() if name.split(".")[0] in ours]
    assert len(tasks) >= 5
    return [(task.name, list(inspect.signature(task.run).parameters.values())) for task in tasks]


def test_tasks_are_called_with_ids_only() -> None:
    for name, every in parameters():
        named = [one for one in every if one.kind != one.VAR_KEYWORD]
        assert all(one.kind == one.KEYWORD_ONLY and one.name.endswith("_id") for one in named), name


def test_tasks_bear_with_words_of_another_version() -> None:
    for name, every in parameters():
        assert inspect.Parameter.VAR_KEYWORD in {one.kind for one in every}, name
