"""OpenDSR processors: registered only if they can be asked, and believed only if they sign."""

import hashlib
import uuid
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from downstream import registry
from downstream.holders import opendsr
from downstream.holders.base import ConnectorError, Place, Question, TryLater
from tests.conftest import AT
from tests.downstream.copies import registration
from tests.downstream.holders import processor
from tests.downstream.holders.processor import Processor


def holder(listening: Processor, **options: Any) -> opendsr.OpenDSR:
    return opendsr.connect(Place("opendsr", listening.base, "linkwell", "account", options=options))


def question(*keys: str) -> Question:
    return Question(uuid.uuid4(), keys or ("m_alice",), AT, "http://localhost:8000/opendsr/callbacks")


def refusal(act: Any) -> str:
    with pytest.raises(ConnectorError) as caught:
        act()
    assert "m_alice" not in caught.value.message
    return caught.value.code


@pytest.mark.parametrize("kind", ["ec", "rsa"])
def test_a_request_is_sent_as_the_specification_has_it(tmp_path: Path, settings: Any, kind: str) -> None:
    with processor.running(tmp_path, kind=kind) as listening:
        settings.OUTBOUND_TRUST = str(listening.authority.path)
        asked = question()
        assert holder(listening).ask(asked).state == "waiting"
        sent = listening.requests[str(asked.id)]
        assert (sent["regulation"], sent["subject_request_type"]) == ("gdpr", "erasure")
        assert sent["submitted_time"] == "2026-03-02T12:00:00Z"
        assert sent["status_callback_urls"] == ["http://localhost:8000/opendsr/callbacks"]
        identity = {"identity_type": "controller_customer_id", "identity_value": "m_alice", "identity_format": "raw"}
        assert sent["subject_identities"] == [identity]
        listening.complete(rows=3)
        told = holder(listening).look(asked.id)
        assert told is not None
        assert (told.state, told.rows) == ("done", 3)
        assert len(told.evidence["answer_sha256"]) == len(told.evidence["certificate_sha256"]) == 64


def test_keys_can_go_out_hashed(listening: Processor) -> None:
    asked = question()
    holder(listening, identity_format="sha256").ask(asked)
    assert listening.people() == [[hashlib.sha256(b"m_alice").hexdigest()]]


def test_of_a_request_that_never_arrived_nothing_is_known(listening: Processor) -> None:
    assert holder(listening).look(uuid.uuid4()) is None


def test_an_answer_that_is_signed_by_somebody_else_is_not_believed(listening: Processor) -> None:
    listening.key = processor.new_key()
    assert refusal(lambda: holder(listening).ask(question())) == "wrong_signature"


def test_an_answer_that_was_changed_on_the_way_is_not_believed(listening: Processor) -> None:
    listening.forges = True
    assert refusal(lambda: holder(listening).ask(question())) == "wrong_signature"


def test_an_answer_in_the_name_of_another_domain_is_not_believed(listening: Processor) -> None:
    listening.signs_as = "elsewhere.example"
    assert refusal(lambda: holder(listening).ask(question())) == "wrong_domain"


def test_a_key_that_was_changed_within_the_hour_is_found(listening: Processor) -> None:
    holder(listening).describe()
    listening.key = processor.new_key()
    listening.certificate = listening.authority.issue("localhost", listening.key)
    assert holder(listening).ask(question()).state == "waiting"


@pytest.mark.parametrize("wrong", ["domain", "over", "authority"])
def test_a_certificate_that_proves_nothing_is_refused(listening: Processor, tmp_path: Path, wrong: str) -> None:
    (tmp_path / "other").mkdir()
    authority = processor.Authority(tmp_path / "other") if wrong == "authority" else listening.authority
    domain = "elsewhere.example" if wrong == "domain" else "localhost"
    listening.certificate = authority.issue(domain, listening.key, is_over=wrong == "over")
    assert refusal(holder(listening).describe) == "certificate_invalid"


@pytest.mark.parametrize(
    ("status", "header", "wait"),
    [
        (429, {"Retry_After": "120"}, timedelta(seconds=120)),
        (503, {"Retry_After": "999999"}, timedelta(hours=6)),
        (500, {}, None),
    ],
)
def test_a_busy_processor_is_asked_later(
    listening: Processor, status: int, header: dict[str, str], wait: timedelta | None
) -> None:
    listening.troubles.append((status, header))
    with pytest.raises(TryLater) as caught:
        holder(listening).ask(question())
    assert (caught.value.code, caught.value.wait, caught.value.permanent) == ("holder_busy", wait, False)


def test_a_refusal_needs_a_person(listening: Processor) -> None:
    listening.troubles.append((400, {}))
    with pytest.raises(ConnectorError) as caught:
        holder(listening).ask(question())
    assert (caught.value.code, caught.value.permanent) == ("holder_refused", True)


def test_a_processor_that_is_away_is_asked_later() -> None:
    away = opendsr.connect(Place("opendsr", "http://127.0.0.1:9", "linkwell", "account"))
    with pytest.raises(TryLater):
        away.ask(question())


def test_retry_after_may_be_a_date() -> None:
    at = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
    assert opendsr.retry_after("Mon, 02 Mar 2026 12:05:00 GMT", at=at) == timedelta(minutes=5)
    assert opendsr.retry_after("Mon, 02 Mar 2026 11:00:00 GMT", at=at) == timedelta()
    assert opendsr.retry_after("soon", at=at) is None


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"connector_options": {"identity_type": "email"}}, "identity_not_supported"),
        ({"connector_options": {"identity_format": "md5"}}, "unknown_format"),
        ({"connector_options": {"regulation": "none"}}, "unknown_regulation"),
        ({"connector_options": {"token_variable": "HEED_SECRET_KEY"}}, "invalid_variable"),
        ({"connector_options": {"token_variable": "HEED_HOLDER_NOBODY"}}, "token_missing"),
        ({"connector_options": {"colour": "red"}}, "unknown_option"),
        ({"created_column": "made"}, "no_spans"),
        ({"location": "http://example.org/dsr"}, "invalid_address"),
        ({"location": "posts"}, "invalid_address"),
    ],
)
def test_what_could_not_be_asked_is_not_registered(
    world: None, listening: Processor, changes: dict[str, Any], code: str
) -> None:
    asked = registration(**{"location": listening.base, "kind": "opendsr", **changes})
    assert refusal(lambda: registry.check(asked)) == code


def test_a_processor_without_erasure_is_not_registered(world: None, listening: Processor) -> None:
    listening.types = ["access"]
    assert refusal(lambda: registry.check(registration(listening.base, kind="opendsr"))) == "no_erasure"


def test_a_token_comes_from_the_environment(listening: Processor, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HEED_HOLDER_ACME", "s3cret")
    named = holder(listening, token_variable="HEED_HOLDER_ACME")
    assert named._authorization() == {"Authorization": "Bearer s3cret"}
    assert "s3cret" not in repr(named.place)
