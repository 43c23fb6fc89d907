"""The way to an object store, which a test can break: an HTTP proxy on this machine that counts what goes over it."""

import http.client
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

ERROR = b"<Error><Code>InternalError</Code><Message>We encountered an internal error.</Message></Error>"


@dataclass
class Way:
    """`trouble` is asked for each request, by method and path.

    It answers "" (none), "error" (500), "reset" (before it arrives), or "lost" (it arrives, its answer does not).
    """

    address: str = ""
    trouble: Callable[[str, str], str] = lambda method, path: ""


class Handler(BaseHTTPRequestHandler):
    """Hands each request on to `target`, or not."""

    protocol_version = "HTTP/1.1"
    way: Way
    target: str

    def do_GET(self) -> None:
        self._hand_on()

    def do_HEAD(self) -> None:
        self._hand_on()

    def do_PUT(self) -> None:
        self._hand_on()

    def do_POST(self) -> None:
        self._hand_on()

    def do_DELETE(self) -> None:
        self._hand_on()

    def _hand_on(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        trouble = self.way.trouble(self.command, self.path)
        if trouble == "error":
            self._answer(500, [("Content-Type", "application/xml")], ERROR)
        elif trouble == "reset":
            self._reset()
        else:
            status, headers, content = self._asked(body)
            if trouble == "lost":
                self._reset()
            else:
                self._answer(status, headers, content)

    def _asked(self, body: bytes) -> tuple[int, list[tuple[str, str]], bytes]:
        there = http.client.HTTPConnection(self.target, timeout=30)
        try:
            there.request(self.command, self.path, body, dict(self.headers))
            answer = there.getresponse()
            return answer.status, answer.getheaders(), answer.read()
        finally:
            there.close()

    def _answer(self, status: int, headers: list[tuple[str, str]], content: bytes) -> None:
        is_head = self.command == "HEAD"
        self.send_response_only(status)
        # of what a HEAD would bring the length is told, but nothing is sent
        ours = {"connection", "transfer-encoding"} | (set() if is_head else {"content-length"})
        for name, value in headers:
            if name.lower() not in ours:
                self.send_header(name, value)
        if not is_head:
            self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(b"" if is_head else content)

    def _reset(self) -> None:
        self.close_connection = True
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.connection.close()

    def log_message(self, *_: object) -> None:
        """Nobody reads it."""


class Server(ThreadingHTTPServer):
    """A connection that was reset is what was asked for."""

    daemon_threads = True

    def handle_error(self, *_: object) -> None:
        """Say nothing of it."""


@contextmanager
def to(endpoint: str) -> Iterator[Way]:
    way = Way()
    handler = type("OnThisWay", (Handler,), {"way": way, "target": urlsplit(endpoint).netloc})
    server = Server(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    way.address = f"http://127.0.0.1:{server.server_address[1]}"
    try:
        yield way
    finally:
        server.shutdown()
        server.server_close()
