"""Names of files: whatever somebody sends, what is kept can be seen, saved and read as what it is."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from requests_app import file_names

NASTY = st.text(
    st.one_of(
        st.characters(),
        st.sampled_from("/\\.:*?\"<>| \0\r\n\t\u202e\u2066\u200b\ufeff\u0301CONcon1%$`'"),
    ),
    max_size=300,
)
DEVICES = {"con", "prn", "aux", "nul", *(f"{one}{n}" for one in ("com", "lpt") for n in range(10))}


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        ("passport.pdf", "passport.pdf"),
        ("Reisepass von Jörg.PDF", "Reisepass von Jörg.pdf"),
        ("../../etc/passwd.pdf", "passwd.pdf"),
        ("C:\\fakepath\\scan.pdf", "scan.pdf"),
        ("invoice\u202efdp.exe.pdf", "invoicefdp.exe.pdf"),
        ("zero\u200bwidth\ufeff.pdf", "zerowidth.pdf"),
        ("a\r\nContent-Type: text/html.pdf", "html.pdf"),
        (".htaccess.pdf", "htaccess.pdf"),
        ("CON.pdf", "_CON.pdf"),
        ("lpt1.txt.pdf", "_lpt1.txt.pdf"),
        ("  many   blanks .pdf", "many blanks.pdf"),
        ('quo"te*.pdf', "quo_te_.pdf"),
        ("", "file.pdf"),
        ("...", "file.pdf"),
        ("no extension", "no extension.pdf"),
        ("e\u0301.pdf", "\u00e9.pdf"),
        ("x" * 300 + ".pdf", "x" * 96 + ".pdf"),
    ],
)
def test_a_name_becomes_harmless(sent: str, kept: str) -> None:
    assert file_names.clean(sent, extension="pdf") == kept


@pytest.mark.parametrize(
    ("sent", "claimed"),
    [("a.PDF", "pdf"), ("a.pdf.exe", "exe"), ("a.pdf. ", "pdf"), ("x\u202efdp.exe", "exe"), ("a", ""), ("a.b c", "")],
)
def test_what_a_name_claims_is_its_last_extension(sent: str, claimed: str) -> None:
    assert file_names.extension_of(sent) == claimed


@given(NASTY)
def test_every_name_is_safe(sent: str) -> None:
    kept = file_names.clean(sent, extension="pdf")
    assert kept.endswith(".pdf")
    assert 5 <= len(kept) <= file_names.LONGEST
    assert not set(kept) & set('/\\:*?"<>|\0\r\n')
    assert all(unicodedata.category(one) not in {"Cc", "Cf", "Cs", "Zl", "Zp"} for one in kept)
    assert kept.partition(".")[0].strip().lower() not in DEVICES
    assert kept == kept.strip()
    assert kept[0] != "."


@given(NASTY)
def test_cleaning_twice_changes_nothing(sent: str) -> None:
    once = file_names.clean(sent, extension="docx")
    assert file_names.clean(once, extension="docx") == once
    assert file_names.extension_of(once) == "docx"
