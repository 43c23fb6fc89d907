"""Asking a virus scanner, over both kinds of socket, in every mood it may have."""

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from requests_app import virus_scanner
from requests_app.states import Scan
from requests_app.virus_scanner import Infected, ScannerAway
from tests.requests_app import clamd
from tests.requests_app.clamd import Scanner
from tests.requests_app.files import EICAR, PDF


@pytest.fixture(params=["unix", "tcp"])
def scanner(request: Any, settings: Any) -> Iterator[Scanner]:
    # pytest's own folders have names too long for a socket
    folder = Path(tempfile.mkdtemp())
    with clamd.running(folder / "clamd.ctl" if request.param == "unix" else None) as running:
        settings.CLAMAV = running.address
        yield running
    shutil.rmtree(folder)


def test_without_a_scanner_nothing_is_asked_and_it_says_so(settings: Any) -> None:
    settings.CLAMAV = ""
    assert virus_scanner.scan([EICAR]) == Scan.NONE


def test_a_clean_file_arrives_whole_and_is_clean(scanner: Scanner) -> None:
    parts = [b"a" * 70_000, b"", PDF, b"z"]
    assert virus_scanner.scan(parts) == Scan.CLEAN
    assert scanner.seen == [b"".join(parts)]


def test_what_is_found_is_named(scanner: Scanner) -> None:
    with pytest.raises(Infected) as found:
        virus_scanner.scan([EICAR[:20], EICAR[20:]])
    assert (found.value.code, found.value.signature) == ("file_infected", "Win.Test.EICAR_HDB-1")
    assert "EICAR" not in found.value.message


def test_a_file_beyond_the_scanners_limit_is_told_apart(scanner: Scanner) -> None:
    scanner.largest = 1_000
    with pytest.raises(ScannerAway) as refused:
        virus_scanner.scan([b"a" * 900] * 5_000)
    # it may hang up before its answer is read, which is as good as being away
    assert refused.value.code in {"scanner_limit", "scanner_away"}
    with pytest.raises(ScannerAway) as refused:
        virus_scanner.scan([b"a" * 1_001])
    assert refused.value.code in {"scanner_limit", "scanner_away"}


def test_a_file_that_it_did_not_read_to_its_end_is_not_called_infected(scanner: Scanner) -> None:
    scanner.mood = "unread"
    with pytest.raises(ScannerAway) as refused:
        virus_scanner.scan([PDF])
    assert refused.value.code == "scanner_limit"


@pytest.mark.parametrize("mood", ["silent", "hangs_up", "confused"])
def test_a_scanner_in_trouble_lets_nothing_through(
    scanner: Scanner, mood: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(virus_scanner, "_SECONDS", 0.3)
    scanner.mood = mood
    with pytest.raises(ScannerAway) as refused:
        virus_scanner.scan([PDF])
    assert refused.value.code == "scanner_away"


@pytest.mark.parametrize(
    "address", ["unix:///nowhere/clamd.ctl", "tcp://127.0.0.1:1", "tcp://127.0.0.1", "http://127.0.0.1:80", "clamd"]
)
def test_a_scanner_that_is_not_there_lets_nothing_through(settings: Any, address: str) -> None:
    settings.CLAMAV = address
    with pytest.raises(ScannerAway):
        virus_scanner.scan([PDF])


def test_what_a_scanner_calls_it_is_made_plain() -> None:
    assert Infected("a b\n<c>" + "x" * 200).signature == "a_b__c_" + "x" * 73
