"""Files in an S3 bucket, reached through fsspec (extra `s3`).

The new version of an object is made on this machine and put beside the old one under a hidden name. It is put in place
by a conditional request, which the store refuses unless the object still has the etag that was found; the hidden one is
looked for right before, because whoever swept it away took the lease over. Credentials and the region come from the
worker's environment, as every S3 program takes them.
"""

import base64
import hashlib
import os
import shutil
import tempfile
import weakref
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from datetime import datetime, timedelta
from pathlib import Path, PurePosixPath
from typing import Any, BinaryIO
from urllib.parse import urlencode

import s3fs

from downstream.engines import scratch
from downstream.engines.base import DataFile
from downstream.engines.errors import ConnectorError, changed, swept, writing
from downstream.stores import folders
from downstream.stores.base import Kept, Stored
from downstream.stores.object_errors import code_of, reaching
from downstream.stores.object_versions import Versions
from portal.fault_points import reach

DIGEST = "heed-sha256"
_PORTION = 256 << 20
_PART = 64 << 20
_CHUNK = 8 << 20
_LARGEST_PUT = 4 << 30
# what an object is served with, and would lose when it is put anew
_CARRIED = (
    "ContentType",
    "ContentEncoding",
    "ContentDisposition",
    "ContentLanguage",
    "CacheControl",
    "StorageClass",
    "ServerSideEncryption",
    "SSEKMSKeyId",
)


class ObjectStore:
    """Implements `downstream.stores.base.Store`. `location` is s3://bucket/prefix."""

    def __init__(self, location: str, options: Mapping[str, Any]) -> None:
        self.location = location
        self._bucket, self._prefix = split(location)
        endpoint = options.get("endpoint") or None
        # one connection a thread, because making one takes longer than most looks; of what is there nothing is kept
        self._s3 = s3fs.S3FileSystem(
            endpoint_url=endpoint,
            use_listings_cache=False,
            config_kwargs={"retries": {"max_attempts": 3, "mode": "standard"}, "connect_timeout": 10},
        )
        # s3fs would try again with a body that was read to its end; botocore, which rewinds, has tried again already
        self._s3.retries = 1
        self._versions = Versions(self._call, self._bucket, self._prefix)
        self._scratch = scratch.place("objects")
        weakref.finalize(self, shutil.rmtree, self._scratch, True)

    def walk(self, *, unfinished: bool = False) -> list[Stored]:
        return [
            Stored(name, size, etag)
            for name, size, etag in sorted(self._listed())
            if not folders.is_temporary(PurePosixPath(name).name)
        ]

    def _listed(self) -> Iterator[tuple[str, int, str]]:
        """Name, size and etag of every object under the prefix."""
        more: dict[str, Any] = {}
        while True:
            page = self._call("list_objects_v2", Prefix=self._prefix, **more)
            for one in page.get("Contents", ()):
                name = str(one["Key"]).removeprefix(self._prefix)
                # a key that ends in a slash is how consoles draw an empty folder
                if name and not name.endswith("/"):
                    yield name, int(one["Size"]), str(one["ETag"])
            if not page.get("IsTruncated"):
                return
            more = {"ContinuationToken": page["NextContinuationToken"]}

    def head_and_tail(self, name: str, count: int) -> tuple[bytes, bytes]:
        size = self.size(name)
        if size is None:
            raise changed(name)
        if not size:
            # a store refuses any range of an empty object
            return b"", b""
        with reaching(name):
            head = self._s3.cat_file(self._path(name), start=0, end=count)
            return head, self._s3.cat_file(self._path(name), start=max(0, size - count), end=size)

    @contextmanager
    def stream(self, name: str) -> Iterator[BinaryIO]:
        with reaching(name), self._s3.open(self._path(name), "rb") as stream:
            yield stream

    def portions(self, files: Sequence[Stored]) -> Iterator[Sequence[Stored]]:
        portion: list[Stored] = []
        for stored in files:
            if portion and sum(one.size for one in portion) + stored.size > _PORTION:
                yield portion
                portion = []
            portion.append(stored)
        if portion:
            yield portion

    @contextmanager
    def at_hand(self, names: Sequence[str]) -> Iterator[list[DataFile]]:
        """Copies on this machine, thrown away afterwards."""
        place = Path(tempfile.mkdtemp(dir=self._scratch))
        try:
            # numbered, because an object's name may be longer than a file's
            copies = [DataFile(name, str(place / f"{number}")) for number, name in enumerate(names)]
            for copy in copies:
                with reaching(copy.name):
                    self._s3.get_file(self._path(copy.name), copy.path)
            yield copies
        finally:
            shutil.rmtree(place, ignore_errors=True)

    def fingerprint(self, name: str) -> str:
        return str(self._head(name)["ETag"])

    def size(self, name: str) -> int | None:
        head = self._head_or_none(name)
        return None if head is None else int(head["ContentLength"])

    def digest(self, name: str) -> str:
        told = self._head(name).get("Metadata", {}).get(DIGEST)
        if told:
            return str(told)
        digest = hashlib.sha256()
        with self.stream(name) as stream:
            while chunk := stream.read(_CHUNK):
                digest.update(chunk)
        return digest.hexdigest()

    def links(self, name: str) -> int:
        return 1

    def draft(self, name: str, *, token: str) -> Path:
        draft = self._scratch / folders.temporary_name(token)
        with writing(name):
            os.close(os.open(draft, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
        return draft

    def settle(self, draft: Path, *, like: str) -> str:
        """Put beside the old object; the local copy stays for whoever wants to look into it."""
        beside = str(PurePosixPath(like).with_name(draft.name))
        with reaching(like), writing(like):
            self._s3.put_file(str(draft), self._path(beside))
        return beside

    def replace(self, name: str, *, by: str, fingerprint: str, digest: str, fence: Callable[[], object]) -> None:
        head = self._head(name)
        manner = self._manner(name, head, digest)
        fence()
        if str(head["ETag"]) != fingerprint:
            raise changed(name)
        if self._head_or_none(by) is None:
            raise swept(name)
        reach("commit.before_rename")
        self._put(by, name, fingerprint, manner, digest)
        reach("commit.after_rename")
        reach("commit.after_dirsync")

    def discard(self, draft: str) -> None:
        (self._scratch / PurePosixPath(draft).name).unlink(missing_ok=True)
        self._delete(draft)

    def sweep(self) -> list[str]:
        drafts = [name for name, _, _ in self._listed() if folders.is_temporary(PurePosixPath(name).name)]
        for draft in drafts:
            self._delete(draft)
        return sorted(drafts)

    def purge(self, *, retention: timedelta | None, at: datetime) -> None:
        self._versions.purge(retention=retention, at=at)

    def kept(self, *, retention: timedelta | None, at: datetime, removed_at: datetime | None = None) -> Kept:
        return self._versions.kept(retention=retention, at=at, removed_at=removed_at)

    def _manner(self, name: str, head: Mapping[str, Any], digest: str) -> dict[str, Any]:
        """How the object is stored and served, which its new version keeps; its tags too."""
        manner = {field: head[field] for field in _CARRIED if head.get(field)}
        tags = self._call("get_object_tagging", Key=self._key(name), of=name).get("TagSet", [])
        if tags:
            manner["Tagging"] = urlencode([(tag["Key"], tag["Value"]) for tag in tags])
        return {**manner, "Metadata": {**head.get("Metadata", {}), DIGEST: digest}}

    def _put(self, draft: str, name: str, etag: str, manner: Mapping[str, Any], digest: str) -> None:
        local, key = self._scratch / PurePosixPath(draft).name, self._key(name)
        if not local.exists():
            # another process of ours made it
            with reaching(draft), writing(name):
                self._s3.get_file(self._path(draft), str(local))
        with writing(name), local.open("rb") as body:
            size = local.stat().st_size
            if size <= _LARGEST_PUT:
                # the store takes no other bytes than the ones that were verified
                sent: dict[str, Any] = {"ContentLength": size, "ChecksumSHA256": _checksum(bytes.fromhex(digest))}
                self._call("put_object", Key=key, Body=body, IfMatch=etag, of=name, **sent, **manner)
            else:
                self._put_in_parts(body, name, etag, manner)

    def _put_in_parts(self, body: BinaryIO, name: str, etag: str, manner: Mapping[str, Any]) -> None:
        upload: dict[str, Any] = {"Key": self._key(name), "of": name}
        upload["UploadId"] = self._call("create_multipart_upload", ChecksumAlgorithm="SHA256", **upload, **manner)[
            "UploadId"
        ]
        try:
            parts: list[dict[str, Any]] = []
            while part := body.read(_PART):
                told: dict[str, Any] = {
                    "PartNumber": len(parts) + 1,
                    "ChecksumSHA256": _checksum(hashlib.sha256(part).digest()),
                }
                sent = self._call("upload_part", Body=part, **told, **upload)
                parts.append({"ETag": sent["ETag"], **told})
            self._call("complete_multipart_upload", MultipartUpload={"Parts": parts}, IfMatch=etag, **upload)
        except BaseException:
            # the first error counts; a store that is away keeps the parts until its own rule for them
            with suppress(ConnectorError):
                self._call("abort_multipart_upload", **upload)
            raise

    def check(self) -> None:
        """Refuse a store that would not notice that somebody else was faster."""
        probe = self._key(folders.temporary_name("probe"))
        self._call("put_object", Key=probe, Body=b"1")
        try:
            self._call("put_object", Key=probe, Body=b"2", IfMatch=f'"{"0" * 32}"')
        except ConnectorError as refused:
            if refused.code != "source_changed":
                raise
        else:
            raise ConnectorError(
                "store_unconditional",
                "This store knows no conditional writes (If-Match), so that two writers could undo each other's work; "
                "use one that does.",
                permanent=True,
            )
        finally:
            self._delete(probe.removeprefix(self._prefix))

    def _delete(self, name: str) -> None:
        """For good, also where the bucket keeps versions."""
        head = self._head_or_none(name)
        if head is not None:
            version = {"VersionId": head["VersionId"]} if head.get("VersionId") else {}
            self._call("delete_object", Key=self._key(name), of=name, **version)

    def _head(self, name: str) -> Mapping[str, Any]:
        head = self._head_or_none(name)
        if head is None:
            raise changed(name)
        return head

    def _head_or_none(self, name: str) -> Mapping[str, Any] | None:
        with reaching(name):
            try:
                head: Mapping[str, Any] = self._s3.call_s3("head_object", Bucket=self._bucket, Key=self._key(name))
            except OSError as error:
                if code_of(error) in {"404", "NoSuchKey"}:
                    return None
                raise
        return head

    def _call(self, method: str, *, of: str = "", **arguments: Any) -> Any:
        with reaching(of or self.location):
            return self._s3.call_s3(method, Bucket=self._bucket, **arguments)

    def _key(self, name: str) -> str:
        return self._prefix + name

    def _path(self, name: str) -> str:
        return f"{self._bucket}/{self._key(name)}"


def _checksum(digest: bytes) -> str:
    return base64.b64encode(digest).decode()


def split(location: str) -> tuple[str, str]:
    """Bucket and prefix of s3://bucket/prefix; the prefix ends in a slash or is empty. Raises ConnectorError."""
    bucket, _, prefix = location.removeprefix("s3://").partition("/")
    parts = [part for part in prefix.split("/") if part]
    if not location.startswith("s3://") or not bucket or {".", ".."} & set(parts):
        raise ConnectorError("invalid_location", "A place in an object store is s3://bucket/prefix.", permanent=True)
    return bucket, "/".join(parts) + "/" if parts else ""
