"""POST /api/v1/decisions/bulk: JSON and Arrow in, the same out, or a clear refusal."""

import io
import json
import struct
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pyarrow as pa
import pytest
from django.http import HttpResponse, StreamingHttpResponse

from consents import holds
from consents.api.bulk_decisions import ARROW
from consents.bulk_decisions import keeping
from consents.models import Hold, Partner, Subject
from consents.vocabulary import Action
from portal import clock
from tests.conftest import AT, BY, partner, person, sequenced
from tests.consents.api.conftest import Caller, errors, problem
from tests.consents.asking import say

NAMES = ["m_alice", "m_nobody", "m_grace"]


@pytest.fixture(autouse=True)
def own_files(tmp_path: Path, settings: Any) -> Iterator[None]:
    settings.DATA_DIR = tmp_path
    keeping.let_go()
    yield
    keeping.let_go()


def path(**changes: Any) -> str:
    every = {"scheme": "account", "purpose": "ai-training", **changes}
    return "/decisions/bulk?" + urlencode({name: value for name, value in every.items() if value is not None})


def answer(response: HttpResponse) -> dict[str, Any]:
    assert response.status_code == 200, response.content
    body: dict[str, Any] = json.loads(response.content)
    return body


def stream(*batches: list[str | None], column: str = "id", kind: Any = None) -> bytes:
    schema = pa.schema([pa.field("row", pa.int64()), pa.field(column, kind or pa.string())])
    sink = io.BytesIO()
    with pa.ipc.new_stream(sink, schema) as writer:
        for names in batches:
            writer.write_batch(pa.record_batch([list(range(len(names))), pa.array(names, kind)], schema=schema))
    return sink.getvalue()


def sent(calls: Caller, body: bytes, **changes: Any) -> tuple[pa.Table, dict[bytes, bytes]]:
    response = calls.post(path(**changes), body, content_type=ARROW)
    assert isinstance(response, StreamingHttpResponse), response.content
    assert (response.status_code, response["Content-Type"]) == (200, ARROW)
    with pa.ipc.open_stream(b"".join(response)) as reader:
        return reader.read_all(), dict(reader.schema.metadata)


class TestJson:
    def test_each_id_is_answered_in_its_place(self, acme_calls: Caller, alice: Subject, grace: Subject) -> None:
        say(grace, Action.DENY)
        body = answer(acme_calls.post(path(), {"ids": [*NAMES, None]}))
        assert body["allow"] == [True, False, False, False]
        assert (body["position"], body["spans"]) == (0, [])

    def test_addresses_may_be_asked_in_a_body(self, acme_calls: Caller, alice: Subject) -> None:
        body = answer(acme_calls.post(path(scheme="email"), {"ids": ["Alice@example.org ", "bob@example.org", "x"]}))
        assert body["allow"] == [True, False, False]

    def test_the_past_is_answered_as_it_was(self, acme_calls: Caller, alice: Subject) -> None:
        say(alice, Action.DENY, at=AT + timedelta(hours=2))
        then = answer(acme_calls.post(path(at="2026-03-02T13:00:00Z"), {"ids": NAMES}))
        assert (then["allow"], then["at"]) == ([True, False, False], "2026-03-02T13:00:00+00:00")

    def test_a_pause_of_a_span_of_data_is_told_of(self, acme_calls: Caller, alice: Subject) -> None:
        span = {"data_from": AT - timedelta(days=2), "data_until": AT - timedelta(days=1)}
        hold = Hold.objects.create(jurisdictions=["US"], reason="r", opened_at=AT, opened_by=BY, **span)
        body = answer(acme_calls.post(path(), {"ids": NAMES}))
        assert body["allow"][0]
        assert [(one["hold"], one["jurisdictions"], one["data_until"]) for one in body["spans"]] == [
            (str(hold.pk), ["US"], "2026-03-01T12:00:00+00:00")
        ]
        within = answer(acme_calls.post(path(created_at="2026-02-28T13:00:00Z"), {"ids": NAMES}))
        assert (within["allow"][0], within["spans"]) == (False, [])

    def test_as_many_ids_as_are_taken_fit_into_a_body(self, acme_calls: Caller, world: None) -> None:
        ids = [f"{number:0255}" for number in range(10_000)]
        assert len(answer(acme_calls.post(path(), {"ids": ids}))["allow"]) == 10_000

    def test_too_many_ids_are_for_arrow(self, acme_calls: Caller) -> None:
        response = acme_calls.post(path(), {"ids": ["x"] * 10_001})
        assert (problem(response), errors(response)) == ((400, "invalid"), [("ids", "max_length")])


class TestArrow:
    def test_the_same_stream_comes_back_with_the_answers(
        self, acme_calls: Caller, alice: Subject, grace: Subject
    ) -> None:
        say(grace, Action.DENY)
        table, told = sent(acme_calls, stream(NAMES, [], ["m_alice", None]))
        assert table.to_pydict() == {"id": [*NAMES, "m_alice", None], "allow": [True, False, False, True, False]}
        assert told[b"heed.position"] == b"0"
        assert told[b"heed.spans"] == b"[]"

    @pytest.mark.parametrize("kind", [pa.large_string(), pa.string_view(), pa.dictionary(pa.int32(), pa.string())])
    def test_any_kind_of_text_is_read(self, acme_calls: Caller, alice: Subject, kind: pa.DataType) -> None:
        table, _ = sent(acme_calls, stream(NAMES, kind=kind), ids="left_out")
        assert table.to_pydict() == {"allow": [True, False, False]}

    def test_nothing_asked_is_nothing_answered(self, acme_calls: Caller, world: None) -> None:
        assert sent(acme_calls, stream())[0].num_rows == 0

    def test_what_is_no_stream_is_refused(self, acme_calls: Caller, world: None) -> None:
        for body in (b"PAR1", stream(NAMES)[:20]):
            assert problem(acme_calls.post(path(), body, content_type=ARROW)) == (400, "not_arrow")

    def test_a_stream_that_breaks_off_is_not_taken_for_all(self, acme_calls: Caller, alice: Subject) -> None:
        whole = stream(NAMES, ["x" * 5000])
        response = acme_calls.post(path(), whole[:-3000], content_type=ARROW)
        answered = b"".join(response)  # type: ignore[arg-type]  # a StreamingHttpResponse
        with pa.ipc.open_stream(answered) as reader, pytest.raises(OSError, match="Invalid"):
            reader.read_all()

    def test_an_offset_that_points_elsewhere_ends_the_answer(self, acme_calls: Caller, alice: Subject) -> None:
        content, honest = stream(["a", "b"]), struct.pack("<3i", 0, 1, 2)
        assert content.count(honest) == 1
        content = content.replace(honest, struct.pack("<3i", 0, 1, 2_000_000_000))
        answered = b"".join(acme_calls.post(path(), content, content_type=ARROW))  # type: ignore[arg-type]  # streams
        with pa.ipc.open_stream(answered) as reader, pytest.raises(OSError, match="Invalid"):
            reader.read_all()

    def test_a_stream_without_ids_is_refused(self, acme_calls: Caller, world: None) -> None:
        response = acme_calls.post(path(), stream(NAMES, column="name"), content_type=ARROW)
        assert problem(response) == (400, "column_missing")
        twice = pa.record_batch([["a"], ["b"]], names=["id", "id"])
        sink = io.BytesIO()
        with pa.ipc.new_stream(sink, twice.schema) as writer:
            writer.write_batch(twice)
        assert problem(acme_calls.post(path(), sink.getvalue(), content_type=ARROW)) == (400, "column_missing")
        response = acme_calls.post(path(), stream(kind=pa.int64()), content_type=ARROW)
        assert problem(response) == (400, "ids_not_text")

    def test_a_refusal_stays_json_for_who_accepts_arrow(self, acme_calls: Caller, world: None) -> None:
        response = acme_calls.post(path(purpose="nothing"), stream(NAMES), content_type=ARROW, accept=ARROW)
        assert problem(response) == (404, "unknown_purpose")


@pytest.mark.django_db(transaction=True)
def test_a_choice_made_a_moment_ago_is_in_the_next_answer(acme: Partner, alice: Subject) -> None:
    calls, position = Caller(acme), sequenced()
    assert answer(calls.post(path(), {"ids": NAMES}))["position"] == position
    say(alice, Action.DENY, at=clock.now())
    assert not answer(calls.post(path(), {"ids": NAMES}))["allow"][0]
    holds.open(scope=holds.HoldScope(jurisdictions=["GB"]), reason="r", by=BY, at=clock.now())
    person("grace", "GB")
    assert answer(calls.post(path(), {"ids": NAMES}))["allow"] == [False, False, False]


class TestRights:
    def test_people_outside_its_jurisdictions_are_denied(self, alice: Subject, grace: Subject) -> None:
        calls = Caller(partner("british", recipients=[""], schemes=["account"], jurisdictions=["GB"]))
        assert answer(calls.post(path(), {"ids": NAMES}))["allow"] == [False, False, True]

    @pytest.mark.parametrize("scheme", ["account", "email"])
    def test_also_by_address(self, grace: Subject, alice: Subject, scheme: str) -> None:
        calls = Caller(partner("british", recipients=[""], schemes=["email"], jurisdictions=["GB"]))
        response = calls.post(path(scheme=scheme), {"ids": ["alice@example.org", "grace@example.org"]})
        if scheme == "account":
            assert problem(response) == (403, "scheme_not_yours")
        else:
            assert answer(response)["allow"] == [False, True]

    def test_a_recipient_of_somebody_else_is_refused(self, alice: Subject) -> None:
        calls = Caller(partner("small", recipients=["linkwell"], schemes=["account"]))
        assert problem(calls.post(path(recipient="northlight"), {"ids": NAMES})) == (403, "recipient_not_yours")
        assert answer(calls.post(path(recipient="linkwell"), {"ids": NAMES}))["allow"][0]

    def test_another_scope_is_not_enough(self, acme: Partner) -> None:
        calls = Caller(acme, "choices:write")
        assert problem(calls.post(path(), {"ids": NAMES})) == (403, "permission_denied")


class TestRefusals:
    @pytest.mark.parametrize(
        ("changes", "status", "code"),
        [
            ({"purpose": "nothing"}, 404, "unknown_purpose"),
            ({"recipient": "nobody"}, 404, "unknown_recipient"),
            ({"at": "2999-01-01T00:00:00Z"}, 400, "time_in_future"),
            ({"scheme": "device"}, 403, "scheme_not_yours"),
        ],
    )
    def test_what_the_domain_refuses_is_refused_with_its_code(
        self, acme_calls: Caller, changes: dict[str, Any], status: int, code: str
    ) -> None:
        assert problem(acme_calls.post(path(**changes), {"ids": NAMES})) == (status, code)

    @pytest.mark.parametrize(
        ("changes", "body", "error"),
        [
            ({"purpose": None}, {"ids": []}, ("purpose", "required")),
            ({"scheme": None}, {"ids": []}, ("scheme", "required")),
            ({"category": "thoughts"}, {"ids": []}, ("category", "invalid_choice")),
            ({"subject": "x"}, {"ids": []}, ("subject", "unknown_field")),
            ({}, {}, ("ids", "required")),
            ({}, {"ids": [], "at": "now"}, ("at", "unknown_field")),
        ],
    )
    def test_a_question_that_is_not_understood_names_the_field(
        self, acme_calls: Caller, changes: dict[str, Any], body: dict[str, Any], error: tuple[str, str]
    ) -> None:
        response = acme_calls.post(path(**changes), body)
        assert (problem(response), errors(response)) == ((400, "invalid"), [error])

    def test_another_kind_of_body_is_refused(self, acme_calls: Caller) -> None:
        response = acme_calls.post(path(), "m_alice", content_type="text/csv")
        assert problem(response) == (415, "unsupported_media_type")

    def test_another_method_is_refused(self, acme_calls: Caller) -> None:
        assert problem(acme_calls.get("/decisions/bulk")) == (405, "method_not_allowed")
