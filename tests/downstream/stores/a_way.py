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


@contextmanager
def to(endpoint: str) -> Iterator[Way]:
    way, target = Way(), urlsplit(endpoint).netloc

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _pass(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            trouble = way.trouble(self.command, self.path)
            if trouble == "reset":
                return self._reset()
            if trouble == "error":
                return self._answer(500, [("Content-Type", "application/xml")], ERROR)
            there = http.client.HTTPConnection(target, timeout=30)
            try:
                there.request(self.command, self.path, body, dict(self.headers))
                answer = there.getresponse()
                content = answer.read()
            finally:
                there.close()
            if trouble == "lost":
                return self._reset()
            return self._answer(answer.status, answer.getheaders(), content)

        def _answer(self, status: int, headers: list[tuple[str, str]], content: bytes) -> None:
            self.send_response_only(status)
            dropped = {"connection", "transfer-encoding"} | ({"content-length"} if self.command != "HEAD" else set())
            for name, value in headers:
                if name.lower() not in dropped:
                    self.send_header(name, value)
            if self.command != "HEAD":
                self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(content)

        def _reset(self) -> None:
            self.close_connection = True
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.connection.close()

        def log_message(self, *_: object) -> None:
            """Nobody reads it."""

        do_GET = do_PUT = do_POST = do_HEAD = do_DELETE = _pass

    class Server(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, *_: object) -> None:
            """A connection that was reset is what was asked for."""

    server = Server(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    way.address = f"http://127.0.0.1:{server.server_address[1]}"
    try:
        yield way
    finally:
        server.shutdown()
        server.server_close()
