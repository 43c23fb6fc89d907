"""Partners manage their own webhooks, and nobody else's."""

from typing import Any

import pytest

from consents.models import Partner
from downstream import webhooks
from downstream.models import WebhookDelivery, WebhookSubscription
from tests.conftest import AT
from tests.consents.api.conftest import Caller, problem
from tests.downstream.copies import HOLDERS_SCOPES

URL = "https://hooks.northlight.example/heed"
BODY = {"url": URL, "events": ["permit.void"]}
NOBODY = "00000000-0000-7000-8000-000000000000"


def body(response: Any) -> Any:
    return response.json()


@pytest.fixture
def made(their_calls: Caller) -> dict[str, Any]:
    response = their_calls.post("/webhooks", BODY)
    assert response.status_code == 201, response.content
    assert response["Cache-Control"] == "no-store"
    return body(response)  # type: ignore[no-any-return]


def test_a_secret_is_shown_once(their_calls: Caller, made: dict[str, Any]) -> None:
    assert made["secret"].startswith("whsec_")
    assert made["public_key"].startswith("whpk_")
    (listed,) = body(their_calls.get("/webhooks"))["webhooks"]
    one = body(their_calls.get(f"/webhooks/{made['id']}"))
    assert listed == one == {name: value for name, value in made.items() if name != "secret"}


def test_a_new_secret_is_another_one(their_calls: Caller, made: dict[str, Any]) -> None:
    again = body(their_calls.post(f"/webhooks/{made['id']}/rotate-secret", {}))
    assert again["secret"] != made["secret"]
    assert again["public_key"] != made["public_key"]


def test_a_test_is_in_the_log_of_messages_and_can_be_sent_again(their_calls: Caller, made: dict[str, Any]) -> None:
    sent = their_calls.post(f"/webhooks/{made['id']}/test", {})
    assert (sent.status_code, body(sent)["event"]) == (202, "webhook.test")
    again = f"/webhooks/{made['id']}/deliveries/{body(sent)['id']}/redeliver"
    assert problem(their_calls.post(again, {})) == (409, "still_pending")
    WebhookDelivery.objects.update(state="failed", attempts=11)
    assert body(their_calls.post(again, {}))["state"] == "pending"
    webhooks.announce(event="permit.void", payload={"permit": "p"}, at=AT)
    first = body(their_calls.get(f"/webhooks/{made['id']}/deliveries", limit=1))
    assert [one["event"] for one in first["deliveries"]] == ["permit.void"]
    rest = body(their_calls.get(f"/webhooks/{made['id']}/deliveries", before=first["next"]))
    assert ([one["event"] for one in rest["deliveries"]], rest["next"]) == (["webhook.test"], None)


def test_whoever_unsubscribes_is_forgotten(their_calls: Caller, made: dict[str, Any]) -> None:
    assert their_calls.client.delete(f"/api/v1/webhooks/{made['id']}").status_code == 204
    assert not WebhookSubscription.objects.exists()
    assert problem(their_calls.get(f"/webhooks/{made['id']}")) == (404, "unknown_webhook")


@pytest.mark.parametrize(
    ("changes", "status", "code"),
    [
        ({"url": "http://hooks.example/"}, 400, "invalid_address"),
        ({"url": None}, 400, "invalid"),
        ({"events": []}, 400, "invalid"),
        ({"events": ["everything"]}, 400, "invalid"),
        ({"colour": "red"}, 400, "invalid"),
        ({}, 409, "already_subscribed"),
    ],
)
def test_refusals_of_a_subscription(
    their_calls: Caller, made: dict[str, Any], changes: dict[str, Any], status: int, code: str
) -> None:
    assert problem(their_calls.post("/webhooks", {**BODY, **changes})) == (status, code)


def test_what_is_not_yours_is_not_there(made: dict[str, Any], acme: Partner) -> None:
    others = Caller(acme, HOLDERS_SCOPES)
    assert body(others.get("/webhooks"))["webhooks"] == []
    for path in ("", "/deliveries"):
        assert problem(others.get(f"/webhooks/{made['id']}{path}")) == (404, "unknown_webhook")
    for path in ("/test", "/rotate-secret", f"/deliveries/{NOBODY}/redeliver"):
        assert problem(others.post(f"/webhooks/{made['id']}{path}", {})) == (404, "unknown_webhook")


def test_an_unknown_message_is_unknown(their_calls: Caller, made: dict[str, Any]) -> None:
    assert problem(their_calls.post(f"/webhooks/{made['id']}/deliveries/{NOBODY}/redeliver", {})) == (
        404,
        "unknown_delivery",
    )


def test_a_disabled_webhook_sends_nothing(their_calls: Caller, made: dict[str, Any]) -> None:
    found = WebhookSubscription.objects.get()
    webhooks.disable(subscription=found, why="gone", by="system:heed", at=AT)
    assert problem(their_calls.post(f"/webhooks/{made['id']}/test", {})) == (409, "webhook_disabled")
    assert their_calls.post("/webhooks", BODY).status_code == 201


def test_other_scopes_manage_nothing(northlight: Partner) -> None:
    caller = Caller(northlight, "propagations:read")
    assert problem(caller.get("/webhooks"))[0] == 403
    assert problem(caller.post("/webhooks", BODY))[0] == 403
