"""ClamAV itself, over both of its sockets: what it lets through, finds, cannot take, and what happens once it dies."""

import io
import os
import shutil
import signal
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from consents.models import Subject
from portal.demo import processes
from requests_app import attachments, virus_scanner
from requests_app.states import FileUse, Scan
from requests_app.virus_scanner import Infected, ScannerAway
from tests.conftest import BY
from tests.requests_app.asking import SOON, received
from tests.requests_app.files import EICAR, PDF, docx
from tests.stack import wait_for

pytestmark = pytest.mark.journey

LARGEST = 1024**2
READS = 512 * 1024
SETTINGS = """
Foreground yes
LocalSocket {folder}/clamd.ctl
TCPSocket {port}
TCPAddr 127.0.0.1
DatabaseDirectory {folder}/signatures
TemporaryDirectory {folder}
StreamMaxLength {largest}
MaxFileSize {reads}
AlertExceedsMax yes
SelfCheck 0
"""


class Clamd:
    """A scanner of our own that knows one signature."""

    def __init__(self, folder: Path, program: str) -> None:
        self.port = processes.free_port(0)
        self.unix, self.tcp = f"unix://{folder}/clamd.ctl", f"tcp://127.0.0.1:{self.port}"
        self.log = folder / "clamd.log"
        self._command = [program, "--config-file", str(folder / "clamd.conf")]
        (folder / "signatures").mkdir()
        (folder / "signatures" / "own.ndb").write_text(f"Eicar.Test:0:*:{EICAR.hex()}\n")
        written = SETTINGS.format(folder=folder, port=self.port, largest=LARGEST, reads=READS)
        (folder / "clamd.conf").write_text(written)

    def start(self) -> None:
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(self._command, stdout=log, stderr=subprocess.STDOUT)
        wait_for(self._answers, within=60, what=self.log.read_text)

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()

    def _answers(self) -> bool:
        assert self.process.poll() is None, self.log.read_text()
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=30) as line:
                line.sendall(b"zPING\0")
                return line.recv(10) == b"PONG\0"
        except OSError:
            return False


@pytest.fixture(scope="module")
def clamd() -> Iterator[Clamd]:
    program = os.environ.get("HEED_CLAMD") or shutil.which("clamd")
    assert program, "`.ci/clamd` finds or installs a ClamAV; HEED_CLAMD is the path of its clamd"
    # pytest's own folders have names too long for a socket
    with tempfile.TemporaryDirectory() as folder:
        running = Clamd(Path(folder), program)
        running.start()
        yield running
        running.kill()


@pytest.fixture(params=["unix", "tcp"])
def asked(request: Any, clamd: Clamd, settings: Any) -> Clamd:
    settings.CLAMAV = getattr(clamd, request.param)
    return clamd


def refused(content: bytes) -> str:
    with pytest.raises(ScannerAway) as away:
        virus_scanner.scan(parts(content))
    return away.value.code


def parts(content: bytes) -> Iterator[bytes]:
    return (content[start : start + 65_536] for start in range(0, len(content), 65_536))


@pytest.mark.parametrize("content", [b"", PDF, b"a" * READS], ids=["empty", "pdf", "large"])
def test_it_lets_clean_files_through(asked: Clamd, content: bytes) -> None:
    assert virus_scanner.scan(parts(content)) == Scan.CLEAN


@pytest.mark.parametrize(
    "content", [EICAR, b"a" * 100_000 + EICAR, docx(word__x_xml=EICAR)], ids=["plain", "late", "in_a_document"]
)
def test_it_finds_what_it_knows_wherever_it_hides(asked: Clamd, content: bytes) -> None:
    with pytest.raises(Infected) as found:
        virus_scanner.scan(parts(content))
    assert found.value.signature == "Eicar.Test.UNOFFICIAL"


@pytest.mark.parametrize("size", [LARGEST + 1, LARGEST + 65_536, 10 * LARGEST])
def test_it_takes_nothing_beyond_its_limit(asked: Clamd, size: int) -> None:
    # it may hang up before its answer is read, which is as good as being away
    assert refused(b"a" * size) in {"scanner_limit", "scanner_away"}


def test_a_file_that_it_does_not_read_to_its_end_is_not_called_clean_nor_infected(asked: Clamd) -> None:
    assert refused(b"a" * (READS + 1) + EICAR) == "scanner_limit"


def test_once_it_dies_nothing_passes_until_it_is_back(asked: Clamd) -> None:
    def killed_on_the_way() -> Iterator[bytes]:
        yield b"a" * 65_536
        asked.kill()
        yield from parts(b"a" * 400_000)

    with pytest.raises(ScannerAway) as away:
        virus_scanner.scan(killed_on_the_way())
    assert away.value.code == "scanner_away"
    assert refused(PDF) == "scanner_away"
    asked.start()
    assert virus_scanner.scan([PDF]) == Scan.CLEAN


def test_one_that_hangs_is_not_waited_for_without_end(asked: Clamd, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(virus_scanner, "_SECONDS", 0.5)
    asked.process.send_signal(signal.SIGSTOP)
    try:
        assert refused(PDF) == "scanner_away"
    finally:
        asked.process.send_signal(signal.SIGCONT)
    assert virus_scanner.scan([PDF]) == Scan.CLEAN


@pytest.mark.django_db
def test_what_comes_with_a_request_is_kept_only_if_it_is_clean(
    alice: Subject, asked: Clamd, settings: Any, tmp_path: Path
) -> None:
    settings.FILES_DIR = tmp_path
    request = received(alice)
    with pytest.raises(Infected):
        attachments.add(request=request, use=FileUse.MESSAGE, name="a.docx", stream=docx_of(EICAR), by=BY, at=SOON)
    kept = attachments.add(request=request, use=FileUse.MESSAGE, name="a.docx", stream=docx_of(b"x"), by=BY, at=SOON)
    assert kept.scan == Scan.CLEAN
    assert [path.name for path in tmp_path.rglob("*") if path.is_file()] == [kept.pk.hex]
    assert request.timeline.get(code="file_infected").details == {"found": "Eicar.Test.UNOFFICIAL"}


def docx_of(part: bytes) -> io.BytesIO:
    return io.BytesIO(docx(word__x_xml=part))
