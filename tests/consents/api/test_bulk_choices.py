"""POST /api/v1/choices/bulk: any number of choices, refused by their lines, durable in chunks, resumable by key."""

import hashlib
import io
import json
from collections.abc import Iterator
from typing import Any

import pyarrow as pa
import pytest
from django.http import HttpResponse
from django.test import Client

from consents import subjects
from consents.importing import journal, streams
from consents.models import ChoiceImport, LedgerEvent, Partner, Subject
from portal.errors import Conflict
from tests.conftest import AT, BY, partner, person
from tests.consents.api.conftest import Caller, problem
from tests.consents.api.test_choices import CHOICE

NDJSON = "application/x-ndjson"
ARROW = "application/vnd.apache.arrow.stream"
NAMES = ["alice", "bert", "carla", "dora", "emil"]

Lines = list[dict[str, Any]]


@pytest.fixture(autouse=True)
def people(world: None) -> list[Subject]:
    return [person(name) for name in NAMES]


@pytest.fixture(autouse=True)
def small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    take = streams.take
    monkeypatch.setattr(streams, "take", lambda **given: take(**given, size=2))


def of(name: str, **changes: Any) -> dict[str, Any]:
    return {**CHOICE, "subject": {"scheme": "account", "value": f"m_{name}"}, **changes}


def body(*rows: dict[str, Any]) -> bytes:
    return b"".join(json.dumps(row).encode() + b"\n" for row in rows)


def send(calls: Caller, content: bytes, kind: str = NDJSON, **headers: str) -> HttpResponse:
    return calls.post("/choices/bulk", content, content_type=kind, **headers)


def answer(response: HttpResponse) -> tuple[Lines, dict[str, Any]]:
    """The rejected rows and the summary."""
    assert response.status_code == 200, response.content
    assert response["Content-Type"] == NDJSON
    lines = [json.loads(line) for line in b"".join(response.streaming_content).splitlines()]  # type: ignore[attr-defined]
    return lines[:-1], lines[-1]["summary"]


def counts(response: HttpResponse) -> tuple[int, int, int]:
    _, summary = answer(response)
    return summary["recorded"], summary["repeated"], summary["rejected"]


def said() -> int:
    return LedgerEvent.objects.filter(kind="choice").count()


ALL = body(*(of(name) for name in NAMES))


def test_rows_are_recorded_and_the_others_answered_by_line(acme_calls: Caller) -> None:
    content = body(of("alice"), of("nobody"), of("bert", action="perhaps"), of("carla")) + b"{\n"
    rejected, summary = answer(send(acme_calls, content))
    codes = [(one["line"], one["code"]) for one in rejected]
    assert codes == [(2, "unknown_subject"), (3, "unknown_action"), (5, "malformed_line")]
    assert (summary["rows"], summary["recorded"], summary["rejected"], said()) == (5, 2, 3, 2)
    event = LedgerEvent.objects.filter(kind="choice").first()
    assert event is not None
    assert (event.source, event.actor, event.details["import"]) == ("partner", "partner:acme", summary["import"])


def test_the_callers_key_is_not_kept_readable(acme_calls: Caller) -> None:
    answer(send(acme_calls, ALL, idempotency_key="of alice@example.org"))
    assert ChoiceImport.objects.get().key == hashlib.sha256(b"of alice@example.org").hexdigest()


def test_an_arrow_stream_says_the_same(acme_calls: Caller) -> None:
    columns = {"scheme": ["account"] * 3, "value": ["m_alice", "m_nobody", None], "purpose": ["ai-training"] * 3}
    table = pa.table({**columns, "action": ["deny"] * 3, "occurred_at": [AT] * 3})
    sink = io.BytesIO()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    rejected, summary = answer(send(acme_calls, sink.getvalue(), ARROW))
    assert [(one["line"], one["code"]) for one in rejected] == [(2, "unknown_subject"), (3, "required")]
    assert summary["recorded"] == 1


def test_what_was_sent_before_is_counted_as_repeated(acme_calls: Caller) -> None:
    acme_calls.post("/choices", of("alice"))
    assert counts(send(acme_calls, ALL)) == (4, 1, 0)
    assert counts(send(acme_calls, ALL)) == (0, 5, 0)


class TestRights:
    def test_the_same_rows_are_refused_as_one_by_one(self) -> None:
        person("erik", "DE")
        rows = [
            of("erik", recipient="linkwell"),
            of("alice", recipient="linkwell"),
            of("erik", recipient="northlight"),
            of("erik"),
            of("erik", subject={"scheme": "email", "value": "erik@example.org"}, recipient="linkwell"),
        ]
        calls = Caller(partner("german", recipients=["linkwell"], schemes=["account"], jurisdictions=["EEA"]))
        rejected, _ = answer(send(calls, body(*rows)))
        singly = [
            json.loads(response.content) for row in rows if (response := calls.post("/choices", row)).status_code > 201
        ]
        assert [(one["code"], one["message"]) for one in rejected] == [(one["code"], one["detail"]) for one in singly]
        assert [one["line"] for one in rejected] == [2, 3, 4, 5]

    def test_an_erased_person_is_as_unknown_as_nobody(self, acme_calls: Caller, people: list[Subject]) -> None:
        subjects.forget(subject=people[0], by=BY, at=AT)
        rejected, _ = answer(send(acme_calls, body(of("alice"), of("nobody"))))
        assert rejected[0]["code"] == "unknown_subject"
        assert rejected[0]["message"] == rejected[1]["message"]

    def test_a_minors_flag_is_not_a_partners_to_state(self, acme_calls: Caller) -> None:
        rejected, _ = answer(send(acme_calls, body(of("alice", is_minor=True))))
        assert rejected[0]["code"] == "unknown_field"

    @pytest.mark.parametrize("scope", ["", "decisions:read"])
    def test_another_scope_is_not_enough(self, acme: Partner, scope: str) -> None:
        assert problem(send(Caller(acme, scope), ALL)) == (403, "permission_denied")

    def test_without_a_token_nobody_gets_in(self) -> None:
        response: HttpResponse = Client().post("/api/v1/choices/bulk", ALL, content_type=NDJSON)  # type: ignore[assignment]
        assert problem(response) == (401, "not_authenticated")

    def test_a_client_that_is_no_partner_is_told_so(self, acme_calls: Caller) -> None:
        Partner.objects.all().delete()
        assert problem(send(acme_calls, ALL)) == (403, "client_without_partner")


@pytest.mark.parametrize("kind", ["application/json", "text/csv", "multipart/form-data; boundary=x", "nonsense", ""])
def test_another_content_type_is_refused(acme_calls: Caller, kind: str) -> None:
    assert problem(send(acme_calls, ALL, kind)) == (415, "unsupported_media_type")


@pytest.mark.parametrize("kind", [NDJSON + "; charset=utf-8", "Application/X-NDJSON"])
def test_the_type_may_have_parameters(acme_calls: Caller, kind: str) -> None:
    assert counts(send(acme_calls, ALL, kind)) == (5, 0, 0)


@pytest.mark.parametrize("method", ["get", "put", "patch", "delete"])
def test_another_method_is_refused(acme_calls: Caller, method: str) -> None:
    response = getattr(acme_calls.client, method)("/api/v1/choices/bulk")
    assert problem(response) == (405, "method_not_allowed")


@pytest.mark.parametrize(
    ("content", "kind", "code"),
    [
        (ALL, ARROW, "malformed"),
        (b"x" * 2_000_000, NDJSON, "line_too_long"),
    ],
)
def test_a_body_that_cannot_be_read_is_refused(acme_calls: Caller, content: bytes, kind: str, code: str) -> None:
    response = send(acme_calls, content, kind)
    assert problem(response) == (400, code)
    assert "The 0 rows before it are settled" in json.loads(response.content)["detail"]


def cut(calls: Caller, content: bytes, **headers: str) -> HttpResponse:
    """The same, but the body ends before its length is reached."""
    payload = io.BytesIO(content)
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    more = {"wsgi.input": payload, "CONTENT_LENGTH": str(len(content) + 100), "CONTENT_TYPE": NDJSON}
    return calls.client.post("/api/v1/choices/bulk", content_type=NDJSON, headers=named, **more)  # type: ignore[return-value,arg-type]


class TestResuming:
    def test_the_same_call_again_gets_the_same_answer(self, acme_calls: Caller) -> None:
        content = body(of("alice"), of("nobody"))
        first = send(acme_calls, content, idempotency_key="k1")
        second = send(acme_calls, content, idempotency_key="k1")
        assert answer(first) == answer(second)
        assert second["Idempotency-Replayed"] == "true"
        assert "Idempotency-Replayed" not in first
        assert (said(), ChoiceImport.objects.count()) == (1, 1)

    def test_a_body_that_breaks_off_keeps_what_came_and_goes_on(self, acme_calls: Caller) -> None:
        broken = cut(acme_calls, body(of("alice"), of("nobody"), of("bert")), idempotency_key="k1")
        assert problem(broken) == (400, "cut_off")
        assert "The 3 rows before it are settled" in json.loads(broken.content)["detail"]
        assert (said(), ChoiceImport.objects.get().state) == (2, "stopped")
        content = body(of("alice"), of("nobody"), of("bert"), of("carla"), of("dora"))
        rejected, summary = answer(send(acme_calls, content, idempotency_key="k1"))
        assert (summary["recorded"], summary["repeated"], [one["line"] for one in rejected]) == (4, 0, [2])

    def test_a_body_that_goes_on_where_the_first_ended_is_taken_up(self, acme_calls: Caller) -> None:
        send(acme_calls, ALL, idempotency_key="k1")
        more = send(acme_calls, ALL + body(of("alice", action="grant")), idempotency_key="k1")
        assert counts(more) == (6, 0, 0)
        assert "Idempotency-Replayed" not in more
        assert ChoiceImport.objects.get().state == "done"

    @pytest.mark.parametrize("content", [body(of("bert"), of("alice")), body(of("alice"))])
    def test_the_same_key_with_another_body_is_refused(self, acme_calls: Caller, content: bytes) -> None:
        send(acme_calls, ALL, idempotency_key="k1")
        assert problem(send(acme_calls, content, idempotency_key="k1")) == (422, "idempotency_key_reused")
        assert said() == 5

    @pytest.mark.parametrize("key", ["", "x" * 256])
    def test_a_key_that_cannot_be_one_is_refused(self, acme_calls: Caller, key: str) -> None:
        assert problem(send(acme_calls, ALL, idempotency_key=key)) == (400, "idempotency_key_invalid")
        assert not said()

    def test_partners_do_not_share_keys(self, acme_calls: Caller) -> None:
        send(acme_calls, ALL, idempotency_key="k1")
        other = Caller(partner("other", recipients=[""], schemes=["account"]))
        assert counts(send(other, body(of("alice")), idempotency_key="k1")) == (1, 0, 0)

    def test_a_second_call_meanwhile_is_refused(self, acme_calls: Caller, monkeypatch: pytest.MonkeyPatch) -> None:
        def taken(what: str) -> Iterator[None]:
            assert what == "partner:acme k1"
            raise Conflict("import_under_way", "…")

        monkeypatch.setattr(journal, "alone", taken)
        assert problem(send(acme_calls, ALL, idempotency_key="k1")) == (409, "import_under_way")


def test_a_rejection_quotes_nothing_of_its_row(acme_calls: Caller) -> None:
    secret = "zaphod9"
    rows = [
        of("alice", **{name: secret}) for name in ("purpose", "action", "occurred_at", "recipient", "category", secret)
    ]
    rejected, _ = answer(send(acme_calls, body(*rows, of(secret), of("alice", subject=secret))))
    assert len(rejected) == 8
    assert secret not in json.dumps(rejected)
