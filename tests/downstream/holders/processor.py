"""A real OpenDSR 2.0 processor on this machine: its own authority and certificate, real HTTP, real signatures."""

import base64
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

Key = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey


def new_key(kind: str = "ec") -> Key:
    return rsa.generate_private_key(65537, 2048) if kind == "rsa" else ec.generate_private_key(ec.SECP256R1())


class Authority:
    """Issues certificates; `path` is the file that says that it is trusted."""

    def __init__(self, folder: Path) -> None:
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "An authority of tests")])
        usage = x509.KeyUsage(False, False, False, False, False, True, True, False, False)
        builder = _builder(self.name, self.name, self.key.public_key())
        builder = builder.add_extension(x509.BasicConstraints(True, None), True).add_extension(usage, True)
        builder = builder.add_extension(x509.SubjectKeyIdentifier.from_public_key(self.key.public_key()), False)
        self.certificate = builder.sign(self.key, hashes.SHA256())
        self.path = folder / "authority.pem"
        self.path.write_bytes(self.certificate.public_bytes(Encoding.PEM))

    def issue(self, domain: str, key: Key, *, is_over: bool = False) -> bytes:
        """A certificate for `domain`, PEM."""
        builder = _builder(x509.Name([]), self.name, key.public_key(), is_over=is_over)
        builder = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName(domain)]), True)
        builder = builder.add_extension(x509.BasicConstraints(False, None), True)
        builder = builder.add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), False)
        issuer = x509.AuthorityKeyIdentifier.from_issuer_public_key(self.key.public_key())
        return builder.add_extension(issuer, False).sign(self.key, hashes.SHA256()).public_bytes(Encoding.PEM)


def _builder(subject: x509.Name, issuer: x509.Name, key: Any, *, is_over: bool = False) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    end = now - timedelta(days=1) if is_over else now + timedelta(days=30)
    named = x509.CertificateBuilder().subject_name(subject).issuer_name(issuer).public_key(key)
    dated = named.not_valid_before(now - timedelta(days=2)).not_valid_after(end)
    return dated.serial_number(x509.random_serial_number())


@dataclass
class Processor:
    """What it knows and how it behaves; tests change it as they go."""

    authority: Authority
    key: Key
    domain: str = "localhost"
    certificate: bytes = b""
    base: str = ""
    types: list[str] = field(default_factory=lambda: ["access", "erasure"])
    formats: list[str] = field(default_factory=lambda: ["raw", "sha256"])
    requests: dict[str, dict[str, Any]] = field(default_factory=dict)
    states: dict[str, str] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=dict)
    posted: list[str] = field(default_factory=list)
    troubles: list[tuple[int, dict[str, str]]] = field(default_factory=list)
    """Answers to the next calls below /requests, instead of true ones."""
    signs_as: str = "localhost"
    forges: bool = False
    looks: int = 0
    discoveries: int = 0
    at_once: int = 0
    most_at_once: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def complete(self, rows: int | None = None) -> None:
        """Everything that was asked is done."""
        for one in self.requests:
            self.states[one] = "completed"
            if rows is not None:
                self.counts[one] = rows

    def people(self) -> list[list[str]]:
        """Whom it was asked about."""
        return [[one["identity_value"] for one in asked["subject_identities"]] for asked in self.requests.values()]

    def signature(self, body: bytes) -> str:
        signed = body + b"." if self.forges else body
        if isinstance(self.key, rsa.RSAPrivateKey):
            raw = self.key.sign(signed, padding.PKCS1v15(), hashes.SHA256())
        else:
            raw = self.key.sign(signed, ec.ECDSA(hashes.SHA256()))
        return base64.b64encode(raw).decode()

    def status(self, request_id: str) -> dict[str, Any]:
        told: dict[str, Any] = {
            "controller_id": "linkwell",
            "subject_request_id": request_id,
            "request_status": self.states.get(request_id, "pending"),
            "expected_completion_time": "2026-03-20T12:00:00Z",
        }
        return told | ({"results_count": self.counts[request_id]} if request_id in self.counts else {})

    def callback(self, request_id: str, *, url: str) -> bytes:
        return json.dumps({**self.status(request_id), "status_callback_url": url}).encode()


class _Handler(BaseHTTPRequestHandler):
    processor: Processor

    def log_message(self, *args: Any) -> None:
        pass

    def do_GET(self) -> None:
        mine = self.processor
        if self.path == "/discovery":
            mine.discoveries += 1
            pairs = [{"identity_type": "controller_customer_id", "identity_format": one} for one in mine.formats]
            told = {
                "api_version": "2.0",
                "supported_identities": pairs,
                "supported_subject_request_types": mine.types,
                "processor_certificate": f"{mine.base}/cert.pem",
            }
            return self._answer(200, json.dumps(told).encode())
        if self.path == "/cert.pem":
            return self._answer(200, mine.certificate)
        mine.looks += 1
        if self._in_trouble():
            return None
        request_id = self.path.rpartition("/")[2]
        if request_id not in mine.requests:
            return self._answer(404, b"{}")
        return self._answer(200, json.dumps(mine.status(request_id)).encode())

    def do_POST(self) -> None:
        mine = self.processor
        with mine.lock:
            mine.at_once += 1
            mine.most_at_once = max(mine.most_at_once, mine.at_once)
        body = self.rfile.read(int(self.headers["Content-Length"]))
        try:
            if self._in_trouble():
                return
            asked = json.loads(body)
            request_id = asked["subject_request_id"]
            mine.requests[request_id] = asked
            mine.posted.append(request_id)
            told = {"encoded_request": base64.b64encode(body).decode(), **mine.status(request_id)}
            self._answer(201, json.dumps(told).encode())
        finally:
            with mine.lock:
                mine.at_once -= 1

    def _in_trouble(self) -> bool:
        if not self.processor.troubles:
            return False
        status, headers = self.processor.troubles.pop(0)
        self._answer(status, b"{}", **headers)
        return True

    def _answer(self, status: int, body: bytes, **headers: str) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("X-OpenDSR-Processor-Domain", self.processor.signs_as)
        self.send_header("X-OpenDSR-Signature", self.processor.signature(body))
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(body)


@contextmanager
def running(folder: Path, *, kind: str = "ec") -> Iterator[Processor]:
    """The processor, listening until the end of the block."""
    key, authority = new_key(kind), Authority(folder)
    processor = Processor(authority, key, certificate=authority.issue("localhost", key))
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"processor": processor}))
    processor.base = f"http://localhost:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield processor
    finally:
        server.shutdown()
        server.server_close()
        thread.join(timeout=5)
