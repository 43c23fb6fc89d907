"""Messages and packages go through a front end that vouches for who reads them."""

from datetime import timedelta
from typing import Any

import pytest

from consents.models import Partner, Subject
from portal import clock, references, sealed_files
from requests_app import sealing, workflow
from requests_app.models import Message, Package, PackageDownload, Request
from requests_app.states import PackageStatus
from tests.conftest import BY, partner, person
from tests.consents.api.conftest import problem
from tests.requests_app.api.conftest import FrontEnd, asks

CONTENT = b"PK" + bytes(3 * sealed_files.CHUNK)


@pytest.fixture(autouse=True)
def registered(alice: Subject) -> Subject:
    return alice


def sent(front_end: FrontEnd, *rights: str) -> Request:
    return Request.objects.get(pk=references.decode("Q", front_end.sends(*rights)["reference"]))


def answered(request: Request, text: str) -> Message:
    """What staff wrote."""
    sealed = sealing.seal(request, text, context=sealing.MESSAGE)
    return Message.objects.create(
        request=request, direction="staff", author="staff:1", sent_at=clock.now(), sealed_body=sealed
    )


def packed(request: Request, *, status: str = PackageStatus.READY, days: int = 30) -> Package:
    """A package of that state, with its file."""
    now, key = clock.now(), sealed_files.new_key()
    package = Package.objects.create(
        request=request,
        status=status,
        sealed_key=sealing.seal(request, key.hex(), context=sealing.PACKAGE_KEY),
        asked_at=now,
        asked_by="system:heed",
        released_at=now,
        expires_at=now + timedelta(days=days),
    )
    with sealed_files.create(sealed_files.path_of("packages", package.pk), key=key) as file:
        file.write(CONTENT)
    return package


@pytest.fixture
def own_folder(settings: Any, tmp_path: Any) -> None:
    settings.FILES_DIR = tmp_path


class TestMessages:
    def test_both_sides_are_read_in_order(self, front_end: FrontEnd) -> None:
        request = sent(front_end)
        path = f"/requests/{request.reference}"
        assert front_end.post(f"{path}/messages", {"body": "How long?"}).status_code == 201
        answered(request, "A week.")
        assert front_end.get(path).json()["messages"] == {"total": 2, "unread": 1}  # type: ignore[attr-defined]
        said = front_end.get(f"{path}/messages")
        assert [(one["author"], one["body"]) for one in said.json()["messages"]] == [  # type: ignore[attr-defined]
            ("person", "How long?"),
            ("staff", "A week."),
        ]
        assert said["Cache-Control"] == "no-store"
        assert front_end.get(path).json()["messages"]["unread"] == 0  # type: ignore[attr-defined]

    def test_a_message_is_sealed(self, front_end: FrontEnd) -> None:
        front_end.post(f"/requests/{sent(front_end).reference}/messages", {"body": "How long?"})
        assert b"How long" not in bytes(Message.objects.get().sealed_body)

    def test_a_repeated_key_writes_nothing(self, front_end: FrontEnd) -> None:
        path = f"/requests/{sent(front_end).reference}/messages"
        for _ in range(2):
            assert front_end.post(path, {"body": "How long?"}, Idempotency_Key="m").status_code == 201
        assert Message.objects.count() == 1

    @pytest.mark.parametrize("body", [{}, {"body": ""}, {"body": " "}, {"body": "a" * 100_001}, {"text": "a"}])
    def test_a_message_has_a_body(self, front_end: FrontEnd, body: dict[str, str]) -> None:
        refused = front_end.post(f"/requests/{sent(front_end).reference}/messages", body)
        assert problem(refused)[0] in {400, 413}

    def test_nobody_writes_to_a_closed_request(self, front_end: FrontEnd) -> None:
        path = f"/requests/{sent(front_end).reference}"
        front_end.delete(path)
        assert problem(front_end.post(f"{path}/messages", {"body": "Hello?"}))[0] == 409

    def test_who_does_not_vouch_writes_and_does_not_read(self, stranger: FrontEnd) -> None:
        path = f"/requests/{sent(stranger).reference}/messages"
        assert stranger.post(path, {"body": "How long?"}).status_code == 201
        assert problem(stranger.get(path)) == (403, "not_vouching")

    def test_somebody_elses_are_unknown(self, front_end: FrontEnd, stranger: FrontEnd) -> None:
        path = f"/requests/{sent(front_end).reference}/messages"
        assert problem(stranger.get(path)) == (404, "unknown_reference")
        assert problem(stranger.post(path, {"body": "Hello?"})) == (404, "unknown_reference")


@pytest.mark.usefixtures("own_folder")
class TestPackages:
    def test_it_streams_and_is_counted(self, front_end: FrontEnd) -> None:
        request = sent(front_end)
        package = packed(request)
        answer: Any = front_end.get(f"/requests/{request.reference}/package")
        assert (answer.status_code, answer["Content-Type"]) == (200, "application/zip")
        assert b"".join(answer.streaming_content) == CONTENT
        assert PackageDownload.objects.get(package=package).actor == "partner:acme"

    def test_none_yet(self, front_end: FrontEnd) -> None:
        answer = front_end.get(f"/requests/{sent(front_end).reference}/package")
        assert problem(answer)[0] == 409

    @pytest.mark.parametrize("status", [PackageStatus.WAITING, PackageStatus.BUILDING, PackageStatus.REVIEW])
    def test_not_before_it_is_ready(self, front_end: FrontEnd, status: str) -> None:
        request = sent(front_end)
        packed(request, status=status)
        assert problem(front_end.get(f"/requests/{request.reference}/package"))[0] == 409

    def test_not_once_its_time_is_over(self, front_end: FrontEnd) -> None:
        request = sent(front_end)
        packed(request, days=0)
        assert problem(front_end.get(f"/requests/{request.reference}/package"))[0] == 409

    def test_not_to_who_does_not_vouch(self, stranger: FrontEnd) -> None:
        request = sent(stranger)
        packed(request)
        assert problem(stranger.get(f"/requests/{request.reference}/package")) == (403, "not_vouching")
        assert not PackageDownload.objects.exists()

    def test_it_is_deleted_once_the_person_needs_it_no_longer(self, front_end: FrontEnd) -> None:
        request = sent(front_end)
        package = packed(request)
        path = f"/requests/{request.reference}/package"
        assert front_end.delete(path).status_code == 204
        package.refresh_from_db()
        assert package.status == PackageStatus.DELETED
        assert request.timeline.get(code="package_let_go").actor == "partner:acme"
        assert problem(front_end.delete(path)) == (409, "nothing_ready")

    def test_an_erasure_says_until_when_it_waits_and_waits_no_longer(self, front_end: FrontEnd) -> None:
        packed(sent(front_end))
        erasure = f"/requests/{front_end.sends('erasure')['reference']}"
        told: Any = front_end.get(erasure)
        assert told.json()["waits_until"] is not None
        assert front_end.delete(f"{erasure}/package").status_code == 204
        told = front_end.get(erasure)
        assert told.json()["waits_until"] is None

    def test_it_is_deleted_by_nobody_who_may_not_read_it(self, acme: Partner, stranger: FrontEnd) -> None:
        request = sent(stranger)
        package = packed(request)
        path = f"/requests/{request.reference}/package"
        assert problem(stranger.delete(path)) == (403, "not_vouching")
        assert problem(FrontEnd(acme).delete(path)) == (404, "unknown_reference")
        assert FrontEnd(acme, "requests:read requests:vouch").delete(path).status_code == 403
        package.refresh_from_db()
        assert package.status == PackageStatus.READY

    def test_not_of_somebody_elses(self, front_end: FrontEnd, stranger: FrontEnd) -> None:
        request = sent(stranger)
        packed(request)
        assert problem(front_end.get(f"/requests/{request.reference}/package")) == (404, "unknown_reference")


def test_a_request_is_named_in_no_address(front_end: FrontEnd) -> None:
    said = front_end.post("/requests", asks("access")).json()["requests"][0]  # type: ignore[attr-defined]
    assert all("alice" not in link for link in said["links"].values())


def test_of_who_lives_beyond_the_registration_nothing_is_told(world: None, own_folder: None) -> None:
    """The person confirmed what a partner sent; that they live elsewhere turned out only then."""
    grace = person("grace", "GB")
    scopes = ["requests:read", "requests:write", "requests:vouch"]
    one = partner("kiosk", recipients=[""], schemes=["email"], jurisdictions=["US"], scopes=scopes)
    kiosk = FrontEnd(one, " ".join(scopes))
    said = kiosk.sends("access", subject={"scheme": "email", "value": "grace@example.org"}, jurisdiction="US")
    request = Request.objects.get()
    workflow.prove(request=request, subject=grace, by=BY, at=clock.now())
    packed(request)
    told = kiosk.get(f"/requests/{said['reference']}").json()  # type: ignore[attr-defined]
    assert (told["status"], told["subject"], told["tasks"]) == ("received", None, [])
    assert kiosk.get("/requests").json()["requests"][0]["subject"] is None  # type: ignore[attr-defined]
    for what in ("messages", "package"):
        assert problem(kiosk.get(f"/requests/{said['reference']}/{what}")) == (403, "subject_not_yours")
    assert not PackageDownload.objects.exists()


def test_asking_for_the_head_is_no_download(front_end: FrontEnd, own_folder: None) -> None:
    request = sent(front_end)
    packed(request)
    answer = front_end.client.head(f"/api/v1/requests/{request.reference}/package")
    assert answer.status_code == 405
    assert not PackageDownload.objects.exists()
