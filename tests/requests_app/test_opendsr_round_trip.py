"""Heed as a controller asks Heed as a processor over HTTP: neither knows more of the other than the protocol says."""

import json
import uuid
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from consents.models import Partner, Subject
from downstream import holders
from downstream.holders.base import ConnectorError, Place, Processor, Question
from downstream.opendsr_wire import DOMAIN_HEADER, SIGNATURE_HEADER
from portal import clock
from portal.models import User
from requests_app import opendsr_callbacks, workflow
from requests_app.models import Request
from tests.conftest import BY, dataset_of, token_of, write_parquet
from tests.downstream import listener
from tests.downstream.holders.processor import Authority, new_key
from tests.requests_app.asking import closes, propagate

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("own_cache")]


@pytest.fixture
def processor(live_server: Any, settings: Any, tmp_path: Path, acme: Partner, monkeypatch: Any) -> Processor:
    """Our own web server, as acme's registration reaches it, with a certificate that acme trusts."""
    key, authority = new_key(), Authority(tmp_path)
    settings.OPENDSR_CERTIFICATE, settings.OPENDSR_KEY = str(tmp_path / "us.pem"), str(tmp_path / "us.key")
    Path(settings.OPENDSR_CERTIFICATE).write_bytes(authority.issue("localhost", key))
    Path(settings.OPENDSR_KEY).write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    settings.OUTBOUND_TRUST = str(authority.path)
    settings.SITE_URL, settings.OPENDSR_DOMAIN = live_server.url, "localhost"
    monkeypatch.setenv("HEED_HOLDER_US", token_of(acme, "opendsr"))
    options = {"token_variable": "HEED_HOLDER_US", "regulation": "ccpa"}
    found = holders.open_holder(Place("opendsr", f"{live_server.url}/opendsr/v2", "acme", "account", options=options))
    assert isinstance(found, Processor)
    return found


def test_an_erasure_is_asked_followed_and_done(processor: Any, alice: Subject, bob: User, tmp_path: Path) -> None:
    write_parquet(tmp_path / "posts", {"author": ["m_alice", "m_bert", "m_alice"], "text": ["a", "b", "c"]})
    dataset_of(tmp_path / "posts")
    assert processor.describe().format == "held by localhost (OpenDSR)"
    with listener.running() as ear:
        question = Question(uuid.uuid4(), ("m_alice",), clock.now(), ear.url)
        assert processor.look(question.id) is None
        first, again = processor.ask(question), processor.ask(question)
        assert first == again
        assert first.state == "waiting"
        request = Request.objects.get()
        assert first.expected_at is not None
        assert first.expected_at.date() >= request.due_on
        workflow.start(request=request, staff=bob, by=BY, at=clock.now())
        assert processor.look(question.id).state == "waiting"
        workflow.carry_out(request=request, by=BY, at=clock.now())
        propagate()
        assert closes(request)
        told = processor.look(question.id)
        assert (told.state, told.rows) == ("done", 2)
        assert told.evidence["certificate_sha256"]
        assert opendsr_callbacks.deliver(clock=clock.now, seconds=20.0) == 2
        for headers, body in ear.heard:
            domain, signature = headers[DOMAIN_HEADER.lower()], headers[SIGNATURE_HEADER.lower()]
            assert processor.has_signed(body, domain=domain, signature=signature)
        assert [json.loads(body)["request_status"] for _, body in ear.heard] == ["in_progress", "completed"]


def test_of_whom_we_do_not_know_nothing_was_held(processor: Any, alice: Subject) -> None:
    question = Question(uuid.uuid4(), ("m_nobody",), clock.now(), "http://localhost:8000/opendsr/callbacks")
    assert processor.ask(question).state == "waiting"
    told = processor.look(question.id)
    assert (told.state, told.rows) == ("done", 0)


def test_what_we_cannot_match_is_refused_at_registration(processor: Any, settings: Any) -> None:
    hashed = Place(
        "opendsr",
        processor.place.location,
        "acme",
        "account",
        options={**processor.place.options, "identity_format": "sha256"},
    )
    with pytest.raises(ConnectorError) as refused:
        holders.open_holder(hashed).describe()
    assert refused.value.code == "identity_not_supported"


def test_a_certificate_of_our_own_making_is_not_trusted(processor: Any, settings: Any) -> None:
    settings.OPENDSR_CERTIFICATE = settings.OPENDSR_KEY = ""
    with pytest.raises(ConnectorError) as refused:
        processor.describe()
    assert refused.value.code == "certificate_invalid"
