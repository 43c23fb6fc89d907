"""The register of systems that no connector reaches, and its pages."""

from typing import Any

import pytest
from django.urls import reverse

from portal.errors import Conflict, DomainError
from portal.models import AuditEntry, User
from requests_app import systems
from requests_app.models import System
from tests.conftest import AT, BY, SignIn
from tests.requests_app.asking import LATER, system

pytestmark = pytest.mark.django_db
SAID = {
    "slug": "crm",
    "name": "CRM",
    "public_name": "Our CRM",
    "rights": ["erasure", "access"],
    "instructions": "Look there.",
}
ADD, LIST = "/admin/requests_app/system/add/", "/admin/requests_app/system/"


def test_it_is_registered_described_and_retired_with_a_trace() -> None:
    one = systems.register(**SAID, by=BY, at=AT)  # type: ignore[arg-type]  # a form's words
    assert one.rights == ["access", "erasure"]
    said: dict[str, Any] = {name: value for name, value in SAID.items() if name != "slug"}
    assert systems.describe(system=one, **said, by=BY, at=LATER).name == "CRM"
    systems.describe(system=one, **(said | {"name": "The CRM"}), by=BY, at=LATER)
    systems.retire(system=one, by=BY, at=LATER)
    trail = AuditEntry.objects.filter(object_type="system").order_by("at", "pk").values_list("action", "details")
    assert list(trail) == [
        ("system.register", {"rights": ["access", "erasure"]}),
        ("system.describe", {"changed": ["name"]}),
        ("system.retire", {}),
    ]
    for act in (
        lambda: systems.retire(system=one, by=BY, at=LATER),
        lambda: systems.describe(system=one, **said, by=BY, at=LATER),
    ):
        with pytest.raises(Conflict) as refused:
            act()
        assert refused.value.code == "retired"


@pytest.mark.parametrize(
    ("wrong", "code"),
    [
        ({"slug": "a b"}, "invalid_slug"),
        ({"name": " "}, "name_missing"),
        ({"public_name": ""}, "name_missing"),
        ({"rights": []}, "rights_missing"),
        ({"rights": ["all"]}, "rights_missing"),
        ({"instructions": " "}, "instructions_missing"),
    ],
)
def test_a_system_that_says_too_little_is_refused(wrong: dict[str, Any], code: str) -> None:
    said: dict[str, Any] = SAID | wrong
    with pytest.raises(DomainError) as refused:
        systems.register(**said, by=BY, at=AT)
    assert refused.value.code == code
    assert not System.objects.exists()


def test_a_name_is_taken_once() -> None:
    system("erasure")
    with pytest.raises(Conflict) as refused:
        system("erasure")
    assert refused.value.code == "system_exists"


def test_a_manager_keeps_the_register(petra: User, signed_in: SignIn) -> None:
    browser = signed_in(petra)
    assert "No system is registered" in browser.get(LIST).content.decode()
    assert browser.get(ADD).status_code == 200
    assert browser.post(ADD, SAID).status_code == 302
    page = reverse("admin:requests_app_system_change", args=["crm"])
    assert "Look there." in browser.get(page).content.decode()
    assert browser.post(page, SAID | {"slug": "other", "instructions": "Look twice."}).status_code == 302
    assert System.objects.get().instructions == "Look twice."
    assert "There is a system of this name" in browser.post(ADD, SAID).content.decode()
    assert AuditEntry.objects.filter(object_type="system", actor=f"staff:{petra.pk}").count() == 2
    retire = reverse("admin:requests_app_system_retire", args=["crm"])
    assert browser.get(retire).status_code == 200
    assert System.objects.get().retired_at is None
    assert browser.post(retire, {"_form_submitted": "True"})["HX-Redirect"] == LIST
    assert System.objects.get().retired_at is not None
    shown = browser.get(page).content.decode()
    assert "Write it down" not in shown
    assert "retired" in browser.get(LIST).content.decode()


def test_an_agent_reads_it(bob: User, signed_in: SignIn) -> None:
    system("erasure")
    browser = signed_in(bob)
    page = reverse("admin:requests_app_system_change", args=["crm"])
    assert browser.get(LIST).status_code == 200
    assert browser.get(page).status_code == 200
    assert browser.post(page, SAID).status_code in {302, 403}
    assert browser.get(ADD).status_code == 403
    assert browser.post(reverse("admin:requests_app_system_retire", args=["crm"])).status_code in {302, 403}
    assert System.objects.get().name == "CRM"


@pytest.mark.parametrize("bad", ["nonsense", "_5B_00", "x" * 200])
def test_what_is_not_there_is_not_found(petra: User, signed_in: SignIn, bad: str) -> None:
    assert signed_in(petra).get(reverse("admin:requests_app_system_change", args=[bad])).status_code == 404
