"""One request as one signed file: everything is in it, nothing that proves who somebody is, and it can be checked."""

import io
import json
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pypdf import PdfReader

from consents import checkpoints, subjects
from consents.models import Partner, Subject
from portal import audit, signing
from portal.models import AuditEntry, User
from portal.signing import SignatureError
from requests_app import evidence, intake, packages, sealing, timeline
from requests_app.evidence import EvidenceError
from requests_app.models import IdentityCheck, Letter, Message, Proposal, Request, Task
from requests_app.packages import What
from requests_app.states import CheckMethod, CheckStatus, Ground, ProposalKind, TaskKind
from tests.conftest import AT, BY, OTHER, dataset_of, person, write_parquet
from tests.requests_app.asking import LATER, SOON, asked, carried_out, closes, fulfilled, propagate
from tests.requests_app.controlling import instructed
from tests.requests_app.packages.packing import access, released

pytestmark = pytest.mark.django_db

ALL = [
    *("request", "clock", "timeline", "messages", "identity", "proposals", "tasks", "removals", "log", "letters"),
    *("packages", "redactions", "clearances", "files", "audit"),
]


@pytest.fixture(autouse=True)
def files(settings: Any, tmp_path: Path) -> None:
    settings.FILES_DIR = tmp_path / "files"


def exported(request: Request) -> bytes:
    return b"".join(evidence.export(request=request, by=BY, at=LATER))


def read(content: bytes) -> dict[str, Any]:
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        return {name[:-5]: json.loads(archive.read(name)) for name in archive.namelist() if name.endswith(".json")}


@pytest.fixture
def full(alice: Subject) -> Request:
    """A request about which everything there is was written."""
    request = access(alice, note="Where is my data?")
    packages.redact(
        request=request,
        what=What(part="*", words="Mallory"),
        ground=Ground.RIGHTS_OF_OTHERS,
        reason="Somebody else.",
        by=BY,
        at=SOON,
    )
    released(access_without_redactions(request))
    Message.objects.create(
        request=request,
        direction="staff",
        author=BY,
        sent_at=SOON,
        sealed_body=sealing.seal(request, "<b>Which</b> account?", context=sealing.MESSAGE),
    )
    IdentityCheck.objects.create(
        request=request,
        method=CheckMethod.CODE,
        status=CheckStatus.PASSED,
        code_digest=b"d" * 32,
        sealed_target=sealing.seal(request, "alice@example.org", context=sealing.TARGET),
        asked_by=BY,
        asked_at=AT,
        expires_at=LATER,
        decided_by=BY,
        decided_at=SOON,
    )
    task = Task.objects.create(request=request, kind=TaskKind.MANUAL, code="collect", planned_at=AT)
    Proposal.objects.create(
        request=request,
        task=task,
        kind=ProposalKind.EXEMPT,
        ground=Ground.LEGAL_CLAIMS,
        sealed_reason=sealing.seal(request, "A court case.", context=sealing.REASON),
        proposed_by=BY,
        proposed_at=AT,
        decided_by=OTHER,
        decided_at=SOON,
        is_approved=True,
    )
    Letter.objects.create(
        request=request, code="acknowledged", sealed=b"alice@example.org", not_before=AT, written_at=AT
    )
    timeline.tell(request, "overridden", by=BY, at=SOON, words="The office was flooded.")
    return request


def access_without_redactions(request: Request) -> Request:
    for one in request.redactions.all():
        packages.undo(redaction=one, by=OTHER, at=SOON)
    return request


def test_everything_about_the_request_is_in_it(full: Request) -> None:
    found = read(exported(full))
    assert list(found) == [*ALL, "manifest"]
    assert found["request"]["note"] == "Where is my data?"
    assert found["request"]["reference"] == full.reference
    assert [one["what"] for one in found["timeline"]] == list(full.timeline.values_list("code", flat=True))
    assert "The office was flooded." in [one["words"] for one in found["timeline"]]
    assert found["clock"]["due_on"] == full.due_on.isoformat()
    assert found["clock"]["terms_frozen_at_receipt"] == full.terms
    assert all(step["words"] for step in found["clock"]["arithmetic"])
    assert [one["text"] for one in found["messages"]] == ["<b>Which</b> account?"]
    assert [(one["ground"], one["reason"], one["is_approved"]) for one in found["proposals"]] == [
        ("legal_claims", "A court case.", True)
    ]
    assert [(one["work"], one["status"]) for one in found["tasks"]] == [("collect", "open")]
    assert [(one["status"], one["sha256"]) for one in found["packages"]] == list(
        full.packages.values_list("status", "sha256")
    )
    assert [one["code"] for one in found["letters"]] == ["acknowledged", "package_ready"]


def test_the_audit_trail_of_the_request_is_in_it_with_this_very_export(full: Request) -> None:
    found = read(exported(full))
    trail = AuditEntry.objects.filter(object_type="request", object_id=str(full.pk)).order_by("at", "id")
    assert [one["action"] for one in found["audit"]] == [one.action for one in trail]
    assert found["audit"][-1]["action"] == "request.evidence_exported"
    assert found["timeline"][-1]["what"] == "evidence_exported"


def test_nothing_that_proves_who_somebody_is_and_nothing_that_was_left_out(full: Request) -> None:
    content = exported(full)
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        said = b"".join(archive.read(name) for name in archive.namelist())
    for secret in (b"alice@example.org", b"m_alice", b"dddd", b"Mallory"):
        assert secret not in said
    assert read(content)["identity"] == [
        {
            "method": "code",
            "status": "passed",
            "tries": 0,
            "asked_by": BY,
            "asked_at": AT.isoformat(),
            "expires_at": LATER.isoformat(),
            "decided_by": BY,
            "decided_at": SOON.isoformat(),
        }
    ]
    assert [one["ground"] for one in read(content)["redactions"]] == ["rights_of_others"]


def test_the_summary_reads_offline_and_prints(full: Request) -> None:
    with zipfile.ZipFile(io.BytesIO(exported(full))) as archive:
        page = archive.read("summary.html").decode()
        paper = PdfReader(io.BytesIO(archive.read("summary.pdf")))
    printed = "\n".join(one.extract_text() for one in paper.pages)
    for words in (full.reference, "A court case.", "The office was flooded.", "See my data"):
        assert words in page
        assert words in printed
    assert "&lt;b&gt;Which&lt;/b&gt; account?" in page
    assert "<script" not in page


def test_it_can_be_checked_later(full: Request) -> None:
    content = exported(full)
    checked = evidence.check(io.BytesIO(content))
    assert (checked.reference, checked.made_at, checked.files) == (full.reference, LATER, len(ALL) + 2)
    assert checked.key_id == next(iter(signing.jwks()["keys"]))["kid"]


def rewritten(content: bytes, change: Any) -> io.BytesIO:
    """The same file after `change(name, content)`; None leaves a file out."""
    target = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as old, zipfile.ZipFile(target, "w") as new:
        for name in old.namelist():
            kept = change(name, old.read(name))
            if kept is not None:
                new.writestr(name, kept)
    return target


def test_whatever_is_altered_is_found(full: Request) -> None:
    content = exported(full)
    unchanged = rewritten(content, lambda name, said: said)
    assert evidence.check(unchanged).reference == full.reference
    for wanted in read(content):
        name = f"{wanted}.json"
        with pytest.raises(EvidenceError):
            evidence.check(rewritten(content, lambda one, said, name=name: said + b" 1" if one == name else said))
        with pytest.raises(EvidenceError):
            evidence.check(rewritten(content, lambda one, said, name=name: None if one == name else said))


def test_a_file_more_is_found(full: Request) -> None:
    target = rewritten(exported(full), lambda name, said: said)
    with zipfile.ZipFile(target, "a") as archive:
        archive.writestr("more.json", b"{}")
    with pytest.raises(EvidenceError) as refused:
        evidence.check(target)
    assert refused.value.code == "files_differ"


def test_a_manifest_of_somebody_else_is_none(full: Request) -> None:
    receipt = signing.seal_jws({"files": {}}, typ="heed-receipt+ld+json").encode()
    with pytest.raises(SignatureError):
        evidence.check(rewritten(exported(full), lambda name, said: receipt if name == "manifest.jws" else said))


@pytest.mark.parametrize("content", [b"", b"nonsense", b"PK\x03\x04nonsense"])
def test_what_is_no_evidence_is_refused(content: bytes) -> None:
    with pytest.raises(EvidenceError):
        evidence.check(io.BytesIO(content))


def test_where_the_trail_fails_nothing_leaves(full: Request, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(**_: Any) -> None:
        raise RuntimeError

    monkeypatch.setattr(audit, "record", fails)
    with pytest.raises(RuntimeError):
        evidence.export(request=full, by=BY, at=LATER)


def test_a_request_of_nobody_known_yet_exports_too(world: None) -> None:
    wish = intake.Asked(rights=("access",), jurisdiction="US", note="It is me.")
    contact = subjects.name("email", "somebody@example.org")
    (request,) = intake.receive_unproven(asked=wish, contact=contact, by="system:heed", at=AT)
    content = exported(request)
    found = read(content)
    assert (found["request"]["person"], found["request"]["note"]) == (None, "It is me.")
    assert b"somebody@example.org" not in content


@pytest.mark.django_db(transaction=True)
def test_an_erasure_shows_what_was_removed_and_its_proof_and_no_words(
    alice: Subject, bob: User, tmp_path: Path
) -> None:
    dataset_of(write_parquet(tmp_path / "posts", {"author": ["m_alice", "m_bert"], "n": [1, 2]}))
    request = carried_out(alice, bob, note="Forget me.")
    propagate()
    checkpoints.seal(at=LATER)
    assert closes(request)
    found = read(exported(request))
    assert [(one["dataset"], one["rows_removed"]) for one in found["removals"]] == [("posts", 1)]
    assert found["removals"][0]["purge"]
    assert found["log"]["position"] is not None
    assert found["log"]["inclusion"]["hashes"] is not None
    assert found["request"]["person_erased_at"]
    assert found["request"]["note"] is None


@pytest.mark.django_db(transaction=True)
def test_every_state_exports(alice: Subject, bob: User) -> None:
    request = fulfilled(alice, bob)
    assert evidence.check(io.BytesIO(exported(request))).reference == request.reference


def test_it_comes_in_pieces(full: Request) -> None:
    pieces = evidence.export(request=full, by=BY, at=LATER)
    assert isinstance(pieces, Iterator)
    assert len([piece for piece in pieces if piece]) > len(ALL)


def test_it_says_by_which_message_a_controller_instructed_us(acme: Partner, alice: Subject) -> None:
    sent = instructed(acme, status_callback_urls=["https://acme.example/hook"])
    assert sent.request is not None
    told = read(exported(sent.request))["request"]["instruction"]
    assert (told["controller"], told["subject_request_id"]) == ("acme", str(sent.subject_request_id))
    assert told["told"] == [{"url": "https://acme.example/hook", "told_status": "pending"}]
    own = asked(person("other"), "access")[0]
    assert read(exported(own))["request"]["instruction"] is None
