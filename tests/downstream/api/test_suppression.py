"""GET /api/v1/suppression: who may pull which list, in which form, and when it need not be sent again."""

import io
import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from django.http import HttpResponse
from pyroaring import BitMap64

from consents.models import Partner, Subject
from consents.vocabulary import Action
from downstream import registry
from downstream.models import KeyHash
from tests.conftest import AT, BY, dataset_of, partner, person, sequenced, write_parquet
from tests.consents.api.conftest import Caller, errors, problem
from tests.downstream.acting import say
from tests.downstream.test_naming import folder_of, hashed, registration

pytestmark = pytest.mark.django_db(transaction=True)

PATH = "/suppression/ai-training"


def content(response: HttpResponse) -> bytes:
    assert response.status_code == 200, response.content
    return b"".join(response) if response.streaming else response.content


@pytest.fixture
def head(alice: Subject, charlie: Subject, grace: Subject) -> int:
    """Alice and Grace said no, and Dora is in the EEA, where nobody is in unless they say so."""
    person("dora", "DE")
    say(grace, Action.DENY)
    return say(alice, Action.DENY)


def test_every_form_has_the_same_keys_and_their_position(calls: Caller, head: int) -> None:
    wanted = ["m_alice", "m_dora", "m_grace"]
    parquet = calls.get(PATH)
    table = pq.read_table(io.BytesIO(content(parquet)))
    assert table["key"].to_pylist() == wanted
    assert table.schema.metadata[b"heed.position"] == parquet["Heed-Position"].encode() == str(head).encode()
    assert parquet["Content-Type"] == "application/vnd.apache.parquet"
    with pa.ipc.open_stream(content(calls.get(PATH, format="arrow"))) as reader:
        assert reader.read_all()["key"].to_pylist() == wanted
        assert reader.schema.metadata[b"heed.purpose"] == b"ai-training"
    *lines, last = map(json.loads, content(calls.get(PATH, format="ndjson")).splitlines())
    assert lines == [{"key": key} for key in wanted]
    assert (last["summary"]["keys"], last["summary"]["position"]) == (3, head)
    roaring = calls.get(PATH, format="roaring")
    assert len(BitMap64.deserialize(content(roaring))) == 3
    assert (roaring["Heed-Keys"], roaring["Heed-Position"]) == ("sha256-64", str(head))


def test_a_list_that_has_not_changed_is_not_sent_again(calls: Caller, head: int, charlie: Subject) -> None:
    first = calls.get(PATH)
    assert len(content(first)) > 0

    def again() -> Any:
        return calls.client.get(f"/api/v1{PATH}", headers={"If-None-Match": first["ETag"]})

    assert again().status_code == 304
    assert again()["Heed-Position"] == str(head)
    assert calls.get(PATH, format="ndjson")["ETag"] != first["ETag"]
    say(charlie, Action.DENY)
    changed = again()
    assert changed.status_code == 200
    assert changed["ETag"] != first["ETag"]


def test_people_of_other_places_are_on_no_list_of_theirs(head: int) -> None:
    theirs = Caller(partner("british", recipients=[""], schemes=["account"], jurisdictions=["GB"]), "suppression:read")
    assert pq.read_table(io.BytesIO(content(theirs.get(PATH))))["key"].to_pylist() == ["m_grace"]


def test_a_dataset_is_given_its_own_hashes(calls: Caller, head: int, tmp_path: Path) -> None:
    folder = folder_of(tmp_path, KeyHash.HMAC, "m_charlie")
    registry.register(registration=registration(folder, KeyHash.HMAC), by=BY, at=AT)
    table = pq.read_table(io.BytesIO(content(calls.get(PATH, dataset="posts"))))
    wanted = {hashed(one, KeyHash.HMAC) for one in ("m_alice", "m_dora", "m_grace")}
    assert set(table["key"].to_pylist()) == wanted
    assert table.schema.metadata[b"heed.key_hash"] == b"hmac-sha256"


def test_addresses_are_given_out_hashed_or_not_at_all(calls: Caller, head: int, tmp_path: Path) -> None:
    assert problem(calls.get(PATH, scheme="email")) == (400, "addresses_not_listed")
    folder = folder_of(tmp_path, KeyHash.HMAC, "charlie@example.org")
    registry.register(registration=registration(folder, KeyHash.HMAC, scheme="email"), by=BY, at=AT)
    response = calls.get(PATH, dataset="posts", format="ndjson")
    *lines, _ = map(json.loads, content(response).splitlines())
    wanted = {hashed(f"{one}@example.org", KeyHash.HMAC) for one in ("alice", "dora", "grace")}
    assert {one["key"] for one in lines} == wanted
    # what is on it is known only once it is read
    assert "ETag" not in response


def test_a_dataset_whose_keys_are_as_they_are_needs_the_scheme(head: int, tmp_path: Path) -> None:
    dataset_of(write_parquet(tmp_path / "posts", {"author": ["m_alice"]}))
    other = Caller(partner("hashers", recipients=["linkwell"], schemes=["device"]), "suppression:read")
    assert problem(other.get(PATH, dataset="posts")) == (403, "scheme_not_yours")
    assert problem(other.get(PATH, dataset="others")) == (404, "unknown_dataset")


@pytest.mark.parametrize(
    ("path", "query", "status", "code"),
    [
        ("/suppression/mining", {}, 404, "unknown_purpose"),
        (PATH, {"scheme": "device"}, 403, "scheme_not_yours"),
        (PATH, {"recipient": "eastdark"}, 404, "unknown_recipient"),
        (PATH, {"format": "xml"}, 400, "invalid"),
        (PATH, {"schema": "account"}, 400, "invalid"),
        (PATH, {"dataset": "none"}, 404, "unknown_dataset"),
        (PATH, {"category": "gossip"}, 400, "invalid"),
    ],
)
def test_what_is_wrong_is_refused_by_name(
    calls: Caller, path: str, query: dict[str, str], status: int, code: str
) -> None:
    assert problem(calls.get(path, **query)) == (status, code)


def test_a_dataset_says_itself_for_whom_and_what(calls: Caller, head: int, tmp_path: Path) -> None:
    dataset_of(write_parquet(tmp_path / "posts", {"author": ["m_alice"]}))
    for name, value in (("scheme", "account"), ("recipient", "linkwell"), ("category", "")):
        response = calls.get(PATH, dataset="posts", **{name: value})
        assert (problem(response), errors(response)) == ((400, "dataset_says_so"), [(name, "dataset_says_so")])
    assert problem(calls.get("/suppression/marketing", dataset="posts")) == (400, "purpose_not_served")


def test_the_scope_is_its_own(acme: Partner) -> None:
    assert problem(Caller(acme, "decisions:read datasets:read").get(PATH))[0] == 403
    acme.scopes = ["datasets:read"]
    acme.save()
    assert problem(Caller(acme, "suppression:read").get(PATH)) == (403, "scope_not_yours")


def test_nobody_is_on_an_empty_list(calls: Caller, alice: Subject) -> None:
    sequenced()
    assert pq.read_table(io.BytesIO(content(calls.get(PATH)))).num_rows == 0
    assert not BitMap64.deserialize(content(calls.get(PATH, format="roaring")))
