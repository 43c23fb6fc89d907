"""Through the real web server: bodies of known length and in chunks, bodies that break off, memory that stays flat."""

import json
import socket
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import psutil
import pytest
import requests

from consents.models import ChoiceImport, LedgerEvent, Partner, Subject
from tests.conftest import token_of
from tests.load.bench import peak_mib
from tests.stack import Stack, wait_for

pytestmark = [pytest.mark.journey, pytest.mark.django_db(transaction=True)]

ROWS = 30_000


@pytest.fixture
def web(acme: Partner, alice: Subject, tmp_path: Path) -> Iterator[Stack]:
    stack = Stack(tmp_path, redis_number=12)
    try:
        stack.start("web")
        stack.wait_until_ready()
        yield stack
    finally:
        stack.stop_all()


def lines(*, first: int = 0, until: int = ROWS) -> Iterator[bytes]:
    """One person, who says no at one moment after another."""
    for number in range(first, until):
        choice = {"scheme": "account", "value": "m_alice", "purpose": "ai-training", "action": "deny"}
        yield json.dumps({**choice, "occurred_at": f"2026-03-02T12:00:00.{number:06d}Z"}).encode() + b"\n"


def test_bodies_come_in_whatever_way(web: Stack, acme: Partner) -> None:
    token, address = token_of(acme, "choices:write"), f"{web.base}/api/v1/choices/bulk"
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/x-ndjson"}

    whole = requests.post(address, b"".join(lines(until=10)), headers=headers, timeout=60)
    assert summary(whole.text)["recorded"] == 10

    # a generator has no length: requests sends it with Transfer-Encoding: chunked
    server = web.running["web"].pid
    requests.post(address, lines(until=15_000), headers=headers, timeout=60)
    before = peak(server)
    in_chunks = requests.post(address, lines(first=10), headers=headers, timeout=120)
    assert summary(in_chunks.text)["rows"] == ROWS - 10
    assert LedgerEvent.objects.filter(kind="choice").count() == ROWS
    assert peak(server) < before + 60

    refused = requests.post(address, b"{", headers={**headers, "Content-Type": "text/csv"}, timeout=60)
    assert (refused.status_code, refused.json()["code"]) == (415, "unsupported_media_type")


@pytest.mark.parametrize("in_chunks", [False, True])
def test_a_caller_that_dies_loses_nothing_that_was_durable(web: Stack, acme: Partner, in_chunks: bool) -> None:
    token = token_of(acme, "choices:write")
    head = f"POST /api/v1/choices/bulk HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {token}\r\n"
    head += "Content-Type: application/x-ndjson\r\nIdempotency-Key: k1\r\n"
    content = b"".join(lines())
    head += "Transfer-Encoding: chunked\r\n\r\n" if in_chunks else f"Content-Length: {len(content)}\r\n\r\n"
    sent = b"".join(lines(until=25_000))
    where = urlsplit(web.base)
    with socket.create_connection((str(where.hostname), int(where.port or 0)), timeout=60) as line:
        line.sendall(head.encode() + (f"{len(sent):x}\r\n".encode() + sent + b"\r\n" if in_chunks else sent))
        wait_for(lambda: ChoiceImport.objects.filter(rows_done__gte=20_000).exists(), within=60, what="two chunks")
    wait_for(lambda: not ChoiceImport.objects.filter(state="running").exists(), within=60, what="the end of the call")
    assert 20_000 <= ChoiceImport.objects.get().accepted <= 25_000

    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/x-ndjson", "Idempotency-Key": "k1"}
    again = requests.post(f"{web.base}/api/v1/choices/bulk", content, headers=headers, timeout=120)
    assert summary(again.text)["recorded"] == ROWS
    assert LedgerEvent.objects.filter(kind="choice").count() == ROWS


def summary(text: str) -> dict[str, int]:
    last: dict[str, dict[str, int]] = json.loads(text.splitlines()[-1])
    return last["summary"]


def peak(pid: int) -> float:
    """MiB of the server's processes at their peaks."""
    family = [psutil.Process(pid), *psutil.Process(pid).children(recursive=True)]
    return sum(peak_mib(one.pid) for one in family)
