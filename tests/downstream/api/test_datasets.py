"""/api/v1/datasets: who may register and see what, and how it is refused."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from django.db import connection
from django.http import HttpResponse
from django.test.utils import CaptureQueriesContext

from consents.models import Partner, Subject
from consents.vocabulary import Action
from downstream import naming, registry, versions
from downstream.models import Dataset
from portal.models import AuditEntry, RememberedAnswer
from tests.conftest import AT, dataset_of, partner, sequenced, write_parquet
from tests.consents.api.conftest import Caller, errors, problem
from tests.downstream.acting import run_all, say
from tests.downstream.test_naming import hashed

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def body(world: None, tmp_path: Path, settings: Any) -> dict[str, Any]:
    """A dataset in a folder that the operator opened to partners."""
    settings.DATASET_ROOTS = {"linkwell": [str(tmp_path), "/no/such"]}
    folder = write_parquet(tmp_path / "posts", {"author": ["m_alice"], "text": ["a"]})
    return {
        "slug": "posts",
        "owner": "linkwell",
        "purposes": ["ai-training"],
        "location": str(folder),
        "key_column": "author",
    }


def said(response: HttpResponse, status: int = 200) -> Any:
    assert response.status_code == status, response.content
    return json.loads(response.content)


def test_a_partner_registers_a_dataset_and_sees_it(calls: Caller, body: dict[str, Any]) -> None:
    made = said(calls.post("/datasets", body | {"name": "Posts", "deadline_hours": 12}), 201)
    assert (made["slug"], made["rows"], made["version"], made["position"]) == ("posts", 1, 1, 0)
    assert "key_secret" not in made
    assert said(calls.get("/datasets/posts")) == made
    assert said(calls.get("/datasets"))["datasets"] == [made]
    entry = AuditEntry.objects.get(action="dataset.register")
    assert entry.actor == "partner:acme"


def test_the_same_call_twice_registers_once(calls: Caller, body: dict[str, Any]) -> None:
    first = calls.post("/datasets", body, idempotency_key="k1")
    again = calls.post("/datasets", body, idempotency_key="k1")
    assert (first.status_code, said(again, 201)) == (201, said(first, 201))
    assert again["Idempotency-Replayed"] == "true"
    assert problem(calls.post("/datasets", body | {"slug": "other"}, idempotency_key="k1"))[1] == (
        "idempotency_key_reused"
    )
    assert Dataset.objects.count() == 1


def test_files_are_read_before_a_transaction_is_open(
    calls: Caller, body: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    honest, open_then = registry.prepare, []

    def prepare(*given: Any, **named: Any) -> Any:
        open_then.append(connection.in_atomic_block)
        return honest(*given, **named)

    monkeypatch.setattr(registry, "prepare", prepare)
    assert calls.post("/datasets", body, idempotency_key="k1").status_code == 201
    assert open_then == [False]


def test_a_secret_that_was_made_is_told_once_and_kept_nowhere_readable(
    calls: Caller, body: dict[str, Any], alice: Subject
) -> None:
    wanted = body | {"key_hash": "hmac-sha256"}
    first = said(calls.post("/datasets", wanted, idempotency_key="k1"), 201)
    again = said(calls.post("/datasets", wanted, idempotency_key="k1"), 201)
    assert len(first.pop("key_secret")) == 64
    assert again == first
    assert "key_secret" not in RememberedAnswer.objects.get().body
    assert "key_secret" not in said(calls.get("/datasets/posts"))


def test_a_secret_of_ones_own_is_not_told_back(calls: Caller, body: dict[str, Any], alice: Subject) -> None:
    secret = "a secret of thirty-two letters -"
    made = said(calls.post("/datasets", body | {"key_hash": "sha256-salted", "key_secret": secret}), 201)
    assert secret not in json.dumps(made)
    expected = hashed("m_alice", "sha256-salted", secret)
    assert list(naming.keys([alice.pk], dataset=Dataset.objects.get())) == [expected]


@pytest.mark.parametrize(
    ("wrong", "status", "code"),
    [
        ({"owner": "somebody"}, 404, "unknown_recipient"),
        ({"purposes": ["mining"]}, 404, "unknown_purpose"),
        ({"purposes": []}, 400, "purpose_missing"),
        ({"location": "/no/such/place"}, 400, "dataset_missing"),
        ({"location": "/etc"}, 400, "location_not_allowed"),
        ({"kind": "pull", "location": "acme/posts"}, 400, "location_not_allowed"),
        ({"kind": "opendsr", "location": "https://dsr.example/v2"}, 400, "location_not_allowed"),
        ({"key_column": "writer"}, 400, "key_column_missing"),
        ({"key_scheme": "device"}, 403, "scheme_not_yours"),
        ({"kind": "spreadsheet"}, 400, "unknown_kind"),
        ({"slug": "Posts"}, 400, "invalid_slug"),
        ({"key_secret": "x" * 40}, 400, "secret_without_hash"),
        ({"key_hash": "hmac-sha256", "key_secret": "short"}, 400, "invalid_key_secret"),
    ],
)
def test_what_is_wrong_is_refused_by_name(
    calls: Caller, body: dict[str, Any], wrong: dict[str, Any], status: int, code: str
) -> None:
    assert problem(calls.post("/datasets", body | wrong)) == (status, code)
    assert not Dataset.objects.exists()


@pytest.mark.parametrize("field", ["slug", "owner", "purposes", "location", "key_column"])
def test_a_missing_field_is_told(calls: Caller, body: dict[str, Any], field: str) -> None:
    response = calls.post("/datasets", {name: value for name, value in body.items() if name != field})
    assert (problem(response), errors(response)) == ((400, "invalid"), [(field, "required")])


@pytest.mark.parametrize(("extra", "code"), [({"keycolumn": "x"}, "unknown_field"), ({"key_hash": "md5"}, None)])
def test_fields_that_nobody_knows_are_errors(
    calls: Caller, body: dict[str, Any], extra: dict[str, str], code: str | None
) -> None:
    response = calls.post("/datasets", body | extra)
    assert problem(response) == (400, "invalid")
    assert errors(response)[0][1] == (code or "invalid_choice")


def test_a_place_is_registered_once(calls: Caller, body: dict[str, Any]) -> None:
    calls.post("/datasets", body)
    assert problem(calls.post("/datasets", body)) == (409, "slug_taken")
    assert problem(calls.post("/datasets", body | {"slug": "again"})) == (409, "location_taken")


def test_partners_register_only_for_recipients_of_theirs(calls: Caller, body: dict[str, Any]) -> None:
    other = Caller(partner("other", recipients=["northlight"], schemes=["account"]), "datasets:write datasets:read")
    assert problem(other.post("/datasets", body)) == (403, "recipient_not_yours")
    calls.post("/datasets", body)
    assert said(other.get("/datasets")) == {"datasets": [], "next": None}
    for path in ("", "/versions", "/versions/1", "/changes", "/croissant"):
        query = {"from": 1} if path == "/changes" else {}
        assert problem(other.get(f"/datasets/posts{path}", **query)) == (404, "unknown_dataset")


def test_partners_register_only_where_the_operator_lets_them(
    calls: Caller, body: dict[str, Any], settings: Any, tmp_path: Path
) -> None:
    settings.DATASET_ROOTS = {}
    assert problem(calls.post("/datasets", body)) == (400, "location_not_allowed")
    settings.DATASET_ROOTS = {"linkwell": [str(tmp_path / "shared")], "northlight": [str(tmp_path)]}
    assert problem(calls.post("/datasets", body)) == (400, "location_not_allowed")
    (tmp_path / "shared").mkdir()
    (tmp_path / "shared" / "link").symlink_to(body["location"])
    # a link out of there is not there
    assert problem(calls.post("/datasets", body | {"location": str(tmp_path / "shared" / "link")}))[1] == (
        "location_not_allowed"
    )
    settings.DATASET_ROOTS = {"linkwell": [str(tmp_path)]}
    assert calls.post("/datasets", body).status_code == 201


def test_who_may_not_see_a_dataset_is_not_told_its_name(
    calls: Caller, body: dict[str, Any], settings: Any, tmp_path: Path
) -> None:
    calls.post("/datasets", body | {"slug": "hidden-posts"})
    assert "hidden-posts" in said(calls.post("/datasets", body), 409)["detail"]
    settings.DATASET_ROOTS = {"northlight": [str(tmp_path)]}
    other = Caller(partner("other", recipients=["northlight"], schemes=["account"]), "datasets:write")
    response = other.post("/datasets", body | {"owner": "northlight"})
    assert problem(response) == (409, "location_taken")
    assert "hidden-posts" not in response.content.decode()


@pytest.mark.parametrize("roots", ["/data", "=/data", "linkwell=", "linkwell=/data,/more", "/data/linkwell=x"])
def test_folders_that_are_nobodys_are_refused_at_the_start(roots: str) -> None:
    # named, so that none are started
    engines = {"DATABASE_URL": "postgres://127.0.0.1/heed", "REDIS_URL": "redis://127.0.0.1"}
    died = subprocess.run(
        [sys.executable, "-c", "import portal.settings"],
        env={**os.environ, **engines, "HEED_DATASET_ROOTS": roots},
        capture_output=True,
        check=False,
        timeout=60,
    )
    assert b"write the recipient's slug before each folder" in died.stderr


def test_a_repeated_call_reads_no_files(calls: Caller, body: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    first = calls.post("/datasets", body | {"key_hash": "hmac-sha256"}, idempotency_key="k1")
    assert (first["Cache-Control"], len(said(first, 201)["key_secret"])) == ("no-store", 64)

    def prepare(*_: Any, **__: Any) -> Any:
        raise AssertionError("The dataset is looked at again.")

    monkeypatch.setattr(registry, "prepare", prepare)
    again = calls.post("/datasets", body | {"key_hash": "hmac-sha256"}, idempotency_key="k1")
    assert (again.status_code, again["Idempotency-Replayed"]) == (201, "true")


def test_reading_and_writing_are_scopes_of_their_own(acme: Partner, body: dict[str, Any]) -> None:
    assert problem(Caller(acme, "datasets:read").post("/datasets", body))[0] == 403
    assert problem(Caller(acme, "datasets:write").get("/datasets"))[0] == 403
    for path in ("/datasets/posts", "/datasets/posts/versions", "/datasets/posts/croissant"):
        assert problem(Caller(acme, "choices:read").get(path))[0] == 403
    acme.scopes = ["datasets:read"]
    acme.save()
    assert problem(Caller(acme, "datasets:write").post("/datasets", body))[1] == "scope_not_yours"


def test_the_list_is_had_page_by_page(calls: Caller, world: None, tmp_path: Path) -> None:
    for slug in ("c", "a", "b"):
        dataset_of(write_parquet(tmp_path / slug, {"author": ["m_x"]}), slug=slug)
    seen, after = [], {}
    while True:
        page = said(calls.get("/datasets", limit=2, **after))
        seen += [one["slug"] for one in page["datasets"]]
        if page["next"] is None:
            break
        after = {"after": page["next"]}
    assert seen == ["a", "b", "c"]
    assert problem(calls.get("/datasets", limit=0)) == (400, "invalid")
    assert problem(calls.get("/datasets", page=2)) == (400, "invalid")


def test_a_longer_page_asks_the_database_no_oftener(
    calls: Caller, world: None, tmp_path: Path, django_assert_num_queries: Any
) -> None:
    for slug in ("a", "b", "c"):
        dataset = dataset_of(write_parquet(tmp_path / slug, {"author": ["m_x"]}), slug=slug)
        for number in range(3):
            write_parquet(tmp_path / slug, {"author": ["m_y"]}, name=f"new-{number}.parquet")
            versions.notice(dataset=dataset, manifest=registry.connect(dataset).manifest(), at=AT)
    for path in ("/datasets", "/datasets/a/versions"):
        # who calls is looked up once
        calls.get(path)
        with CaptureQueriesContext(connection) as shorter:
            calls.get(path, limit=1)
        with django_assert_num_queries(len(shorter)):
            calls.get(path, limit=3)
    assert [one["version"] for one in said(calls.get("/datasets"))["datasets"]] == [4, 4, 4]


def test_versions_and_what_changed_between_them(calls: Caller, posts: Dataset, alice: Subject) -> None:
    write_parquet(Path(posts.location), {"author": ["m_z"], "text": ["z"]}, name="part-1.parquet")
    head = say(alice, Action.DENY)
    run_all()
    run_all()
    head = max(head, sequenced())
    every = said(calls.get("/datasets/posts/versions"))["versions"]
    assert [(one["version"], one["parent"], one["origin"]) for one in every] == [
        (3, 2, "propagated"),
        (2, 1, "propagated"),
        (1, None, "registered"),
    ]
    assert every[0]["position"] == head
    assert said(calls.get("/datasets/posts/versions/1")) == every[2]
    assert said(calls.get("/datasets/posts/versions", limit=1))["next"] == "3"
    older = said(calls.get("/datasets/posts/versions", limit=1, after=3))
    assert ([one["version"] for one in older["versions"]], older["next"]) == ([2], "2")
    found = said(calls.get("/datasets/posts/changes", **{"from": 1, "to": 2}))
    assert (found["rows_removed"], found["next"]) == (2, None)
    assert found["units"] == [
        {"name": "part-0.parquet", "change": "rewritten", "rows_before": 5, "rows_after": 3},
        {"name": "part-1.parquet", "change": "added", "rows_before": None, "rows_after": 1},
    ]
    assert [one["to_position"] for one in found["runs"]] == [versions.get(posts, 3).position]
    first = said(calls.get("/datasets/posts/changes", **{"from": 1, "to": 2, "limit": 1}))
    rest = said(calls.get("/datasets/posts/changes", **{"from": 1, "to": 2, "after": first["next"]}))
    assert first["units"] + rest["units"] == found["units"]


@pytest.mark.parametrize(
    ("path", "query", "status", "code"),
    [
        ("/versions/9", {}, 404, "unknown_version"),
        ("/versions/99999999999", {}, 404, "unknown_version"),
        ("/changes", {}, 400, "invalid"),
        ("/changes", {"from": 9}, 404, "unknown_version"),
        ("/changes", {"from": 1, "to": 9}, 404, "unknown_version"),
        ("/changes", {"from": "x"}, 400, "invalid"),
        ("/croissant", {"version": 9}, 404, "unknown_version"),
        ("/croissant", {"version": 0}, 400, "invalid"),
        ("/versions", {"since": 1}, 400, "invalid"),
    ],
)
def test_versions_that_are_not_there_are_refused(
    calls: Caller, posts: Dataset, path: str, query: dict[str, Any], status: int, code: str
) -> None:
    assert problem(calls.get(f"/datasets/posts{path}", **query)) == (status, code)


def test_comparing_backwards_is_refused(calls: Caller, posts: Dataset, grace: Subject) -> None:
    say(grace, Action.DENY)
    run_all()
    response = calls.get("/datasets/posts/changes", **{"from": 2, "to": 1})
    assert problem(response) == (400, "versions_out_of_order")


def test_what_has_not_changed_is_not_sent_again(calls: Caller, posts: Dataset, grace: Subject) -> None:
    for path in ("/datasets", "/datasets/posts", "/datasets/posts/versions", "/datasets/posts/croissant"):
        first = calls.get(path)
        kept = {"HTTP_IF_NONE_MATCH": first["ETag"]}
        again = calls.client.get(f"/api/v1{path}", **kept)  # type: ignore[arg-type]
        assert (again.status_code, again.content) == (304, b"")
    say(grace, Action.DENY)
    run_all()
    assert calls.client.get("/api/v1/datasets/posts", **kept).status_code == 200  # type: ignore[arg-type]


def test_calls_are_counted(calls: Caller, posts: Dataset) -> None:
    assert calls.get("/datasets")["RateLimit"].startswith('"client"')
