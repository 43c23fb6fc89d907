"""A checkpoint is a C2SP signed note that any verifier of signed notes reads."""

import base64
import hashlib
from collections.abc import Callable
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from consents import signed_notes
from consents.signed_notes import Head, NoteError
from portal import signing
from tests.consents.sealing import ring

# The example of golang.org/x/mod/sumdb/note, from which the format was taken.
KEY = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
NOTE = (
    "If you think cryptography is the answer to your problem,\n"
    "then you don't know what your problem is.\n"
    "\n"
    "— PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n"
)
HEAD = Head(size=20852163, root=hashlib.sha256(b"root").digest())


@pytest.fixture(autouse=True)
def origin(settings: Any) -> None:
    settings.LOG_ORIGIN = "heed.example/log"
    settings.SIGNING_KEYS = ring("two", "one")


def test_the_published_example_has_its_published_key_and_signature(settings: Any) -> None:
    settings.LOG_ORIGIN = "PeterNeumann"
    raw = base64.b64encode(base64.b64decode(KEY.split("+", 2)[2])[1:]).decode()
    settings.SIGNING_KEYS = ring("ours", retired=f"peter:{raw}")
    assert signed_notes.verifier_keys()[1] == KEY
    # its signature fits; only then is it found to be no checkpoint of this log
    for note, code in ((NOTE, "other_log"), (NOTE.replace("answer", "Answer"), "altered")):
        with pytest.raises(NoteError) as refused:
            signed_notes.read(note)
        assert refused.value.code == code


def test_a_note_has_the_lines_of_a_checkpoint() -> None:
    note, key_id = signed_notes.write(HEAD)
    lines = note.split("\n")
    assert key_id == "two"
    assert lines[:3] == ["heed.example/log", "20852163", base64.b64encode(HEAD.root).decode()]
    assert lines[3] == lines[5] == ""
    assert lines[4].startswith("— heed.example/log ")
    assert len(base64.b64decode(lines[4].rpartition(" ")[2])) == 4 + 64
    assert signed_notes.read(note) == HEAD


def test_an_outsider_verifies_with_the_published_key_alone() -> None:
    note, _ = signed_notes.write(HEAD)
    name, key_id, encoded = signed_notes.verifier_keys()[0].split("+", 2)
    kind, public = base64.b64decode(encoded)[:1], base64.b64decode(encoded)[1:]
    assert hashlib.sha256(name.encode() + b"\n" + kind + public).hexdigest()[:8] == key_id
    text, _, line = note.rpartition("\n\n")
    signed = base64.b64decode(line.rpartition(" ")[2])
    assert signed[:4].hex() == key_id
    Ed25519PublicKey.from_public_bytes(public).verify(signed[4:], f"{text}\n".encode())


def test_a_note_of_a_former_key_keeps_reading(settings: Any) -> None:
    settings.SIGNING_KEYS = ring("one")
    note, key_id = signed_notes.write(HEAD)
    public = base64.b64encode(signing.raw_public_key("one")).decode()
    settings.SIGNING_KEYS = ring("two", retired=f"one:{public}")
    assert (signed_notes.read(note), key_id) == (HEAD, "one")


def test_signatures_of_witnesses_are_passed_over() -> None:
    note, _ = signed_notes.write(HEAD)
    witness = f"— witness.example {base64.b64encode(b'x' * 76).decode()}\n"
    assert signed_notes.read(note + witness) == HEAD


def test_a_note_that_is_signed_rightly_and_wrongly_is_refused() -> None:
    note, _ = signed_notes.write(HEAD)
    other, _ = signed_notes.write(Head(size=1, root=HEAD.root))
    with pytest.raises(NoteError, match="altered"):
        signed_notes.read(note + other.rpartition("\n\n")[2])


Harm = Callable[[str], str]


@pytest.mark.parametrize(
    ("harm", "code"),
    [
        (lambda note: note.replace("20852163", "20852164"), "altered"),
        (lambda note: note.replace("heed.example/log\n", "evil.example/log\n", 1), "altered"),
        (lambda note: note.replace("— heed.example/log", "— evil.example/log"), "not_ours"),
        (lambda note: note.replace("— ", "- "), "not_ours"),
        (lambda note: note.rpartition("\n\n")[0] + "\n\n— heed.example/log ???\n", "not_ours"),
        (lambda note: note.rstrip("\n"), "no_note"),
        (lambda note: "", "no_note"),
        (lambda note: note.replace("\n\n", "\n" + "x" * 70_000 + "\n\n"), "no_note"),
    ],
)
def test_what_was_altered_is_refused_and_says_why(harm: Harm, code: str) -> None:
    note, _ = signed_notes.write(HEAD)
    with pytest.raises(NoteError) as refused:
        signed_notes.read(harm(note))
    assert refused.value.code == code


@pytest.mark.parametrize(
    "text",
    [
        "heed.example/log\n",
        "heed.example/log\n01\n",
        "heed.example/log\n-1\nAAAA\n",
        "heed.example/log\n٣\nAAAA\n",
        "heed.example/log\n3\nAAAA\n",
    ],
)
def test_a_signed_text_that_is_no_checkpoint_is_refused(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Head, "text", text)
    note, _ = signed_notes.write(HEAD)
    with pytest.raises(NoteError) as refused:
        signed_notes.read(note)
    assert refused.value.code == "no_checkpoint"


def test_the_checkpoint_of_another_log_with_our_key_is_refused(settings: Any) -> None:
    text = f"other.example/log\n3\n{base64.b64encode(HEAD.root).decode()}\n"
    _, signature = signing.sign(text.encode())
    prefix = base64.b64decode(signed_notes.write(HEAD)[0].rpartition(" ")[2])[:4]
    note = f"{text}\n— heed.example/log {base64.b64encode(prefix + signature).decode()}\n"
    with pytest.raises(NoteError) as refused:
        signed_notes.read(note)
    assert refused.value.code == "other_log"
