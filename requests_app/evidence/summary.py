"""The evidence of one request in words: the same sections as a page that opens offline, and as a PDF to print."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from django.conf import settings
from django.template.loader import render_to_string
from fpdf import FPDF
from fpdf.enums import XPos, YPos

from portal.staff_pages import named
from requests_app.states import Ground, Right, Status

_ENCODING = "windows-1252"
_LABEL, _LINE = 52.0, 5.4
"""Millimetres: how wide the column of labels is, and how high a line."""


@dataclass(frozen=True)
class Section:
    """A title and what stands under it, as (label, words)."""

    title: str
    rows: tuple[tuple[str, str], ...]


def sections(said: Mapping[str, Any]) -> list[Section]:
    """What `gathering` found, for a reader; `said` is by name of the file."""
    return [
        Section("The request", tuple(_request(said["request"]))),
        Section("The clock", tuple(_clock(said["clock"]))),
        Section("What happened", tuple(_timeline(said["timeline"]))),
        Section("Proof of identity", tuple(_identity(said["identity"]))),
        Section("Proposals and decisions", tuple(_proposals(said["proposals"]))),
        Section("Work in each place", tuple(_tasks(said["tasks"]))),
        Section("What was removed since it came in, for whatever reason", tuple(_removals(said["removals"]))),
        Section("Place in the log", tuple(_log(said["log"]))),
        Section("Messages", tuple(_messages(said["messages"]))),
        Section("Mail", tuple((_when(one["written_at"]), f"{one['code']}: {one['state']}") for one in said["letters"])),
        Section("The answer", tuple(_packages(said["packages"]))),
        Section("What was left out of the answer", tuple(_redactions(said["redactions"]))),
        Section("Files that staff looked into themselves", tuple(_clearances(said["clearances"]))),
    ]


def page(reference: str, found: Sequence[Section], *, at: datetime) -> bytes:
    context = {"reference": reference, "sections": found, "made_at": _when(at), "site_name": settings.SITE_NAME}
    return render_to_string("packages/evidence.html", context).encode()


def print_out(reference: str, found: Sequence[Section], *, at: datetime) -> bytes:
    """The same as a PDF. Its built-in fonts know Western Europe's letters; any other is printed as `?`."""
    paper = FPDF()
    paper.core_fonts_encoding = _ENCODING
    paper.set_creation_date(at)
    paper.set_title(f"Evidence {reference}")
    paper.set_lang("en")
    paper.set_margins(20, 20, 20)
    paper.add_page()
    _write(paper, f"Evidence: request {reference}", size=16, style="B")
    _write(paper, f"{settings.SITE_NAME}, {_when(at)}. Every file of this evidence is named in manifest.json.", size=9)
    for section in found:
        paper.ln(3)
        _write(paper, section.title, size=12, style="B")
        for label, words in section.rows or (("–", "nothing"),):
            _row(paper, label, words)
    return bytes(paper.output())


def _request(one: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    yield "Reference", one["reference"]
    yield "Right", str(Right(one["right"]).label)
    yield "Status", str(Status(one["status"]).label)
    yield "Person", one["person"] or "not known yet"
    yield "Lives in", one["jurisdiction"]
    yield "Came in", f"{one['channel']}, {_when(one['received_at'])}"
    yield "Asked", one["capacity"]
    yield "Identity shown", _when(one["identity_confirmed_at"])
    yield "Carried out", _when(one["carried_out_at"])
    if one["refusal_ground"]:
        yield "Refused", str(Ground(one["refusal_ground"]).label)
    yield "Closed", _when(one["closed_at"])
    if one["note"]:
        yield "In their words", one["note"]


def _clock(one: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    yield "Due", _when(one["due_on"])
    yield from ((f"Step {number}", step["words"]) for number, step in enumerate(one["arithmetic"], start=1))
    for pause in one["pauses"]:
        yield "Waited", f"{pause['reason']}: {_when(pause['began_at'])} to {_when(pause['ended_at'])}"
    yield "Rule", f"{one['rule']} (rulebook {one['rulebook_sha256'][:16]}…, frozen at receipt)"


def _timeline(entries: Sequence[Mapping[str, Any]]) -> Iterator[tuple[str, str]]:
    for one in entries:
        words = f" – {one['words']}" if one["words"] else ""
        yield _when(one["at"]), f"{one['what'].replace('_', ' ')}, by {named(one['by'])}{words}"


def _identity(checks: Sequence[Mapping[str, Any]]) -> Iterator[tuple[str, str]]:
    for one in checks:
        yield _when(one["asked_at"]), f"{one['method']}: {one['status']} ({_when(one['decided_at'])})"


def _proposals(proposals: Sequence[Mapping[str, Any]]) -> Iterator[tuple[str, str]]:
    for one in proposals:
        outcome = {True: "approved", False: "declined", None: "open"}[one["is_approved"]]
        second = f" by {named(one['decided_by'])}" if one["decided_by"] else ""
        yield (
            _when(one["proposed_at"]),
            f"{one['kind']}, {Ground(one['ground']).label}, by {named(one['proposed_by'])}: {outcome}{second}. "
            f"{one['reason'] or ''}",
        )


def _tasks(tasks: Sequence[Mapping[str, Any]]) -> Iterator[tuple[str, str]]:
    for one in tasks:
        ground = f", {Ground(one['ground']).label}" if one["ground"] else ""
        yield one["where"], f"{one['work']}: {one['status']}{ground} ({_when(one['settled_at'])})"


def _removals(receipts: Sequence[Mapping[str, Any]]) -> Iterator[tuple[str, str]]:
    for one in receipts:
        purge = f"; bytes gone {_when(one['purge']['purged_at'])}" if one["purge"] else ""
        rows = f"{one['rows_removed']} rows" if one["is_counted"] else "rows not counted"
        told = f", as {one['attested_by']} says" if one["attested_by"] else ", looked again"
        yield one["dataset"], f"{rows} removed{told} {_when(one['verified_at'])}{purge}"


def _log(one: Mapping[str, Any] | None) -> Iterator[tuple[str, str]]:
    if one is None:
        return
    yield "Position", str(one["position"] or "waits for one")
    size = one["inclusion"]["size"] if one["inclusion"] else None
    yield "Proof", f"against a signed checkpoint over {size} entries, in log.json" if size else "not sealed yet"


def _messages(messages: Sequence[Mapping[str, Any]]) -> Iterator[tuple[str, str]]:
    for one in messages:
        yield f"{_when(one['sent_at'])}, {one['direction']}", one["text"] or "no longer readable"


def _packages(packages: Sequence[Mapping[str, Any]]) -> Iterator[tuple[str, str]]:
    for one in packages:
        rows = sum(part["rows"] for part in one["parts"])
        yield (
            _when(one["asked_at"]),
            f"{one['status']}; {rows} entries in {len(one['parts'])} parts; SHA-256 {one['sha256'] or '–'}; "
            f"released {_when(one['released_at'])}; fetched {len(one['downloads'])} times",
        )


def _clearances(clearances: Sequence[Mapping[str, Any]]) -> Iterator[tuple[str, str]]:
    for one in clearances:
        undone = f" (taken back {_when(one['undone_at'])})" if one["undone_at"] else ""
        files = "1 file" if one["files"] == 1 else f"{one['files']} files"
        yield _when(one["made_at"]), f"{files} handed out, by {named(one['made_by'])}{undone}"


def _redactions(redactions: Sequence[Mapping[str, Any]]) -> Iterator[tuple[str, str]]:
    for one in redactions:
        undone = f" (taken back {_when(one['undone_at'])})" if one["undone_at"] else ""
        yield _when(one["made_at"]), f"{Ground(one['ground']).label}, by {named(one['made_by'])}{undone}"


def _when(at: datetime | date | None) -> str:
    if at is None:
        return "–"
    return at.strftime("%Y-%m-%d %H:%M UTC") if isinstance(at, datetime) else at.isoformat()


def _row(paper: FPDF, label: str, words: str) -> None:
    paper.set_font("helvetica", size=9)
    paper.set_text_color(81, 92, 107)
    if paper.get_y() > paper.h - paper.b_margin - 2 * _LINE:
        paper.add_page()
    top = paper.get_y()
    paper.multi_cell(_LABEL, _LINE, _printable(label), new_x=XPos.LMARGIN, new_y=YPos.NEXT, align="L")
    below, paged = paper.get_y(), paper.page
    paper.set_text_color(27, 35, 48)
    paper.set_xy(paper.l_margin + _LABEL, top)
    paper.multi_cell(0, _LINE, _printable(words), new_x=XPos.LMARGIN, new_y=YPos.NEXT, align="L")
    if paper.page == paged:
        paper.set_y(max(paper.get_y(), below))


def _write(paper: FPDF, text: str, *, size: float, style: str = "") -> None:
    paper.set_text_color(27, 35, 48)
    paper.set_font("helvetica", style=style, size=size)
    paper.multi_cell(0, size * 0.6, _printable(text), new_x=XPos.LMARGIN, new_y=YPos.NEXT, align="L")


def _printable(text: str) -> str:
    return text.encode(_ENCODING, errors="replace").decode(_ENCODING)
