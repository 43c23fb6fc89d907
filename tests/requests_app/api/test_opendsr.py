"""/opendsr/v2/: discovery, instructions, how they stand, taking them back, their results, as a controller sees them."""

import hashlib
import io
import json
import zipfile
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from django.test import Client

from consents.api import partners
from consents.models import Partner, Subject
from downstream import opendsr_wire
from portal import api_access, clock
from portal.models import User
from requests_app import packages, workflow
from requests_app.models import ControllerRequest, Package, Request
from tests.conftest import BY, partner, person
from tests.requests_app.controlling import Controller, asking, customer, decoded, email, refusal, said_in

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def files(settings: Any, tmp_path: Path) -> None:
    settings.FILES_DIR = tmp_path / "files"


@pytest.fixture
def calls(acme: Partner, alice: Subject) -> Controller:
    return Controller(acme)


def begun(request: Request, staff: User) -> Request:
    return workflow.start(request=request, staff=staff, by=BY, at=clock.now())


class TestDiscovery:
    def test_it_says_what_serves(self, db: None) -> None:
        said = said_in(Client().get("/opendsr/v2/discovery"))
        assert said["api_version"] == "2.0"
        assert said["supported_subject_request_types"] == ["access", "portability", "erasure"]
        pairs = [(one["identity_type"], one["identity_format"]) for one in said["supported_identities"]]
        assert pairs == [("controller_customer_id", "raw"), ("email", "raw")]
        assert said["processor_certificate"] == "http://localhost:8000/opendsr/v2/certificate.pem"

    def test_a_domain_of_its_own_has_its_own_addresses(self, settings: Any, db: None) -> None:
        settings.OPENDSR_DOMAIN = "opendsr.heed.example"
        said = json.loads(Client().get("/opendsr/v2/discovery").content)
        assert said["processor_certificate"] == "https://opendsr.heed.example/opendsr/v2/certificate.pem"

    def test_the_certificate_names_the_domain(self, db: None) -> None:
        answer = Client().get("/opendsr/v2/certificate.pem")
        assert answer["Content-Type"] == "application/x-pem-file"
        leaf = x509.load_pem_x509_certificate(answer.content)
        named = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        assert named.get_values_for_type(x509.DNSName) == ["localhost"]

    def test_nobody_may_post_there(self, calls: Controller) -> None:
        for path in ("discovery", "certificate.pem"):
            answer = calls.client.post(f"/opendsr/v2/{path}", b"{}", content_type="application/json")
            assert refusal(answer) == (405, "method_not_allowed", "request")

    def test_one_address_asks_so_often(self, monkeypatch: pytest.MonkeyPatch, db: None) -> None:
        monkeypatch.setattr(api_access.AddressThrottle, "THROTTLE_RATES", {"address": "1/min"})
        assert Client().get("/opendsr/v2/discovery").status_code == 200
        refused = Client().get("/opendsr/v2/discovery")
        assert refused.status_code == 429
        assert int(refused["Retry-After"]) > 0

    def test_without_a_domain_nothing_is_spoken(self, settings: Any, calls: Controller) -> None:
        settings.OPENDSR_DOMAIN = ""
        for path in ("discovery", "certificate.pem", "requests/a"):
            assert calls.get(path).status_code == 404
        assert calls.post(asking()).status_code == 404
        assert not Request.objects.exists()


class TestInstructing:
    def test_it_becomes_a_request_of_this_person(self, calls: Controller, alice: Subject) -> None:
        message = asking("erasure", regulation="ccpa")
        said = said_in(calls.post(message))
        request = Request.objects.get()
        assert (request.right, request.status, request.subject) == ("erasure", "received", alice)
        assert (request.channel, request.capacity, request.partner) == ("opendsr", "controller", "acme")
        assert (said["controller_id"], said["subject_request_id"]) == ("acme", message["subject_request_id"])
        assert decoded(said) == message
        assert said["received_time"] <= said["expected_completion_time"]

    def test_its_inner_signature_is_over_all_but_itself(self, calls: Controller) -> None:
        said = said_in(calls.post(asking()))
        signature = said.pop("processor_signature")
        leaf = x509.load_pem_x509_certificate(calls.get("certificate.pem").content)
        assert opendsr_wire.is_signed(json.dumps(said).encode(), signature, by=leaf)

    def test_the_same_again_is_answered_alike_and_writes_nothing(self, calls: Controller) -> None:
        message = asking(status_callback_urls=["https://acme.example/callbacks"])
        first, second = calls.post(message), calls.post(message)
        assert (first.status_code, second.status_code) == (201, 201)
        assert first.content == second.content
        assert first["X-OpenDSR-Signature"] == second["X-OpenDSR-Signature"]
        assert Request.objects.count() == ControllerRequest.objects.count() == 1

    def test_another_by_the_same_id_is_refused(self, calls: Controller) -> None:
        message = asking()
        calls.post(message)
        assert refusal(calls.post({**message, "regulation": "ccpa"})) == (409, "id_used", "subject_request_id")
        assert Request.objects.count() == 1

    def test_two_controllers_may_use_one_id(self, calls: Controller, world: None) -> None:
        other = Controller(partner("other", recipients=[""], schemes=["account"]))
        message = asking()
        assert (calls.post(message).status_code, other.post(message).status_code) == (201, 201)
        assert ControllerRequest.objects.count() == 2

    def test_somebody_unknown_is_answered_alike_and_done_at_once(self, calls: Controller) -> None:
        message = asking(subject_identities=customer("m_nobody"))
        known, unknown = said_in(calls.post(asking())), said_in(calls.post(message))
        assert known.keys() == unknown.keys()
        status = calls.status(message["subject_request_id"])
        assert (status["request_status"], status["results_count"]) == ("completed", 0)
        assert Request.objects.count() == 1

    def test_whom_it_may_not_name_is_unknown_to_it(self, world: None, alice: Subject) -> None:
        british = Controller(partner("british", recipients=[""], schemes=["account"], jurisdictions=["GB"]))
        assert british.status(british.sends())["request_status"] == "completed"
        assert not Request.objects.exists()
        person("ann", "GB")
        assert british.status(british.sends(subject_identities=customer("m_ann")))["request_status"] == "pending"

    @pytest.mark.parametrize(
        ("changes", "reason", "where"),
        [
            ({"regulation": "lgpd"}, "unknown_value", "regulation"),
            ({"regulation": None}, "unknown_value", "regulation"),
            ({"subject_request_type": "rectification"}, "unknown_value", "subject_request_type"),
            ({"subject_request_type": ["erasure"]}, "unknown_value", "subject_request_type"),
            ({"subject_request_id": "7"}, "malformed_id", "subject_request_id"),
            ({"subject_request_id": "a7551968-d5d6-14b2-9831-815ac9017798"}, "malformed_id", "subject_request_id"),
            ({"subject_request_id": "A7551968-d5d6-44b2-9831-815ac9017798"}, "malformed_id", "subject_request_id"),
            ({"submitted_time": "yesterday"}, "malformed_time", "submitted_time"),
            ({"submitted_time": "2026-03-02T12:00:00"}, "malformed_time", "submitted_time"),
            ({"submitted_time": "2999-01-01T00:00:00Z"}, "time_in_future", "submitted_time"),
            ({"submitted_time": "2001-01-01T00:00:00Z"}, "time_too_old", "submitted_time"),
            ({"subject_identities": []}, "identities_missing", "subject_identities"),
            ({"subject_identities": None}, "identities_missing", "subject_identities"),
            ({"subject_identities": ["m_alice"]}, "malformed_identity", "subject_identities.0"),
            ({"subject_identities": [{"identity_type": "email"}]}, "malformed_identity", "subject_identities.0"),
            (
                {"subject_identities": [{**customer("a")[0], "identity_value": ["a"]}]},
                "malformed_identity",
                "subject_identities.0",
            ),
            (
                {"subject_identities": email("alice@example.org", "sha256")},
                "format_not_supported",
                "subject_identities.0",
            ),
            ({"subject_identities": email("alice@example.org", "md5")}, "format_not_supported", "subject_identities.0"),
            ({"subject_identities": email("alice@example.org", "crc")}, "unknown_value", "subject_identities.0"),
            ({"subject_identities": email("nobody at all")}, "invalid_identifier", "subject_identities.0"),
            ({"status_callback_urls": "https://acme.example"}, "malformed_callbacks", "status_callback_urls"),
            ({"status_callback_urls": ["https://a.example"] * 6}, "malformed_callbacks", "status_callback_urls"),
            ({"status_callback_urls": ["http://acme.example/x"]}, "invalid_callback", "status_callback_urls"),
            ({"status_callback_urls": ["https://u:p@acme.example/"]}, "invalid_callback", "status_callback_urls"),
            ({"api_version": "1.0"}, "unsupported_version", "api_version"),
            ({"extensions": ["x"]}, "malformed", "extensions"),
            ({"colour": "red"}, "unknown_field", "colour"),
            ({"alice@example.org": "red"}, "unknown_field", "body"),
        ],
    )
    def test_what_is_wrong_with_a_message_is_said(
        self, calls: Controller, changes: dict[str, Any], reason: str, where: str
    ) -> None:
        answer = calls.post(asking(**changes))
        assert refusal(answer) == (400, reason, where)
        assert b"alice" not in answer.content
        assert not ControllerRequest.objects.exists()

    @pytest.mark.parametrize("depth", [100, 700, 800, 850, 900, 920, 940, 960, 980, 1_000, 30_000])
    def test_however_deep_the_extensions_are(self, calls: Controller, depth: int) -> None:
        message = json.dumps(asking(extensions={"other.example": "deep"}))
        answer = calls.post(message.replace('"deep"', "[" * depth + "]" * depth).encode())
        assert answer.status_code == 201 or refusal(answer)[:2] == (400, "malformed_json")
        assert (depth > 100) or answer.status_code == 201

    def test_a_device_is_not_looked_for(self, calls: Controller) -> None:
        identity = opendsr_wire.identity("ios_advertising_id", "38400000-8cf0-11bd-b23e-10b96e40000d")
        answer = calls.post(asking(subject_identities=[identity]))
        assert refusal(answer) == (400, "identity_not_supported", "subject_identities.0")

    def test_what_other_processors_are_told_is_let_be(self, calls: Controller) -> None:
        calls.sends(extensions={"other.example": {"anything": [1, 2]}}, api_version="2.1", status_callback_urls=None)

    def test_several_people_in_one_are_refused(self, calls: Controller, charlie: Subject) -> None:
        both = [*customer("m_alice"), *email("charlie@example.org")]
        answer = calls.post(asking(subject_identities=both))
        assert refusal(answer) == (400, "identities_differ", "subject_identities")

    def test_one_person_may_have_several_names_and_unknown_ones(self, calls: Controller, alice: Subject) -> None:
        calls.sends(subject_identities=[*customer("m_gone"), *email("Alice@Example.org"), *customer("m_alice")])
        assert Request.objects.get().subject == alice

    def test_a_controller_names_people_by_its_own_schemes_alone(self, world: None, alice: Subject) -> None:
        mailing = Controller(partner("mailing", recipients=[""], schemes=["email"]))
        answer = mailing.post(asking(subject_identities=customer("m_alice")))
        assert refusal(answer) == (400, "identity_not_yours", "subject_identities.0")
        mailing.sends(subject_identities=email("alice@example.org"))

    @pytest.mark.parametrize("body", [b" ", b"[]", b"{", b"\xff", b"[" * 60_000])
    def test_what_is_no_json_object_is_refused(self, calls: Controller, body: bytes) -> None:
        assert refusal(calls.post(body)) == (400, "malformed_json", "body")

    def test_other_content_types_and_long_bodies_are_refused(self, calls: Controller) -> None:
        assert refusal(calls.post(asking(), content_type="text/plain")) == (400, "wrong_content_type", "body")
        assert refusal(calls.post(b" " * 70_000)) == (413, "body_too_large", "body")
        assert refusal(calls.post(b" " * 3_000_000)) == (413, "body_too_large", "body")

    def test_only_controllers_may(self, acme: Partner, alice: Subject) -> None:
        unsigned = Client().post("/opendsr/v2/requests", json.dumps(asking()), content_type="application/json")
        assert refusal(unsigned) == (401, "not_authenticated", "request")
        assert unsigned["WWW-Authenticate"].startswith("Bearer")
        assert refusal(Controller(acme, "requests:write").post(asking()))[:2] == (403, "permission_denied")
        narrowed = Controller(acme)
        acme.scopes = ["requests:vouch"]
        acme.save()
        assert refusal(narrowed.post(asking()))[:2] == (403, "scope_not_yours")

    def test_data_is_handed_to_those_alone_who_vouch(self, acme: Partner, alice: Subject) -> None:
        narrow = Controller(acme, "opendsr")
        for kind in ("access", "portability"):
            assert refusal(narrow.post(asking(kind)))[:2] == (403, "results_not_yours")
        narrow.sends("erasure")

    def test_one_client_calls_so_often(self, calls: Controller, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(api_access.ClientThrottle, "THROTTLE_RATES", {"client": "1/min"})
        assert calls.post(asking())["RateLimit"].startswith('"client"')
        refused = calls.post(asking())
        assert refusal(refused)[:2] == (429, "throttled")
        assert int(refused["Retry-After"]) > 0

    def test_requests_cannot_be_listed(self, calls: Controller) -> None:
        assert refusal(calls.get("requests"))[0] == 405


class TestFollowing:
    def test_it_stands_as_our_request_does(self, calls: Controller, bob: User) -> None:
        request_id = calls.sends()
        assert calls.status(request_id)["request_status"] == "pending"
        begun(Request.objects.get(), bob)
        status = calls.status(request_id)
        assert status["request_status"] == "in_progress"
        assert set(status) == {
            *("controller_id", "subject_request_id", "request_status", "expected_completion_time", "api_version")
        }
        workflow.withdraw(request=Request.objects.get(), by=BY, at=clock.now())
        assert calls.status(request_id)["request_status"] == "cancelled"

    @pytest.mark.parametrize("request_id", ["nothing", "a7551968-d5d6-44b2-9831-815ac9017798", "%00"])
    def test_what_nobody_sent_is_unknown(self, calls: Controller, request_id: str) -> None:
        unknown = (404, "unknown_request", "subject_request_id")
        assert refusal(calls.get(f"requests/{request_id}")) == unknown
        assert refusal(calls.get(f"requests/{request_id}/results")) == unknown
        assert refusal(calls.delete(request_id)) == unknown

    def test_somebody_elses_is_as_unknown(self, calls: Controller, world: None) -> None:
        other = Controller(partner("other", recipients=[""], schemes=["account"]))
        request_id = other.sends()
        for answer in (calls.get(f"requests/{request_id}"), calls.delete(request_id)):
            assert refusal(answer)[:2] == (404, "unknown_request")
        assert refusal(calls.get(f"requests/{request_id}/results"))[:2] == (404, "unknown_request")
        assert other.status(request_id)["request_status"] == "pending"

    def test_however_much_there_is_asking_costs_few_queries(
        self, calls: Controller, django_assert_max_num_queries: Any
    ) -> None:
        request_id = calls.sends()
        for _ in range(5):
            calls.sends("access")
        calls.get(f"requests/{request_id}")
        with django_assert_max_num_queries(3):
            calls.get(f"requests/{request_id}")
        with django_assert_max_num_queries(12):
            calls.sends("portability")

    def test_only_who_may_instruct_may_follow(self, acme: Partner, calls: Controller) -> None:
        request_id = calls.sends()
        reader = Controller(acme, "requests:read")
        assert refusal(reader.get(f"requests/{request_id}"))[0] == 403
        assert refusal(reader.delete(request_id))[0] == 403
        assert Client().get(f"/opendsr/v2/requests/{request_id}").status_code == 401


class TestCancelling:
    def test_what_is_pending_is_taken_back(self, calls: Controller) -> None:
        request_id = calls.sends()
        answer = calls.delete(request_id)
        said = said_in(answer)
        assert (answer.status_code, said["controller_id"], said["subject_request_id"]) == (202, "acme", request_id)
        assert {"received_time", "processor_signature", "api_version"} <= set(said)
        assert Request.objects.get().status == "withdrawn"
        assert calls.status(request_id)["request_status"] == "cancelled"

    def test_again_changes_nothing(self, calls: Controller) -> None:
        request_id = calls.sends()
        assert [calls.delete(request_id).status_code for _ in range(2)] == [202, 202]

    def test_what_is_begun_is_not(self, calls: Controller, bob: User) -> None:
        request_id = calls.sends()
        begun(Request.objects.get(), bob)
        assert refusal(calls.delete(request_id)) == (400, "not_pending", "request_status")
        assert calls.status(request_id)["request_status"] == "in_progress"

    def test_what_was_done_at_once_is_not(self, calls: Controller) -> None:
        request_id = calls.sends(subject_identities=customer("m_nobody"))
        assert refusal(calls.delete(request_id))[:2] == (400, "not_pending")


class TestResults:
    def answered(self, staff: User) -> Request:
        """Alice's access request, answered with a package."""
        at = clock.now()
        request = begun(Request.objects.get(), staff)
        workflow.carry_out(request=request, by=BY, at=at)
        assert packages.build_next(holder="test", clock=clock.now)
        packages.release(package=Package.objects.get(), by=BY, at=at)
        return workflow.fulfil(request=request, by=BY, at=at)

    def test_the_answer_is_its_controllers_to_fetch(self, calls: Controller, bob: User) -> None:
        request_id = calls.sends("access")
        assert refusal(calls.get(f"requests/{request_id}/results"))[:2] == (404, "no_results")
        self.answered(bob)
        status = calls.status(request_id)
        assert status["request_status"] == "completed"
        assert status["results_count"] > 0
        assert status["results_url"] == f"http://localhost:8000/opendsr/v2/requests/{request_id}/results"
        answer: Any = calls.get(f"requests/{request_id}/results")
        archive = zipfile.ZipFile(io.BytesIO(b"".join(answer.streaming_content)))
        assert archive.testzip() is None
        assert Package.objects.get().downloads.get().actor == "partner:acme"

    def test_nobody_else_fetches_it(self, calls: Controller, acme: Partner, bob: User) -> None:
        request_id = calls.sends("access")
        self.answered(bob)
        path = f"requests/{request_id}/results"
        assert Client().get(f"/opendsr/v2/{path}").status_code == 401
        assert refusal(Controller(acme, "opendsr").get(path))[:2] == (403, "results_not_yours")
        acme.jurisdictions = ["GB"]
        acme.save()
        partners.forget()
        assert refusal(Controller(acme).get(path))[:2] == (404, "no_results")
        assert refusal(calls.client.post(f"/opendsr/v2/{path}", b"", content_type="application/json"))[0] == 405
        assert not Package.objects.get().downloads.exists()

    @pytest.mark.parametrize("narrowed", [{"jurisdictions": ["GB"]}, {"scopes": ["opendsr"]}], ids=["places", "scopes"])
    def test_a_registration_narrowed_since_is_not_told_how_much_there_was(
        self, calls: Controller, acme: Partner, bob: User, narrowed: dict[str, list[str]]
    ) -> None:
        request_id = calls.sends("access")
        self.answered(bob)
        for name, value in narrowed.items():
            setattr(acme, name, value)
        acme.save()
        partners.forget()
        status = calls.status(request_id)
        assert status["request_status"] == "completed"
        assert not {"results_count", "results_url"} & set(status)
        assert calls.get(f"requests/{request_id}/results").status_code in {403, 404}

    def test_a_token_that_may_not_fetch_it_is_not_told_of_it(self, calls: Controller, acme: Partner, bob: User) -> None:
        request_id = calls.sends("access")
        self.answered(bob)
        status = Controller(acme, "opendsr").status(request_id)
        assert not {"results_count", "results_url"} & set(status)
        assert "results_url" in calls.status(request_id)

    def test_it_is_there_for_a_week(self, calls: Controller, bob: User) -> None:
        request_id = calls.sends("portability")
        self.answered(bob)
        Package.objects.update(released_at=clock.now() - timedelta(days=8))
        assert "results_url" not in calls.status(request_id)
        assert refusal(calls.get(f"requests/{request_id}/results"))[:2] == (404, "no_results")

    def test_of_an_erasure_there_is_nothing_to_fetch(self, calls: Controller) -> None:
        assert refusal(calls.get(f"requests/{calls.sends()}/results"))[:2] == (404, "no_results")


def test_a_key_that_cannot_be_read_is_said_unsigned(calls: Controller, settings: Any, tmp_path: Path) -> None:
    settings.OPENDSR_KEY = settings.OPENDSR_CERTIFICATE = str(tmp_path / "nothing.pem")
    for answer in (calls.get("discovery"), calls.get("certificate.pem")):
        assert answer.status_code == 503
        assert json.loads(answer.content)["error"]["errors"][0]["reason"] == "unreadable"
    assert calls.get("requests/x").status_code == 404


def test_no_digest_of_an_address_finds_anybody(calls: Controller) -> None:
    """Sent as if it were raw, it names nobody; nobody is scanned for it."""
    digest = hashlib.sha256(b"m_alice").hexdigest()
    assert calls.status(calls.sends(subject_identities=customer(digest)))["results_count"] == 0


def test_what_came_late_is_expected_at_once(calls: Controller) -> None:
    message = asking(at=clock.now() - timedelta(days=90))
    said = said_in(calls.post(message))
    assert said["expected_completion_time"] == said["received_time"]
    assert Request.objects.get().received_at < clock.now() - timedelta(days=89)
