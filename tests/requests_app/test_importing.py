"""Files of requests: every refusal by line and column, nothing twice, nothing in part, nothing kept."""

import csv
import io
import threading
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings as configured
from django.db import connections

from consents.importing.rows import InputRefused
from consents.models import Subject
from portal import sealed_files
from portal.errors import Conflict, TooLarge
from portal.models import AuditEntry
from requests_app import import_rows, importing, sealing
from requests_app.models import ImportedReference, ImportState, RefusedRow, Request, RequestImport
from requests_app.rights import rectification
from requests_app.states import Status
from tests.conftest import AT, BY, OTHER
from tests.consents.asking import tables_as_text
from tests.requests_app.asking import asked
from tests.requests_app.import_files import csv_of, line

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("world")]


@pytest.fixture(autouse=True)
def own_files(settings: Any, tmp_path: Path) -> None:
    settings.FILES_DIR = tmp_path


CORRECTS = {"rights": "rectification", "correct_what": "Surname", "correct_wrong": "Dough", "correct_right": "Doe"}
PLACE = "unknown_jurisdiction"


def check(content: bytes, *, at: Any = AT) -> RequestImport:
    return importing.check(name="folder/tickets.csv", parts=[content[:7], content[7:]], by=BY, at=at)


def take_in(content: bytes, *, at: Any = AT) -> RequestImport:
    one = importing.approve(one=check(content, at=at), by=OTHER, at=at)
    return importing.take_in(one=one, clock=lambda: at)


def counts(one: RequestImport) -> tuple[int, int, int, int]:
    return one.rows, one.accepted, one.repeated, one.refused


def refusals(one: RequestImport) -> list[tuple[int, str, str]]:
    return list(one.refusals.values_list("line", "column", "code"))


def kept() -> list[Path]:
    return [path for path in Path(configured.FILES_DIR).rglob("*") if path.is_file()]


def test_a_line_becomes_the_requests_of_one_group(alice: Subject, django_capture_on_commit_callbacks: Any) -> None:
    content = csv_of(
        line(
            rights="objection; access",
            purposes="ai-training",
            channel="letter",
            shown="document",
            note="my poems",
            locale="de",
        )
    )
    with django_capture_on_commit_callbacks(execute=True):
        one = take_in(content)
    access, objection = Request.objects.order_by("right")
    assert (access.group, access.subject, access.channel, access.locale) == (objection.group, alice, "letter", "de")
    assert (access.status, objection.status) == (Status.RECEIVED, Status.IN_PROGRESS)
    assert access.received_at.isoformat() == "2026-03-01T10:30:00+00:00"
    assert sealing.unseal(access, access.sealed_note, context=sealing.NOTE) == "my poems"
    assert access.timeline.earliest("at").actor == OTHER
    assert (one.state, counts(one), one.name) == (ImportState.DONE, (1, 1, 0, 0), "tickets.csv")
    assert kept() == []


def corrected(request: Request) -> list[str]:
    return [rectification.in_words(one) for one in rectification.corrections(request)]


def test_as_many_things_to_correct_as_there_may_be_come_from_one_line(alice: Subject) -> None:
    said = dict(CORRECTS)
    for number in range(2, 21):
        said |= {f"correct_what_{number}": f"thing {number}", f"correct_right_{number}": "+49 right\nand well"}
    # what is left empty between others is none, and no text is taken for more than it is
    said |= {"correct_what_5": "", "correct_right_5": ""}
    take_in(csv_of(line(1, **said), line(2, rights="rectification", note="My name is wrong!")))
    first, in_words = Request.objects.order_by("pk")
    assert len(corrected(first)) == 19
    assert corrected(first)[-1] == "thing 20: → +49 right\nand well"
    assert corrected(in_words) == []


def test_each_right_of_a_line_is_about_its_own_uses(alice: Subject) -> None:
    rights = "objection; withdraw_consent; restriction; rectification"
    own = {"purposes_objection": "ai-training", "purposes_withdraw_consent": "marketing; ai-training"}
    take_in(csv_of(line(1, **{**CORRECTS, **own, "rights": rights}, shown="callback")))
    assert dict(Request.objects.values_list("right", "scope")) == {
        "objection": {"purposes": ["ai-training"]},
        "withdraw_consent": {"purposes": ["ai-training", "marketing"]},
        "restriction": {},
        "rectification": {},
    }
    # and what has no own column is about what all are about
    take_in(csv_of(line(2, rights=rights, purposes="marketing", purposes_objection="ai-training", shown="document")))
    second = Request.objects.order_by("pk")[4:]
    assert dict(second.values_list("right", "scope")) == {
        "objection": {"purposes": ["ai-training"]},
        "withdraw_consent": {"purposes": ["marketing"]},
        "restriction": {"purposes": ["marketing"]},
        "rectification": {},
    }


def test_how_a_file_is_read_is_shown_without_its_refused_lines(alice: Subject) -> None:
    lines = [line(number, rights="access erasure") for number in range(2, 6)]
    one = check(csv_of(line(1, **CORRECTS, correct_what_2="Town", correct_right_2="Cork"), line(9, rights="x"), *lines))
    read = importing.understood(one, start=1, count=2, at=AT)
    assert read.rights == {"rectification": 1, "access": 4, "erasure": 4}
    assert read.things_to_correct == 2
    assert [(row.line, said.asked.rights) for row, said in read.lines] == [
        (4, ("access", "erasure")),
        (5, ("access", "erasure")),
    ]
    importing.drop(one=one, by=BY, at=AT)
    one.refresh_from_db()
    with pytest.raises(Conflict):
        importing.understood(one, start=0, count=2, at=AT)


def test_looking_through_takes_nothing_in_and_keeps_the_file_encrypted(alice: Subject) -> None:
    one = check(csv_of(line(note="my very own poem"), line(2)))
    assert (one.state, counts(one)) == (ImportState.CHECKED, (2, 0, 0, 0))
    assert not Request.objects.exists()
    [file] = kept()
    assert b"poem" not in file.read_bytes()
    everything = tables_as_text()
    for secret in ("my very own poem", "alice@example.org", "T-1"):
        assert secret not in everything
        assert secret.encode().hex() not in everything


@pytest.mark.parametrize(
    ("wrong", "column", "code"),
    [
        ({"reference": ""}, "reference", "wrong_reference"),
        ({"reference": "x" * 121}, "reference", "wrong_reference"),
        ({"received_on": "1.3.2026"}, "received_on", "wrong_received_on"),
        ({"received_on": "2026-03-04"}, "received_on", "time_in_future"),
        ({"received_on": "2024-03-01"}, "received_on", "time_too_old"),
        ({"rights": ""}, "rights", "right_missing"),
        ({"rights": "access access"}, "rights", "right_missing"),
        ({"rights": "oblivion"}, "rights", "unknown_right"),
        ({"rights": "appeal"}, "rights", "about_missing"),
        ({"rights": "objection"}, "purposes", "purposes_missing"),
        ({"rights": "objection", "purposes": "no-such"}, "purposes", "unknown_purpose"),
        ({"purposes": "ai-training"}, "purposes", "scope_not_taken"),
        ({"scheme": "Passport No"}, "scheme", "unknown_scheme"),
        ({"identifier": "alice"}, "identifier", "invalid_identifier"),
        ({"scheme": "account", "identifier": "nobody"}, "identifier", "unknown_subject"),
        ({"identifier": "zoe@example.org"}, "jurisdiction", "jurisdiction_missing"),
        ({"identifier": "zoe@example.org", "jurisdiction": "Narnia"}, "jurisdiction", "unknown_jurisdiction"),
        ({"channel": "fax"}, "channel", "wrong_channel"),
        ({"capacity": "friend"}, "capacity", "unknown_capacity"),
        ({"capacity": "heir"}, "requester_name", "requester_missing"),
        ({"requester_name": "Rob"}, "requester_name", "requester_of_oneself"),
        ({"requester_name": "R" * 201, "capacity": "heir"}, "requester_name", "wrong_requester_name"),
        ({"note": "x" * 4_001}, "note", "note_too_long"),
        ({"shown": "yes"}, "shown", "unknown_method"),
        ({"locale": "German"}, "locale", "wrong_locale"),
        ({"purposes_objection": "ai-training"}, "purposes_objection", "right_not_asked"),
        ({"rights": "objection", "purposes_objection": "no-such"}, "purposes_objection", "unknown_purpose"),
        ({"rights": "restriction", "purposes_restriction": "x y"}, "purposes_restriction", "unknown_purpose"),
        ({"correct_what": "Town", "correct_right": "Cork"}, "correct_what", "right_not_asked"),
        ({**CORRECTS, "correct_right": " "}, "correct_right", "corrections_malformed"),
        ({**CORRECTS, "correct_right_2": "Cork"}, "correct_what_2", "corrections_malformed"),
        ({**CORRECTS, "correct_what_20": "Town"}, "correct_right_20", "corrections_malformed"),
        ({**CORRECTS, "correct_what_3": "SURNAME", "correct_right_3": "x"}, "correct_what_3", "correction_twice"),
        ({**CORRECTS, "correct_wrong": "x" * 501}, "correct_wrong", "corrections_malformed"),
        ({**CORRECTS, "correct_right": "=B2&C2"}, "correct_right", "a_formula"),
        ({**CORRECTS, "correct_wrong": "#REF!"}, "correct_wrong", "a_formula"),
        ({**CORRECTS, "correct_what": "minor"}, "correct_right", "corrections_malformed"),
        ({**CORRECTS, "correct_what_2": "jurisdiction", "correct_right_2": "Atlantis"}, "correct_right_2", PLACE),
    ],
)
def test_each_refusal_names_its_line_and_column(alice: Subject, wrong: dict[str, str], column: str, code: str) -> None:
    content = csv_of(line(1), line(2, **wrong), line(3, rights="erasure"))
    one = check(content)
    assert refusals(one) == [(3, column, code)]
    importing.approve(one=one, by=BY, at=AT)
    one = importing.take_in(one=one, clock=lambda: AT)
    assert refusals(one) == [(3, column, code)]
    assert counts(one) == (3, 2, 0, 1)
    assert {request.right for request in Request.objects.all()} == {"access", "erasure"}


def test_all_refusals_are_collected_and_none_quotes_the_line(alice: Subject) -> None:
    rows = [line(number, identifier=f"secret-{number}") for number in range(1, 30)]
    one = check(csv_of(*rows))
    assert [where for where, _, _ in refusals(one)] == list(range(2, 31))
    assert not RefusedRow.objects.filter(message__contains="secret").exists()


def test_the_same_file_again_records_nothing(alice: Subject) -> None:
    content = csv_of(line(1), line(2, rights="erasure"))
    take_in(content)
    one = check(content)
    assert counts(one) == (2, 0, 2, 0)
    one = take_in(content)
    assert counts(one) == (2, 0, 2, 0)
    assert Request.objects.count() == 2


def test_a_reference_twice_in_a_file_is_taken_once(alice: Subject) -> None:
    one = take_in(csv_of(line(1), line(1, rights="erasure")))
    assert refusals(one) == [(3, "reference", "reference_twice")]
    assert Request.objects.get().right == "access"


def test_after_a_crash_it_goes_on_and_counts_everything_once(alice: Subject, monkeypatch: pytest.MonkeyPatch) -> None:
    content = csv_of(*(line(number, identifier=f"p{number}@example.org", jurisdiction="US") for number in range(1, 8)))
    one = importing.approve(one=check(content), by=BY, at=AT)
    whole = importing.taking_down.take_in
    calls = []

    def dies(**given: Any) -> Any:
        calls.append(given)
        if len(calls) == 4:
            raise RuntimeError
        return whole(**given)

    monkeypatch.setattr(importing.taking_down, "take_in", dies)
    with pytest.raises(RuntimeError):
        importing.take_in(one=one, clock=lambda: AT)
    assert (Request.objects.count(), ImportedReference.objects.count()) == (3, 3)
    one = importing.take_in(one=one, clock=lambda: AT)
    assert counts(one) == (7, 7, 0, 0)
    assert Request.objects.count() == 7


def test_a_line_is_taken_in_whole_or_not_at_all(alice: Subject, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(**_: Any) -> Any:
        raise Conflict("no", "Not now.")

    monkeypatch.setattr(ImportedReference.objects, "create", fails)
    one = take_in(csv_of(line(1)))
    assert refusals(one) == [(2, "", "no")]
    assert not Request.objects.exists()


def test_what_is_open_already_is_linked(alice: Subject) -> None:
    first = asked(alice, "access")[0]
    take_in(csv_of(line(1, shown="document")))
    assert Request.objects.exclude(pk=first.pk).get().duplicate_of == first


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"", "empty"),
        (b"\n\n", "empty"),
        (b"reference,received_on\n", "wrong_columns"),
        (csv_of(columns=[*import_rows.COLUMNS, "secret"]), "wrong_columns"),
        (csv_of(columns=[*import_rows.COLUMNS, "note"]), "wrong_columns"),
        (csv_of(columns=[*import_rows.COLUMNS, "correct_what_21"]), "wrong_columns"),
        (csv_of(line()).decode().encode("utf-16"), "not_utf8"),
        (csv_of(line()) + b'T-2,"2026', "malformed"),
        (csv_of(line()) + b"T-2,\xff", "not_utf8"),
        (csv_of(line()) + b"x" * (1 << 20) + b"xx", "line_too_long"),
    ],
    ids=["nothing", "no lines", "lacks", "unknown", "twice", "21 corrections", "utf-16", "quotes", "latin", "long"],
)
def test_a_file_that_cannot_be_read_is_refused_whole_and_not_kept(alice: Subject, content: bytes, code: str) -> None:
    with pytest.raises(InputRefused) as refused:
        check(content)
    assert refused.value.code == code
    assert "secret" not in refused.value.message
    assert not RequestImport.objects.exists()
    assert kept() == []


def test_a_line_of_other_length_is_refused_alone(alice: Subject) -> None:
    assert refusals(check(csv_of(line()) + b"T-2,2026-03-01\r\n")) == [(3, "", "wrong_length")]


def test_spreadsheets_mark_and_empty_lines_do_no_harm(alice: Subject) -> None:
    content = b"\xef\xbb\xbf" + csv_of(line(), columns=None).replace(b"\r\n", b"\n\n") + b",,,,\n"
    assert counts(check(content)) == (1, 0, 0, 0)


@pytest.mark.parametrize("divided_by", [";", "\t"])
def test_a_file_as_other_countries_spreadsheets_save_it_is_read(alice: Subject, divided_by: str) -> None:
    said = csv.reader(
        io.StringIO(csv_of(line(**CORRECTS, note="a; b,\nc"), line(2, rights="access; erasure")).decode())
    )
    text = io.StringIO()
    csv.writer(text, delimiter=divided_by).writerows([*row, ""] for row in said)
    assert counts(take_in(b"\xef\xbb\xbf" + text.getvalue().encode())) == (2, 2, 0, 0)
    request = Request.objects.get(right="rectification")
    assert sealing.unseal(request, request.sealed_note, context=sealing.NOTE) == "a; b,\nc"
    assert corrected(request) == ["Surname: Dough → Doe"]


def test_what_is_not_utf8_is_told_what_to_do() -> None:
    with pytest.raises(InputRefused, match="Save it as “CSV UTF-8”"):
        check(csv_of(line(note="Müller")).decode().encode("latin-1"))


def test_a_file_too_large_or_with_too_many_rows_is_refused(alice: Subject, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(import_rows, "MOST_ROWS", 2)
    with pytest.raises(InputRefused, match="at most 2 rows"):
        check(csv_of(line(1), line(2), line(3)))
    monkeypatch.setattr(importing, "LARGEST", 10)
    with pytest.raises(TooLarge):
        check(csv_of(line()))
    assert kept() == []


@pytest.mark.parametrize("state", ["waiting", "done", "dropped"])
def test_what_was_decided_is_not_decided_again(alice: Subject, state: str) -> None:
    one = check(csv_of(line()))
    if state == "dropped":
        importing.drop(one=one, by=BY, at=AT)
    else:
        importing.approve(one=one, by=BY, at=AT)
    if state == "done":
        importing.take_in(one=one, clock=lambda: AT)
    audited, requests = AuditEntry.objects.count(), Request.objects.count()
    for act in (importing.approve, importing.drop):
        with pytest.raises(Conflict):
            act(one=one, by=BY, at=AT)
    if state != "waiting":
        with pytest.raises(Conflict):
            importing.take_in(one=one, clock=lambda: AT)
    assert (AuditEntry.objects.count(), Request.objects.count()) == (audited, requests)


def test_workers_take_in_what_was_approved_and_give_up_what_nobody_did(alice: Subject) -> None:
    left, wanted = check(csv_of(line(1))), check(csv_of(line(2)))
    importing.approve(one=wanted, by=BY, at=AT)
    assert importing.take_in_waiting(clock=lambda: AT + timedelta(days=1)) == 1
    left.refresh_from_db()
    assert left.state == ImportState.CHECKED
    assert importing.take_in_waiting(clock=lambda: AT + timedelta(days=2)) == 0
    left.refresh_from_db()
    assert (left.state, left.sealed_key) == (ImportState.DROPPED, None)


def test_one_that_cannot_be_read_keeps_no_other_waiting(alice: Subject) -> None:
    broken, whole = check(csv_of(line(1))), check(csv_of(line(2)))
    for one in (broken, whole):
        importing.approve(one=one, by=BY, at=AT)
    sealed_files.path_of("request-imports", broken.pk).unlink()
    with pytest.raises(sealed_files.SealedFileError):
        importing.take_in_waiting(clock=lambda: AT)
    whole.refresh_from_db()
    assert whole.state == ImportState.DONE


def test_no_cell_of_the_report_is_a_formula(alice: Subject) -> None:
    one = check(csv_of(line(identifier="nobody")))
    RefusedRow.objects.create(taken_from=one, line=9, column="=1+1", code="@SUM(1)", message="-2+3")
    header, real, made_up = importing.report(one)
    assert header == ["line", "column", "code", "message"]
    assert real[:3] == ["2", "identifier", "invalid_identifier"]
    assert made_up == ["9", "'=1+1", "'@SUM(1)", "'-2+3"]


@pytest.mark.django_db(transaction=True)
def test_of_two_files_with_one_reference_taken_in_at_once_one_counts(alice: Subject) -> None:
    content = csv_of(*(line(number, identifier=f"p{number}@example.org", jurisdiction="US") for number in range(6)))
    both = [importing.approve(one=check(content), by=BY, at=AT) for _ in range(2)]
    together = threading.Barrier(2)

    def run(one: RequestImport) -> None:
        together.wait()
        try:
            importing.take_in(one=one, clock=lambda: AT)
        finally:
            connections.close_all()

    threads = [threading.Thread(target=run, args=(one,)) for one in both]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    for one in both:
        one.refresh_from_db()
    assert [one.accepted + one.repeated for one in both] == [6, 6]
    assert sum(one.accepted for one in both) == 6
    assert Request.objects.count() == ImportedReference.objects.count() == 6


@pytest.mark.slow
def test_a_file_of_ten_thousand_rows_is_taken_in(alice: Subject) -> None:
    rows = [line(n, identifier=f"p{n}@example.org", jurisdiction="US") for n in range(10_000)]
    one = take_in(csv_of(*rows))
    assert counts(one) == (10_000, 10_000, 0, 0)
    assert Request.objects.filter(status=Status.VERIFYING).count() == 10_000
