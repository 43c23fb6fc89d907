"""Calls to addresses that others gave us reach nothing of our own."""

import threading
import time
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from downstream import outbound
from downstream.outbound import OutboundError
from tests.downstream import listener


def code(url: str, **how: Any) -> str:
    with pytest.raises(OutboundError) as caught:
        outbound.call("GET", url, **how)
    return caught.value.code


@pytest.mark.parametrize(
    ("address", "public"),
    [
        ("93.184.216.34", True),
        ("2606:2800:220:1:248:1893:25c8:1946", True),
        ("127.0.0.1", False),
        ("10.1.2.3", False),
        ("172.16.0.1", False),
        ("192.168.1.1", False),
        ("169.254.169.254", False),
        ("100.64.0.1", False),
        ("0.0.0.0", False),  # noqa: S104 -- called, not bound
        ("224.0.0.1", False),
        ("255.255.255.255", False),
        ("::1", False),
        ("fe80::1%eth0", False),
        ("fd00::1", False),
        ("::ffff:10.0.0.1", False),
        ("64:ff9b::a00:1", False),
        ("2002:a00:1::", False),
        ("64:ff9b::5db8:d822", True),
        ("fec0::1", False),
        ("64:ff9b:1::a00:1", False),
        ("::7f00:1", False),
        ("::ffff:0:7f00:1", False),
        ("5f00::1", False),
        ("nothing", False),
    ],
)
def test_private_addresses_are_known(address: str, public: bool) -> None:
    assert outbound.is_public(address) is public


@pytest.mark.parametrize("path", ["/ü", "/?q=ü", "/two words"])
def test_what_is_no_address_is_refused_before_it_is_called(path: str) -> None:
    with listener.running() as running:
        assert code(running.url.rstrip("/") + path) == "invalid_address"
        assert not running.heard
    assert code(f"https://münchen.example{path}") == "invalid_address"


def test_a_production_house_calls_no_private_address(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.LOCAL = False
    assert code("http://localhost/") == "invalid_address"
    assert code("https://127.0.0.1/") == "private_address"
    assert code("https://[::1]/") == "private_address"
    assert code("https://2130706433/") in {"private_address", "unknown_host"}
    mixed = [(2, 1, 6, "", ("93.184.216.34", 443)), (2, 1, 6, "", ("10.0.0.1", 443))]
    monkeypatch.setattr(outbound.socket, "getaddrinfo", lambda *_, **__: mixed)
    assert code("https://rebinding.example/") == "private_address"


def test_a_try_out_house_calls_itself_but_not_its_neighbours() -> None:
    assert code("https://10.0.0.1/") == "private_address"
    assert code("https://169.254.169.254/latest/") == "private_address"
    with listener.running() as running:
        assert outbound.call("POST", running.url, body=b"{}").status == 204


def test_a_redirect_is_not_followed() -> None:
    with listener.running() as running:
        running.answers = [302]
        assert outbound.call("POST", running.url, body=b"{}").status == 302
        assert len(running.heard) == 1


class _Dripping(BaseHTTPRequestHandler):
    def log_message(self, *args: Any) -> None:
        pass

    def do_GET(self) -> None:
        if self.path == "/slow-head":
            self.wfile.write(b"HTTP/1.1 200 OK\r\nX-Long: ")
            return self._drip()
        self.send_response(200)
        self.end_headers()
        try:
            if self.path == "/endless":
                for _ in range(64):
                    self.wfile.write(b"x" * (1 << 16))
                return None
            return self._drip()
        except OSError:
            return None

    def _drip(self) -> None:
        with suppress(OSError):
            for _ in range(40):
                self.wfile.write(b"x")
                time.sleep(0.1)


def test_an_answer_without_end_is_cut_off() -> None:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Dripping)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    base = f"http://127.0.0.1:{server.server_port}"
    try:
        assert code(f"{base}/endless") == "answer_too_large"
        began = time.monotonic()
        for path in ("slow", "slow-head"):
            assert code(f"{base}/{path}", seconds=0.5) == "too_slow"
        assert time.monotonic() - began < 3
    finally:
        server.shutdown()
        server.server_close()
