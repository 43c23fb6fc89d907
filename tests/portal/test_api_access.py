"""Tokens by client credentials, and nothing else."""

import base64
import json
from typing import Any

import pytest
from django.http import HttpResponse
from django.test import Client, RequestFactory

from consents.api import partners
from consents.models import Partner
from portal.api_access import AddressThrottle

pytestmark = pytest.mark.usefixtures("own_cache")


def asked(**fields: str) -> HttpResponse:
    basic = base64.b64encode(b"acme:only-for-tests").decode()
    sent = {"grant_type": "client_credentials", "scope": "decisions:read", **fields}
    headers = {} if "client_id" in fields else {"authorization": f"Basic {basic}"}
    return Client().post("/o/token/", sent, headers=headers)  # type: ignore[return-value]


def body(response: HttpResponse) -> dict[str, Any]:
    parsed: dict[str, Any] = json.loads(response.content)
    return parsed


def test_a_client_gets_a_token_for_the_scopes_it_asks_for(acme: Partner) -> None:
    granted = body(asked())
    assert (granted["scope"], granted["token_type"], granted["expires_in"]) == ("decisions:read", "Bearer", 3600)
    query = {"subject": "account:nobody", "purpose": "ai-training"}
    headers = {"authorization": f"Bearer {granted['access_token']}"}
    assert Client().get("/api/v1/decisions", query, headers=headers).status_code == 200
    assert Client().get("/api/v1/changes", headers=headers).status_code == 403


def test_a_secret_may_come_in_the_body(acme: Partner) -> None:
    assert asked(client_id="acme", client_secret="only-for-tests").status_code == 200


def test_secrets_are_not_kept_readable(acme: Partner) -> None:
    assert "only-for-tests" not in acme.application.client_secret


@pytest.mark.parametrize(
    ("fields", "status", "error"),
    [
        ({"client_id": "acme", "client_secret": "guessed"}, 401, "invalid_client"),
        ({"client_id": "nobody", "client_secret": "only-for-tests"}, 401, "invalid_client"),
        ({"client_id": "acme"}, 401, "invalid_client"),
        ({"scope": "everything"}, 400, "invalid_scope"),
        ({"grant_type": "password", "username": "u", "password": "p"}, 400, "invalid_grant"),
        ({"grant_type": "refresh_token", "refresh_token": "x"}, 400, "invalid_grant"),
        ({"grant_type": "authorization_code", "code": "x"}, 400, "unauthorized_client"),
        ({"grant_type": "made-up"}, 400, "unsupported_grant_type"),
    ],
)
def test_whatever_else_is_refused(acme: Partner, fields: dict[str, str], status: int, error: str) -> None:
    response = asked(**fields)
    assert (response.status_code, body(response)["error"]) == (status, error)
    assert "access_token" not in body(response)


def test_a_client_gets_no_scope_that_its_partner_lacks(acme: Partner) -> None:
    Partner.objects.update(scopes=["decisions:read"])
    assert asked().status_code == 200
    for more in ("changes:read", "decisions:read changes:read"):
        refused = asked(scope=more)
        assert (refused.status_code, body(refused)["error"]) == (400, "invalid_scope")


def test_a_client_that_is_no_partner_gets_no_scope(acme: Partner) -> None:
    acme.delete()
    assert body(asked())["error"] == "invalid_scope"


def test_a_token_does_no_more_than_its_partner_may_by_now(acme: Partner) -> None:
    headers = {"authorization": f"Bearer {body(asked(scope='changes:read decisions:read'))['access_token']}"}
    assert Client().get("/api/v1/changes", headers=headers).status_code == 200
    Partner.objects.update(scopes=["decisions:read"])
    partners.forget()
    refused = Client().get("/api/v1/changes", headers=headers)
    assert (refused.status_code, refused.json()["code"]) == (403, "scope_not_yours")
    query = {"subject": "account:nobody", "purpose": "ai-training"}
    assert Client().get("/api/v1/decisions", query, headers=headers).status_code == 200


def test_a_token_without_scopes_opens_nothing(acme: Partner) -> None:
    granted = body(asked(scope=""))
    headers = {"authorization": f"Bearer {granted.get('access_token')}"}
    assert Client().get("/api/v1/changes", headers=headers).status_code in {401, 403}


def test_there_is_no_other_page_of_oauth(db: None) -> None:
    for path in ("/o/authorize/", "/o/applications/", "/o/register/"):
        assert Client().get(path).status_code == 404


def test_a_revoked_token_opens_nothing(acme: Partner) -> None:
    token = body(asked(scope="changes:read"))["access_token"]
    sent = {"token": token, "client_id": "acme", "client_secret": "only-for-tests"}
    assert Client().post("/o/revoke_token/", sent).status_code == 200
    assert Client().get("/api/v1/changes", headers={"authorization": f"Bearer {token}"}).status_code == 401


def status(secret: str, *, address: str = "127.0.0.1", client: str = "acme", path: str = "/o/token/") -> int:
    sent = {"grant_type": "client_credentials", "client_id": client, "client_secret": secret, "token": "t"}
    return Client(REMOTE_ADDR=address).post(path, sent).status_code


class TestGuessing:
    @pytest.fixture(autouse=True)
    def twice_a_minute(self, acme: Partner, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("portal.api_access.TokenThrottle.rate", "2/min", raising=False)

    def test_from_one_address_ends_soon(self) -> None:
        assert [status("guess", client=one) for one in ("acme", "bolt", "acme")] == [401, 401, 429]
        assert status("only-for-tests") == 429
        assert status("only-for-tests", address="192.0.2.7") == 200
        assert [status("guess", address=f"2001:db8::{n}") for n in range(3)] == [401, 401, 429]
        assert status("guess", address="2001:db8:0:1::") == 401

    def test_from_many_addresses_ends_for_the_client(self) -> None:
        guesses = [status("guess", address=f"192.0.2.{n}") for n in range(11)]
        assert guesses == [401] * 10 + [429]
        assert status("guess", address="198.51.100.1", client="bolt") == 401

    @pytest.mark.parametrize("junk", ["Basic Ym9sdDp4", "Basic !", "Bearer x"])
    def test_another_name_beside_it_is_no_way_around(self, junk: str) -> None:
        headers = {"authorization": junk}
        sent = {"grant_type": "client_credentials", "client_id": "acme", "client_secret": "guess"}
        answers = [
            Client(REMOTE_ADDR=f"192.0.2.{n}").post("/o/token/", sent, headers=headers).status_code for n in range(11)
        ]
        assert answers[-1] == 429

    def test_revoking_is_counted_with_it(self) -> None:
        assert [status("guess", path="/o/revoke_token/") for _ in range(2)] == [401, 401]
        refused = asked()
        assert refused.status_code == 429
        assert (body(refused)["code"], refused["Content-Type"]) == ("throttled", "application/problem+json")
        assert 0 < int(refused["Retry-After"]) <= 60

    def test_no_cookie_is_needed(self) -> None:
        sent = {"grant_type": "client_credentials", "client_id": "acme", "client_secret": "only-for-tests"}
        assert Client(enforce_csrf_checks=True).post("/o/token/", sent).status_code == 200


def key(address: str, *, forwarded: str = "") -> str:
    request = RequestFactory().post("/verify/", REMOTE_ADDR=address, HTTP_X_FORWARDED_FOR=forwarded)
    found = AddressThrottle().get_cache_key(request, None)  # type: ignore[arg-type]
    assert found is not None
    return found


def test_an_address_is_counted_and_not_kept(settings: Any) -> None:
    assert key("192.0.2.7") == key("192.0.2.7") != key("192.0.2.8")
    assert "192.0.2.7" not in key("192.0.2.7")
    before = key("192.0.2.7")
    settings.SECRET_KEY = "another"
    assert key("192.0.2.7") != before


def test_nobody_gets_another_count_by_claiming_another_address() -> None:
    assert key("192.0.2.7", forwarded="198.51.100.1") == key("192.0.2.7")


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("2001:db8::1", "2001:db8:0:0:ffff::2", True),
        ("2001:db8::1", "2001:db8:0:1::1", False),
        ("::ffff:192.0.2.7", "192.0.2.7", True),
        ("::ffff:192.0.2.7", "::ffff:192.0.2.8", False),
        ("unix", "unix", True),
    ],
)
def test_of_ipv6_a_caller_is_counted_by_all_that_is_theirs(one: str, other: str, same: bool) -> None:
    assert (key(one) == key(other)) is same
