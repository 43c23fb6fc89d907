"""What is no message of this agent, for us, of now, is refused, in the protocol's order."""

import base64
from contextlib import suppress
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from nacl.signing import SigningKey

from requests_app import drp_messages
from requests_app.drp_messages import Refused
from requests_app.models import Agent
from tests.conftest import AT
from tests.requests_app.agency import envelope, exercising, signed

KEY = SigningKey(bytes(32))
AGENT = Agent(id="a1", name="A1", registered_at=AT)


def opened(body: bytes, **how: Any) -> dict[str, Any]:
    return drp_messages.open_signed(body, agent=AGENT, key=bytes(KEY.verify_key), at=AT, **how)


def refusal(body: bytes) -> tuple[str, bool]:
    with pytest.raises(Refused) as caught:
        opened(body)
    return caught.value.code, caught.value.fatal


def of(**more: Any) -> dict[str, Any]:
    return envelope("a1", now=AT, **more)


def test_a_message_that_pynacl_signed_is_opened() -> None:
    assert opened(signed(KEY, of(name="Zoë")))["name"] == "Zoë"
    assert opened(b'"' + signed(KEY, of()) + b'"\n')["agent-id"] == "a1"


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"", "malformed_base64"),
        (b"****", "malformed_base64"),
        (base64.b64encode(bytes(64)), "malformed_base64"),
        (base64.b64encode(bytes(65)), "bad_signature"),
        (signed(SigningKey(b"1" * 32), of()), "bad_signature"),
        (signed(KEY, b"[]"), "malformed_json"),
        (signed(KEY, b"\xff"), "malformed_json"),
        (signed(KEY, b"[" * 100_000), "malformed_json"),
        (signed(KEY, b"1" * 5_000), "malformed_json"),
        (signed(KEY, of(**{"agent-id": "b2"})), "wrong_agent"),
        (signed(KEY, of(**{"business-id": "other"})), "wrong_business"),
        (signed(KEY, of(**{"issued-at": (AT + timedelta(seconds=1)).isoformat()})), "not_yet_valid"),
        (signed(KEY, of(**{"issued-at": "yesterday"})), "malformed_time"),
        (signed(KEY, of(**{"issued-at": "2026-03-02T11:00:00"})), "malformed_time"),
        (signed(KEY, of(**{"expires-at": 7})), "malformed_time"),
        (signed(KEY, of(**{"expires-at": "0001-01-01T00:00:00+23:00"})), "malformed_time"),
    ],
    ids=lambda value: value if isinstance(value, str) else None,
)
def test_what_is_none_is_refused(body: bytes, code: str) -> None:
    assert refusal(body) == (code, False)


@pytest.mark.parametrize("seconds", [0, 1])
def test_an_expired_message_is_refused_for_good(seconds: int) -> None:
    late = of(**{"expires-at": (AT - timedelta(seconds=seconds)).isoformat()})
    assert refusal(signed(KEY, late)) == ("expired", True)


def test_it_is_valid_in_the_second_in_which_it_was_issued() -> None:
    assert opened(signed(KEY, of(**{"issued-at": AT.isoformat()})))


def test_what_is_wrong_first_is_told_first() -> None:
    """Signature, agent, business, issued, expires."""
    wrong = of(
        **{
            "agent-id": "b2",
            "business-id": "other",
            "issued-at": (AT + timedelta(hours=1)).isoformat(),
            "expires-at": (AT - timedelta(hours=1)).isoformat(),
        }
    )
    assert refusal(signed(SigningKey(b"1" * 32), wrong))[0] == "bad_signature"
    right = of()
    told = []
    for name in ("agent-id", "business-id", "issued-at", "expires-at"):
        told.append(refusal(signed(KEY, wrong))[0])
        wrong[name] = right[name]
    assert told == ["wrong_agent", "wrong_business", "not_yet_valid", "expired"]


def test_a_house_that_does_not_speak_it_is_no_business(settings: Any) -> None:
    settings.DRP_BUSINESS_ID = ""
    assert refusal(signed(KEY, of(**{"business-id": ""})))[0] == "wrong_business"


class TestReading:
    def read(self, **more: Any) -> drp_messages.Exercise:
        return drp_messages.read(exercising("a1", now=AT, **more))

    def test_claims_are_taken_as_they_are_said(self) -> None:
        said = self.read(phone_number="+15550100", phone_number_verified="true", address=None)
        assert said.claims == {
            "name": "Alice Example",
            "email": "alice@example.org",
            "phone_number": "+15550100",
        }
        # only a plain true says that something was verified
        assert said.verified == {"email"}

    @pytest.mark.parametrize(
        ("more", "code"),
        [
            ({"drp.version": "0.9"}, "unsupported_version"),
            ({"drp.version": None}, "unsupported_version"),
            ({"regime": "gdpr"}, "unknown_regime"),
            ({"agent-request-id": ""}, "agent_request_id_missing"),
            ({"agent-request-id": None}, "agent_request_id_missing"),
            ({"agent-request-id": 7}, "malformed_field"),
            ({"agent-request-id": "a" * 201}, "malformed_field"),
            ({"exercise": ["access"]}, "malformed_field"),
            ({"name": "a\x00"}, "malformed_field"),
            ({"name": "\ud800"}, "malformed_field"),
            ({"address": "a" * 1_001}, "malformed_field"),
            ({"status_callback": "http://a.example/"}, "invalid_callback"),
            ({"status_callback": "https://user:word@a.example/"}, "invalid_callback"),
            ({"status_callback": "nothing"}, "invalid_callback"),
        ],
        ids=lambda value: value if isinstance(value, str) else None,
    )
    def test_what_cannot_be_read_is_refused(self, more: dict[str, Any], code: str) -> None:
        with pytest.raises(Refused) as caught:
            self.read(**more)
        assert caught.value.code == code


JSON = st.none() | st.booleans() | st.integers() | st.text() | st.lists(st.text(max_size=3), max_size=2)
NAMES = [*sorted(exercising("a1", now=AT)), "status_callback", "phone_number", "phone_number_verified", "reason"]
FEW = hypothesis_settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@FEW
@given(st.dictionaries(st.sampled_from(NAMES), JSON, max_size=4))
def test_any_signed_message_is_read_or_refused(changes: dict[str, Any]) -> None:
    body = signed(KEY, exercising("a1", now=AT) | changes)
    with suppress(Refused):
        drp_messages.read(opened(body))
        drp_messages.open_reason(body, agent=AGENT, key=bytes(KEY.verify_key), at=AT)


@FEW
@given(st.binary())
def test_any_bytes_are_refused(body: bytes) -> None:
    assert refusal(body)[0] in {"malformed_base64", "bad_signature"}
    if body:
        with pytest.raises(Refused):
            opened(signed(KEY, body))
