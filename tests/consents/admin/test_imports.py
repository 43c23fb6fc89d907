"""Staff follow an import and take its rejected lines away as a file."""

from pathlib import Path

import pytest

from consents.models import ChoiceImport, Subject
from portal.models import AuditEntry, User
from tests.conftest import SignIn
from tests.consents.sending import UTC_NOON, imported, written


@pytest.fixture
def done(alice: Subject, tmp_path: Path) -> ChoiceImport:
    good, bad = (f"account,{name},ai-training,deny,{UTC_NOON}" for name in ("m_alice", "m_nobody"))
    return imported(written(tmp_path, [good, bad]))


def test_an_import_is_listed_with_its_counts(done: ChoiceImport, bob: User, signed_in: SignIn) -> None:
    page = signed_in(bob).get("/admin/consents/choiceimport/").content.decode()
    assert "choices.csv" in page
    assert "command import_choices" in page


def test_its_page_shows_the_rejected_lines(done: ChoiceImport, bob: User, signed_in: SignIn) -> None:
    page = signed_in(bob).get(f"/admin/consents/choiceimport/{done.pk}/change/").content.decode()
    assert "Nobody is registered by this identifier." in page
    assert f"/admin/consents/choiceimport/{done.pk}/rejections.csv" in page


def test_they_are_downloaded_and_the_download_is_on_record(done: ChoiceImport, bob: User, signed_in: SignIn) -> None:
    response = signed_in(bob).get(f"/admin/consents/choiceimport/{done.pk}/rejections.csv")
    text = b"".join(response.streaming_content).decode()  # type: ignore[attr-defined]
    assert text.splitlines() == ["line,code,message", "3,unknown_subject,Nobody is registered by this identifier."]
    assert response["Content-Disposition"].startswith("attachment")
    assert AuditEntry.objects.get(action="import.download_rejections").object_id == str(done.pk)


@pytest.mark.parametrize("unknown", ["00000000-0000-0000-0000-000000000000", "nothing"])
def test_an_unknown_import_is_not_found(bob: User, signed_in: SignIn, unknown: str) -> None:
    assert signed_in(bob).get(f"/admin/consents/choiceimport/{unknown}/rejections.csv").status_code == 404


def test_whoever_is_not_staff_sees_none_of_it(done: ChoiceImport, charlie: Subject, signed_in: SignIn) -> None:
    for path in ("", f"{done.pk}/change/", f"{done.pk}/rejections.csv"):
        assert signed_in(charlie).get(f"/admin/consents/choiceimport/{path}").status_code in {302, 403, 404}
