"""A receipt as one calm page to keep: printed from the document that is signed, with the signed receipt attached.

The built-in fonts know the letters of Western Europe. A name beyond them is printed with `?`; the attached
receipt has it in full.
"""

from datetime import datetime
from typing import Any

from django.conf import settings
from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.utils.translation import override, pgettext
from fpdf import FPDF
from fpdf.enums import XPos, YPos

from consents.receipts import terms
from consents.vocabulary import Action, Kind, Source
from portal.countries import name_of

ATTACHMENT = "receipt.jws"
_ENCODING = "windows-1252"
_LABEL, _LINE = 45.0, 6.0
"""Millimetres: how wide the column of labels is, and how high a line."""
_INK, _MUTED = (27, 35, 48), (81, 92, 107)


def render(document: dict[str, Any], *, verify_url: str, attachment: bytes) -> bytes:
    """The page for the JSON-LD document of a receipt, in its language, with these bytes attached as they are."""
    with override(document["dct:language"]):
        page = _blank(document)
        _heading(page, document["dct:identifier"])
        for label, value in _facts(document):
            _row(page, label, value)
        _paragraph(page, _("The proof"), _proof(document["log"]))
        _paragraph(page, _("How to check this receipt"), _check(verify_url))
        page.embed_file(bytes=attachment, basename=ATTACHMENT, mime_type="application/jose", desc=_("Signed receipt"))
        return bytes(page.output())


def _blank(document: dict[str, Any]) -> FPDF:
    page = FPDF()
    page.core_fonts_encoding = _ENCODING
    page.set_creation_date(datetime.fromisoformat(document["dct:issued"]))
    page.set_title(f"{_printable(_('Receipt'))} {document['dct:identifier']}")
    page.set_author(_printable(settings.SITE_NAME))
    page.set_lang(document["dct:language"])
    page.set_margins(22, 24, 22)
    page.add_page()
    return page


def _heading(page: FPDF, reference: str) -> None:
    page.set_text_color(*_MUTED)
    page.set_font("helvetica", size=10)
    _line(page, settings.SITE_NAME)
    page.set_text_color(*_INK)
    page.set_font("helvetica", style="B", size=22)
    _line(page, _("Receipt"), height=12)
    page.set_font("courier", style="B", size=11)
    _line(page, reference, height=8)
    page.ln(5)


def _facts(document: dict[str, Any]) -> list[tuple[str, str]]:
    """What was decided, as (label, words)."""
    event, process = document["event"], document["dpv:hasProcess"][0]
    entities = document["dpv:hasEntity"]
    recipients = [entities[key]["dpv:hasName"] for key in process["dpv:hasRecipient"]]
    controllers = [entities[key]["dpv:hasName"] for key in process["dpv:hasDataController"]]
    authorities = [one["dpv:hasName"] for one in process["dpv:hasAuthority"]]
    notices = [one.get("dct:title", one["dpv:hasIdentifier"]) for one in document["dpv:hasNotice"]]
    rows = [
        (_("Choice"), decided(event)),
        (_("Purpose"), process["dpv:hasPurpose"][0]["skos:prefLabel"]),
        (_("Data"), ", ".join(one["skos:prefLabel"] for one in process["dpv:hasPersonalData"])),
        (_("Recipients"), ", ".join(recipients)),
        (_("Made"), _moment(event["occurred_at"])),
        (_("Recorded"), _moment(event["recorded_at"])),
        (_("How"), str(Source(event["source"]).label)),
        (_("Notice shown"), ", ".join(notices)),
        (_("Legal basis"), ", ".join(_basis(term) for term in process["dpv:hasLegalBasis"])),
        (_("Where you live"), name_of(process["dpv:hasJurisdiction"][0].removeprefix("loc:"))),
        (_("Who answers for it"), ", ".join([*controllers, settings.CONTROLLER["email"]])),
        (_("Where to complain"), ", ".join(authorities)),
        (_("Your number with us"), event["subject"]),
    ]
    return [(label, value) for label, value in rows if value]


def _basis(term: str) -> str:
    """The legal basis in words, with its article: consent (A6-1-a)."""
    basis = next(one for one, known in terms.BASES.items() if known == term)
    return f"{basis.label} ({term.partition(':')[2]})"


def decided(event: dict[str, Any]) -> str:
    """What the person decided, in words."""
    kind, action = event["kind"], event["action"]
    return str(Kind(kind).label) if kind == Kind.EXPIRY else str(Action(action).label)


def _proof(log: dict[str, Any]) -> str:
    if log["position"] is None:
        return _("The place in the log is still being assigned. Download the receipt again later to have the proof.")
    inclusion = log["inclusion"]
    if inclusion is None:
        return _(
            "This choice has place %(position)s in the log; the log’s next checkpoint will seal it. "
            "Download the receipt again later to have the proof."
        ) % {"position": log["position"]}
    return _(
        "This choice has place %(position)s in the log. A signed checkpoint over the log’s first %(size)s entries "
        "holds it; the way from here to there is in the attached receipt."
    ) % {"position": log["position"], "size": inclusion["size"]}


def _check(verify_url: str) -> str:
    return _(
        "Upload this file at %(address)s, without an account. Or check it on your own computer with our published "
        "keys alone. Whatever is changed in this file, even one letter, will be found."
    ) % {"address": verify_url}


def _moment(time: str) -> str:
    return date_format(datetime.fromisoformat(time), pgettext("date format", "j F Y, H:i T"))


def _row(page: FPDF, label: str, value: str) -> None:
    page.set_font("helvetica", size=10.5)
    page.set_text_color(*_MUTED)
    top = page.get_y()
    page.multi_cell(_LABEL, _LINE, _printable(label), new_x=XPos.LMARGIN, new_y=YPos.NEXT, align="L")
    below = page.get_y()
    page.set_text_color(*_INK)
    page.set_xy(page.l_margin + _LABEL, top)
    page.multi_cell(0, _LINE, _printable(value), new_x=XPos.LMARGIN, new_y=YPos.NEXT, align="L")
    page.set_y(max(page.get_y(), below) + 1)


def _paragraph(page: FPDF, title: str, text: str) -> None:
    page.ln(5)
    page.set_font("helvetica", style="B", size=12)
    _line(page, title, height=8)
    page.set_font("helvetica", size=10.5)
    page.multi_cell(0, _LINE, _printable(text), new_x=XPos.LMARGIN, new_y=YPos.NEXT, align="L")


def _line(page: FPDF, text: str, *, height: float = _LINE) -> None:
    page.cell(0, height, _printable(text), new_x=XPos.LMARGIN, new_y=YPos.NEXT)


def _printable(text: str) -> str:
    return text.encode(_ENCODING, errors="replace").decode(_ENCODING)
