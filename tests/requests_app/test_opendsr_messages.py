"""What controllers say is read as they mean it; what Heed sends as a controller, Heed reads as a processor."""

import json
from contextlib import suppress
from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consents.models import Partner
from downstream.holders.base import Place, Question
from downstream.holders.opendsr import OpenDSR
from requests_app import opendsr_messages
from requests_app.opendsr_messages import Refused
from tests.conftest import AT
from tests.requests_app.controlling import asking, customer

ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=10), inner, max_size=3),
    max_leaves=8,
)
IDENTITY = st.fixed_dictionaries(
    {
        "identity_type": st.sampled_from(["email", "controller_customer_id", "fire_advertising_id"]) | ANYTHING,
        "identity_format": st.sampled_from(["raw", "sha256"]) | ANYTHING,
        "identity_value": st.text(max_size=300) | ANYTHING,
    }
)
FIELDS = dict.fromkeys(asking(at=AT), ANYTHING) | {
    "extensions": ANYTHING,
    "subject_identities": st.lists(IDENTITY, max_size=3) | ANYTHING,
    "status_callback_urls": st.lists(st.text(max_size=40) | st.just("https://a.example/x"), max_size=6) | ANYTHING,
}
KEYS = st.text(st.characters(categories=["L", "N", "P", "S"]), min_size=1, max_size=40)


def controller(*schemes: str) -> Partner:
    return Partner(slug="acme", name="Acme", schemes=list(schemes or ("email", "account")))


@given(
    keys=st.lists(KEYS, min_size=1, max_size=5, unique=True),
    regulation=st.sampled_from(["gdpr", "ccpa"]),
    submitted_at=st.datetimes(AT.replace(tzinfo=None) - timedelta(days=365), AT.replace(tzinfo=None)),
    request_id=st.uuids(version=4),
)
def test_what_we_send_as_a_controller_we_take_as_a_processor(
    keys: list[str], regulation: str, submitted_at: datetime, request_id: object
) -> None:
    place = Place("opendsr", "http://localhost:1/v2", "linkwell", "account", options={"regulation": regulation})
    question = Question(
        request_id, tuple(keys), submitted_at.replace(tzinfo=AT.tzinfo), "http://localhost:8000/callbacks"
    )  # type: ignore[arg-type]
    message = json.loads(json.dumps(OpenDSR(place).message(question)))
    said = opendsr_messages.read(message, controller=controller(), at=AT)
    assert (said.id, said.request_type, said.regulation) == (request_id, "erasure", regulation)
    assert [(one.scheme, one.value) for one in said.names] == [("account", key) for key in keys]
    assert said.submitted_at == submitted_at.replace(microsecond=0, tzinfo=AT.tzinfo)
    assert said.callbacks == ("http://localhost:8000/callbacks",)


@given(st.fixed_dictionaries({}, optional=FIELDS))
def test_whatever_else_is_sent_is_refused_in_words(changes: dict[str, object]) -> None:
    message = asking(at=AT) | changes
    with suppress(Refused):
        assert opendsr_messages.read(message, controller=controller(), at=AT).names


@pytest.mark.parametrize(
    ("schemes", "scheme"),
    [
        (["account", "email"], "account"),
        (["email", "phone", "device", "shop_id", "account"], "shop_id"),
        (["email", "device"], None),
    ],
)
def test_customers_are_named_by_the_controllers_own_scheme(schemes: list[str], scheme: str | None) -> None:
    assert opendsr_messages.scheme_of_customers(controller(*schemes)) == scheme


def test_a_slightly_fast_clock_is_let_be() -> None:
    message = asking(at=AT + timedelta(minutes=4))
    assert opendsr_messages.read(message, controller=controller(), at=AT).submitted_at == AT


def test_as_many_identities_as_fit_are_read() -> None:
    names = [one for number in range(101) for one in customer(f"m_{number}")]
    said = opendsr_messages.read(asking(at=AT, subject_identities=names[:100]), controller=controller(), at=AT)
    assert len(said.names) == 100
    with pytest.raises(Refused):
        opendsr_messages.read(asking(at=AT, subject_identities=names), controller=controller(), at=AT)


def test_the_same_address_is_called_once() -> None:
    message = asking(at=AT, status_callback_urls=["https://a.example/x"] * 2)
    assert opendsr_messages.read(message, controller=controller(), at=AT).callbacks == ("https://a.example/x",)


def test_neither_names_nor_addresses_are_in_its_repr() -> None:
    said = opendsr_messages.read(asking(at=AT), controller=controller(), at=AT)
    assert "alice" not in repr(said)
