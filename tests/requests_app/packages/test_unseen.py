"""Files that nobody can look into for words to leave out: never handed out without somebody having decided so."""

import base64
import hashlib
import io
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from consents import subjects
from consents.models import Subject
from portal import audit
from portal.errors import Conflict, DomainError
from requests_app import packages, workflow
from requests_app.models import Clearance, Package, Request
from requests_app.packages import archive, building, redaction, unseen
from requests_app.packages.parts import Column, Content, Part
from requests_app.packages.redaction import RedactionError, What
from requests_app.states import Ground
from tests.conftest import BY, OTHER
from tests.requests_app.file_contents import making
from tests.requests_app.file_contents.making import SECRET
from tests.requests_app.files import PNG
from tests.requests_app.packages import packing
from tests.requests_app.packages.packing import LATER, SOON, access, built, opened, post
from tests.requests_app.packages.test_redaction import leave_out, with_files

pytestmark = pytest.mark.django_db
REASON = "Her passport; nobody else is on it."


@pytest.fixture
def request_(alice: Subject) -> Request:
    """With words to leave out, which stand in the note and in one of four files."""
    request = access(alice, note=f"{SECRET} told me to ask")
    letters = (("holds.pdf", making.text()), ("clear.pdf", making.text("mine")), ("scan.pdf", making.scanned()))
    with_files(request, *letters, ("photo.png", PNG))
    leave_out(request, part="*", words=SECRET)
    return request


def files_in(package: Package) -> list[str]:
    return sorted(name for name in opened(package).files if name.startswith("files/"))


def named(package: Package) -> list[unseen.Named]:
    return [unseen.name_of(one) for one in unseen.undecided(package)]


def clear(package: Package, files: Any = None, reason: str = REASON, **more: Any) -> Clearance:
    files = named(package) if files is None else files
    return unseen.clear(package=package, files=files, reason=reason, by=BY, at=SOON, **more)


def out(package: Package, files: Any, reason: str = REASON, ground: str = Ground.RIGHTS_OF_OTHERS) -> Any:
    return unseen.leave_out(package=package, files=files, ground=ground, reason=reason, by=BY, at=SOON)


def refused(package: Package) -> str:
    with pytest.raises(Conflict) as found:
        packages.release(package=package, by=BY, at=SOON)
    return found.value.code


def test_a_pdf_that_holds_the_words_is_left_out_whole_and_the_preview_says_why(request_: Request) -> None:
    seen = packages.look(request=request_, part="files", by=BY, at=SOON)
    assert [row.after and row.after["file"] for row in seen.rows][:2] == ["[left out]", "files/0002.pdf"]
    assert [(file.name, places) for file, places in seen.rows[0].held] == [("holds.pdf", ("page 1",))]
    assert "files/0001.pdf" not in files_in(built(request_))


def test_what_cannot_be_looked_into_is_told_by_name_and_holds_up_the_release(request_: Request) -> None:
    seen = packages.look(request=request_, part="files", by=BY, at=SOON)
    assert [[one.name for one in row.unseen] for row in seen.rows] == [[], [], ["scan.pdf"], ["photo.png"]]
    package = built(request_)
    found = unseen.of(package) or []
    assert [(one.name, one.file) for one in found] == [("scan.pdf", "files/0003.pdf"), ("photo.png", "files/0004.png")]
    assert [one.whys for one in found] == [(("picture", ""),)] * 2
    # staff can open it, and nobody else
    assert files_in(package) == ["files/0002.pdf", "files/0003.pdf", "files/0004.png"]
    assert refused(package) == "files_undecided"
    assert b"unseen" not in opened(package).files["package.json"]


def test_decided_one_by_one_it_is_released(request_: Request) -> None:
    package = built(request_)
    scan, photo = named(package)
    clear(package, [photo])
    assert refused(package) == "files_undecided"
    out(package, [scan])
    assert refused(package) == "redactions_changed"
    again = built(request_)
    # what was decided holds, because no further words are looked for
    assert (unseen.undecided(again), files_in(again)) == ([], ["files/0002.pdf", "files/0004.png"])
    packages.release(package=again, by=BY, at=SOON)
    assert opened(again).json("files")["left_out"]["entries"] == {"rights_of_others": 2}


def test_with_nothing_to_leave_out_nothing_is_asked(alice: Subject) -> None:
    request = access(alice)
    with_files(request, ("scan.pdf", making.scanned()))
    package = built(request)
    assert unseen.of(package) == []
    packages.release(package=package, by=BY, at=SOON)


def test_words_for_another_part_are_not_looked_for_in_files(alice: Subject, tmp_path: Path) -> None:
    packing.posts(tmp_path / "posts", post("alice", 1, SECRET))
    request = access(alice)
    with_files(request, ("scan.pdf", making.scanned()))
    leave_out(request, words=SECRET)
    package = built(request)
    assert unseen.of(package) == []
    packages.release(package=package, by=BY, at=SOON)


def test_with_further_words_the_same_files_are_asked_about_again(request_: Request) -> None:
    package = built(request_)
    clear(package)
    more = leave_out(request_, part="requests", words="told")
    again = built(request_)
    assert len(unseen.undecided(again)) == 2
    packages.undo(redaction=more, by=BY, at=SOON)
    assert unseen.undecided(built(request_)) == []


def test_a_clearance_is_taken_back(request_: Request) -> None:
    package = built(request_)
    given = clear(package)
    unseen.undo(clearance=given, by=OTHER, at=LATER)
    assert refused(package) == "files_undecided"
    with pytest.raises(Conflict, match="already"):
        unseen.undo(clearance=given, by=OTHER, at=LATER)
    codes = request_.timeline.filter(code__in=["files_cleared", "clearance_undone"]).values_list("code", "details")
    assert list(codes) == [("files_cleared", {"files": 2}), ("clearance_undone", {})]


def test_what_was_decided_is_sealed(request_: Request) -> None:
    package = built(request_)
    given = clear(package)
    given.refresh_from_db()
    kept = bytes(given.sealed_files) + bytes(given.sealed_reason) + bytes(package.sealed_unseen or b"")
    assert not [one for one in (b"photo", b"scan", b"passport") if one in kept]
    assert (unseen.files_of(given), unseen.reason_of(given)) == (
        [unseen.name_of(o) for o in unseen.of(package) or []],
        REASON,
    )
    assert request_.subject is not None
    subjects.forget(subject=request_.subject, by=BY, at=LATER)
    given = Clearance.objects.select_related("request__subject").get(pk=given.pk)
    assert (unseen.files_of(given), unseen.reason_of(given)) == ([], None)


@pytest.mark.parametrize(
    ("files", "reason", "code"),
    [
        (None, " ", "reason_missing"),
        (None, "x" * 2_001, "too_long"),
        ([], REASON, "files_missing"),
        ([("files", "0" * 16, "file")], REASON, "unknown_file"),
    ],
)
def test_what_cannot_be_decided_is_refused(request_: Request, files: Any, reason: str, code: str) -> None:
    package = built(request_)
    for decide in (clear, out):
        with pytest.raises(DomainError) as found:
            decide(package, named(package) if files is None else files, reason)
        assert found.value.code == code
    assert not Clearance.objects.exists()
    assert request_.redactions.count() == 1


def test_a_file_is_left_out_on_a_ground(request_: Request) -> None:
    package = built(request_)
    with pytest.raises(RedactionError) as found:
        out(package, named(package), ground="mood")
    assert found.value.code == "unknown_ground"


def test_what_is_decided_is_not_decided_twice(request_: Request) -> None:
    package = built(request_)
    files = named(package)
    clear(package)
    with pytest.raises(DomainError) as found:
        clear(package, files)
    assert found.value.code == "unknown_file"


def test_only_of_an_answer_that_waits_for_a_look(request_: Request) -> None:
    package = built(request_)
    files = named(package)
    clear(package)
    packages.release(package=package, by=BY, at=SOON)
    with pytest.raises(Conflict) as found:
        clear(package, files)
    assert found.value.code == "wrong_state"
    workflow.withdraw(request=request_, by=BY, at=SOON)
    with pytest.raises(Conflict) as found:
        unseen.undo(clearance=Clearance.objects.get(), by=BY, at=SOON)
    assert found.value.code == "closed"


def test_where_the_trail_fails_nothing_is_decided(request_: Request, monkeypatch: pytest.MonkeyPatch) -> None:
    package = built(request_)

    def fails(**_: Any) -> None:
        raise RuntimeError

    monkeypatch.setattr(audit, "record", fails)
    with pytest.raises(RuntimeError):
        clear(package)
    assert not Clearance.objects.exists()


def test_what_was_built_before_files_were_looked_into_is_built_again(request_: Request) -> None:
    package = built(request_)
    clear(package)
    Package.objects.update(sealed_unseen=None)
    assert refused(package) == "files_not_looked_into"


def test_more_than_can_be_told_by_name_are_not_released(request_: Request, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(redaction, "MOST_UNSEEN", 1)
    package = built(request_)
    clear(package)
    assert refused(package) == "files_too_many"


@pytest.mark.parametrize("in_text", [False, True], ids=["bytes", "base64"])
def test_files_in_the_cells_of_a_dataset_are_looked_into(alice: Subject, tmp_path: Path, in_text: bool) -> None:
    def cell(content: bytes) -> Any:
        return base64.b64encode(content).decode() if in_text else content

    kept = [making.text(), making.text("mine"), PNG, b"\0\1 of no kind"]
    packing.posts(tmp_path / "posts", *({"author": "m_alice", "paper": cell(one)} for one in kept))
    request = access(alice)
    leave_out(request, part="*", words=SECRET)
    package = built(request)
    assert [row["paper"] == "[left out]" for row in opened(package).rows("dataset-posts")] == [
        True,
        False,
        False,
        False,
    ]
    (found,) = unseen.of(package) or []
    assert (found.part, found.column, found.whys) == ("dataset-posts", "paper", (("picture", ""),))
    out(package, [unseen.name_of(found)])
    again = built(request)
    assert [row["paper"] == "[left out]" for row in opened(again).rows("dataset-posts")] == [True, False, True, False]
    packages.release(package=again, by=BY, at=SOON)


def test_a_broken_file_never_breaks_the_build(alice: Subject) -> None:
    request = access(alice, note=SECRET)
    with_files(request, ("a.pdf", making.text()[:400] + b"%%EOF"), ("b.pdf", b"%PDF-1.7 none\n%%EOF\n"))
    leave_out(request, part="*", words=SECRET)
    package = built(request)
    assert [one.whys for one in unseen.of(package) or []] == [(("damaged", ""),)] * 2
    assert refused(package) == "files_undecided"


def test_what_lies_beside_a_row_is_looked_into_and_left_out_alone(alice: Subject) -> None:
    """Pictures of a dataset of archives, of which only so much is read as a row has."""
    request = access(alice)
    beside = {"a.pdf": making.text(), "b.pdf": making.text("mine"), "c.png": PNG, "d.zip": making.within(PNG, 2)}

    def rows() -> Iterator[dict[str, Any]]:
        for name, content in beside.items():
            digest = hashlib.sha256(content).hexdigest()
            yield {
                "page": Content(name, len(content), digest, f"files/{name}", lambda content=content: iter([content]))
            }

    part = Part("papers", "Papers", "Some.", (Column("page", "Page", "any"),), rows)
    target = io.BytesIO()
    summary = archive.write(
        target,  # type: ignore[arg-type]  # any stream will do
        asking=building.asking_for(request, at=SOON),
        parts=[part],
        redactions=[redaction.InForce(request.pk, What("*", words=SECRET), Ground.RIGHTS_OF_OTHERS)],
        tell=lambda _name: None,
    )
    with zipfile.ZipFile(target) as found:
        assert [name for name in found.namelist() if name.startswith("files/")] == [
            *("files/b.pdf", "files/c.png", "files/d.zip")
        ]
    assert [(one.column, one.name, one.whys) for one in summary.unseen] == [
        ("page", "c.png", (("picture", ""),)),
        ("page", "d.zip", (("picture", "inner.zip/inner.zip"),)),
    ]
    assert summary.worked == {request.pk}
