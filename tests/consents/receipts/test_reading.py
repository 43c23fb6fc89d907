"""Whatever is brought is taken apart or refused with a reason, and never believed or repeated."""

import base64
import json
import time
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consents.receipts import issuing, reading
from consents.receipts.reading import Unreadable
from portal.errors import TooLarge


def token(header: object, body: object = None) -> str:
    pieces = [json.dumps(one or {"padding": "enough to be a piece"}).encode() for one in (header, body)]
    encoded = [base64.urlsafe_b64encode(one).rstrip(b"=").decode() for one in pieces]
    return ".".join([*encoded, base64.urlsafe_b64encode(bytes(64)).rstrip(b"=").decode()])


GOOD = token({"alg": "Ed25519", "kid": "one", "typ": issuing.JSONLD})
PRINTED = token({"alg": "Ed25519", "kid": "one", "typ": issuing.PDF})


@pytest.mark.parametrize(
    ("brought", "code"),
    [
        (b"", "empty"),
        (b" \n ", "empty"),
        (b"{", "not_json"),
        (b'{"jws": NaN}', "not_json"),
        (b'{"jws": "a", "jws": "b"}', "not_json"),
        (b'{"a":' * 50_000, "not_json"),
        (b'{"a": ' + b"9" * 5_000 + b"}", "not_json"),
        (b"{\xff}", "not_json"),
        (b"{}", "not_a_receipt"),
        (b'{"jws": 1}', "not_a_receipt"),
        (b'{"jws": "a.b.c"}', "not_a_receipt"),
        (b'{"receipt": [1]}', "not_a_receipt"),
        (b"[1]", "not_a_receipt"),
        (b'"\\ud800"', "not_a_receipt"),
        (b"hello", "not_a_receipt"),
        (b"\x00\xff", "not_a_receipt"),
        (b"%PDF-1.4 nothing", "no_receipt_in_pdf"),
        (f"%PDF-1.4 {PRINTED} {GOOD}".encode(), "no_receipt_in_pdf"),
        (f"%PDF-1.4 {GOOD} ".encode(), "wrong_kind"),
        (token({"typ": "heed-permit", "alg": "Ed25519"}).encode(), "wrong_kind"),
        (token({"typ": None, "alg": "Ed25519"}).encode(), "wrong_kind"),
        (token({"typ": ["heed-receipt+pdf"], "alg": "Ed25519"}).encode(), "wrong_kind"),
        (token({"alg": "Ed25519", "kid": "nothing else"}).encode(), "not_a_receipt"),
        (token(["a list is no header"]).encode(), "not_a_receipt"),
    ],
)
def test_what_is_no_receipt_is_refused_by_name(brought: bytes, code: str) -> None:
    with pytest.raises(Unreadable) as refusal:
        reading.read(brought)
    assert refusal.value.code == code


def test_more_than_a_receipt_can_have_is_not_looked_at() -> None:
    with pytest.raises(TooLarge):
        reading.read(b"x" * (reading.LARGEST + 1))


@pytest.mark.parametrize("form", ["{}", '"{}"', '{{"receipt": "{}"}}', " {}\n"])
def test_a_token_is_found_however_it_is_wrapped(form: str) -> None:
    brought = reading.read(form.format(GOOD).encode())
    assert (brought.token, brought.typ, brought.shown) == (GOOD, issuing.JSONLD, None)


def test_the_readable_part_is_what_stands_beside_the_token() -> None:
    assert reading.read(json.dumps({"a": 1, "jws": GOOD}).encode()).shown == {"a": 1}
    assert reading.read(json.dumps({"receipt": {"a": 1, "jws": GOOD}}).encode()).shown == {"a": 1}


def test_a_printed_receipts_token_is_found_in_its_file() -> None:
    file = f"%PDF-1.4 stream\n{PRINTED}\nendstream".encode()
    brought = reading.read(file)
    assert (brought.token, brought.typ, brought.file) == (PRINTED, issuing.PDF, file)


def test_a_token_has_one_spelling() -> None:
    """The last letter of 64 bytes in base64 has four bits that mean nothing."""
    with pytest.raises(Unreadable):
        reading.read((GOOD[:-1] + "B").encode())


@pytest.mark.parametrize("letters", [b"a", b"a.", b"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaa.", b"-_"])
def test_no_input_takes_long(letters: bytes) -> None:
    began = time.process_time()
    filler = letters * (reading.LARGEST // len(letters) - 10)
    for start in (b"%PDF-", b"{", b""):
        with pytest.raises(Unreadable):
            reading.read(start + filler)
    # hours if it looked from each letter anew
    assert time.process_time() - began < 20


@given(st.binary(max_size=400) | st.text(max_size=400).map(str.encode))
def test_nothing_else_is_ever_raised(brought: bytes) -> None:
    for start in (b"", b"%PDF-", b"{", GOOD.encode()):
        with suppress(Unreadable, TooLarge):
            reading.read(start + brought)
