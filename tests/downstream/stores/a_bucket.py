"""A real S3 protocol on this machine, by moto, and buckets in it."""

import http.client
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

import s3fs
from moto.server import ThreadedMotoServer


@contextmanager
def server() -> Iterator[str]:
    """Its address; credentials are in the environment as every S3 program takes them."""
    credentials = {"AWS_ACCESS_KEY_ID": "id", "AWS_SECRET_ACCESS_KEY": "secret", "AWS_DEFAULT_REGION": "us-east-1"}
    before = {name: os.environ.get(name) for name in credentials}
    os.environ.update(credentials)
    moto = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    moto.start()
    try:
        host, port = moto.get_host_and_port()
        yield f"http://{host}:{port}"
    finally:
        moto.stop()
        for name, value in before.items():
            os.environ.pop(name) if value is None else os.environ.__setitem__(name, value)


@contextmanager
def throttled(endpoint: str, *, times: int) -> Iterator[str]:
    """The address of a way to the server on which the first puts under a condition are answered with SlowDown."""
    refused: list[str] = []

    class Between(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_: Any) -> None:
            pass

        def _pass_on(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            if self.headers.get("If-Match") and len(refused) < times:
                refused.append(self.path)
                self._answer(503, {}, b"<Error><Code>SlowDown</Code><Message>Reduce your rate.</Message></Error>")
                return
            there = http.client.HTTPConnection(urlsplit(endpoint).netloc, timeout=10)
            there.request(self.command, self.path, body, dict(self.headers))
            answer = there.getresponse()
            self._answer(answer.status, dict(answer.getheaders()), answer.read())
            there.close()

        def _answer(self, status: int, headers: dict[str, str], body: bytes) -> None:
            self.send_response_only(status)
            dropped = {"transfer-encoding", "connection"} | ({"content-length"} if self.command != "HEAD" else set())
            for name, value in headers.items():
                if name.lower() not in dropped:
                    self.send_header(name, value)
            if self.command != "HEAD":
                self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    for method in ("GET", "HEAD", "PUT", "POST", "DELETE"):
        setattr(Between, f"do_{method}", Between._pass_on)
    between = ThreadingHTTPServer(("127.0.0.1", 0), Between)
    thread = threading.Thread(target=between.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{between.server_port}"
    finally:
        between.shutdown()
        between.server_close()
        thread.join()


class Bucket:
    """One bucket, reached without Heed's own code."""

    def __init__(self, endpoint: str, name: str, **how: Any) -> None:
        self.endpoint, self.name = endpoint, name
        self._s3 = s3fs.S3FileSystem(endpoint_url=endpoint, use_listings_cache=False, skip_instance_cache=True)
        self.call("create_bucket", **how)

    def call(self, method: str, **arguments: Any) -> Any:
        return self._s3.call_s3(method, Bucket=self.name, **arguments)

    def put(self, key: str, body: bytes, **how: Any) -> Any:
        return self.call("put_object", Key=key, Body=body, **how)

    def get(self, key: str) -> bytes:
        content: bytes = self._s3.cat_file(f"{self.name}/{key}")
        return content

    def delete(self, key: str) -> None:
        self.call("delete_object", Key=key)

    def listed(self) -> list[str]:
        return [one["Key"] for one in self.call("list_objects_v2").get("Contents", [])]

    def versions(self) -> list[tuple[str, bool]]:
        """Each version's key, and whether it is the object."""
        return [(one["Key"], one["IsLatest"]) for one in self.call("list_object_versions").get("Versions", [])]

    def keep_versions(self) -> None:
        self.call("put_bucket_versioning", VersioningConfiguration={"Status": "Enabled"})
