"""Objects in a bucket: a real S3 protocol, a conditional put, and what versioning keeps."""

import base64
import hashlib
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from downstream import stores
from downstream.connectors import open_connector
from downstream.engines.errors import ConnectorError
from downstream.stores.base import Store
from downstream.stores.objects import ObjectStore, split
from tests.downstream.stores import a_bucket
from tests.downstream.stores.a_bucket import Bucket

WEEK = timedelta(days=7)


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    with a_bucket.server() as address:
        yield address


@pytest.fixture
def bucket(endpoint: str) -> Bucket:
    return Bucket(endpoint, f"heed-{uuid.uuid4().hex}")


@pytest.fixture
def store(bucket: Bucket) -> Store:
    return stores.open_store(f"s3://{bucket.name}/posts", {"endpoint": bucket.endpoint})


def now() -> datetime:
    """By the clock that the bucket goes by, when it is asked: tests may begin long after they were read."""
    return datetime.now(UTC)


def unfenced() -> None:
    """The lease is held."""


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def put(store: Store, name: str, content: bytes, *, fingerprint: str, fence: Any = unfenced) -> str:
    draft = store.draft(name, token="run-1")
    draft.write_bytes(content)
    remembered = store.settle(draft, like=name)
    try:
        store.replace(name, by=remembered, fingerprint=fingerprint, digest=sha256(content), fence=fence)
    finally:
        store.discard(remembered)
    return remembered


def test_walking_names_everything_under_the_prefix_and_nothing_else(bucket: Bucket, store: Store) -> None:
    for key in ("posts/b/2.parquet", "posts/a.parquet", "posts/empty/", "posts2/c.parquet", "other"):
        bucket.put(key, b"x" * 3)
    assert [(one.name, one.size) for one in store.walk()] == [("a.parquet", 3), ("b/2.parquet", 3)]


def test_more_than_one_page_of_names_is_walked(
    bucket: Bucket, store: ObjectStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(5):
        bucket.put(f"posts/{number}", b"x")
    call = store._call

    def in_small_pages(method: str, **arguments: Any) -> Any:
        return call(method, **arguments, **({"MaxKeys": 2} if method == "list_objects_v2" else {}))

    monkeypatch.setattr(store, "_call", in_small_pages)
    assert [one.name for one in store.walk()] == ["0", "1", "2", "3", "4"]


def test_a_file_at_hand_is_a_copy_that_goes_again(bucket: Bucket, store: Store) -> None:
    bucket.put("posts/a", b"content")
    with store.at_hand(["a"]) as (file,):
        assert Path(file.path).read_bytes() == b"content"
    assert not Path(file.path).exists()


def test_copies_lie_where_the_next_process_finds_them_when_this_one_is_killed(bucket: Bucket, store: Store) -> None:
    bucket.put("posts/a", b"content")
    with store.at_hand(["a"]) as (file,):
        places = [*Path(file.path).parents, *store.draft("a", token="run-1").parents]
    own = {place for place in places if place.name.startswith("heed-scratch-")}
    assert [(place / "lock").exists() for place in own] == [True]


def test_replacing_keeps_how_the_object_is_served(bucket: Bucket, store: Store) -> None:
    bucket.put(
        "posts/a", b"old", ContentType="application/x-parquet", CacheControl="no-cache", Metadata={"by": "them"},
        Tagging="team=search%3A%20more",
    )  # fmt: skip
    put(store, "a", b"new", fingerprint=store.fingerprint("a"))
    head = bucket.call("head_object", Key="posts/a")
    assert bucket.get("posts/a") == b"new"
    assert (head["ContentType"], head["CacheControl"]) == ("application/x-parquet", "no-cache")
    assert head["Metadata"] == {"by": "them", "heed-sha256": sha256(b"new")}
    tags = bucket.call("get_object_tagging", Key="posts/a")["TagSet"]
    assert tags == [{"Key": "team", "Value": "search: more"}]
    assert store.digest("a") == sha256(b"new")


def test_an_object_that_somebody_replaced_is_left_alone(bucket: Bucket, store: Store) -> None:
    bucket.put("posts/a", b"old")
    found = store.fingerprint("a")
    bucket.put("posts/a", b"theirs")
    with pytest.raises(ConnectorError) as refused:
        put(store, "a", b"new", fingerprint=found)
    assert (refused.value.code, refused.value.permanent) == ("source_changed", False)
    assert bucket.get("posts/a") == b"theirs"


def test_an_object_that_is_replaced_in_the_last_moment_is_left_alone(
    bucket: Bucket, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between our look and the put: the store itself refuses."""
    bucket.put("posts/a", b"old")
    found = store.fingerprint("a")
    monkeypatch.setattr("downstream.stores.objects.reach", lambda point: bucket.put("posts/a", b"theirs"))
    with pytest.raises(ConnectorError) as refused:
        put(store, "a", b"new", fingerprint=found)
    assert (refused.value.code, refused.value.permanent) == ("source_changed", False)
    assert bucket.get("posts/a") == b"theirs"


def test_a_lost_lease_puts_nothing(bucket: Bucket, store: Store) -> None:
    def lost() -> None:
        raise ConnectorError("fence_lost", "Another worker took over.", permanent=False)

    bucket.put("posts/a", b"old")
    with pytest.raises(ConnectorError):
        put(store, "a", b"new", fingerprint=store.fingerprint("a"), fence=lost)
    assert bucket.get("posts/a") == b"old"


def test_a_draft_that_was_swept_cannot_be_put(bucket: Bucket, store: Store) -> None:
    bucket.put("posts/a", b"old")
    draft = store.draft("a", token="run-1")
    remembered = store.settle(draft, like="a")
    store.sweep()
    with pytest.raises(ConnectorError) as refused:
        store.replace("a", by=remembered, fingerprint=store.fingerprint("a"), digest=sha256(b""), fence=unfenced)
    assert refused.value.code == "fence_lost"
    assert bucket.get("posts/a") == b"old"


def test_an_upload_that_breaks_off_leaves_the_object(
    bucket: Bucket, store: ObjectStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("downstream.stores.objects._LARGEST_PUT", 1)
    monkeypatch.setattr("downstream.stores.objects._PART", 5 << 20)
    bucket.put("posts/a", b"old")
    call = store._call

    def breaking(method: str, **arguments: Any) -> Any:
        if method == "upload_part" and arguments["PartNumber"] == 2:
            raise ConnectorError("store_away", "The store does not answer.", permanent=False)
        return call(method, **arguments)

    monkeypatch.setattr(store, "_call", breaking)
    with pytest.raises(ConnectorError) as refused:
        put(store, "a", b"n" * (11 << 20), fingerprint=store.fingerprint("a"))
    assert refused.value.code == "store_away"
    assert bucket.get("posts/a") == b"old"
    assert not bucket.call("list_multipart_uploads").get("Uploads")


def test_a_large_object_is_put_in_parts(bucket: Bucket, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("downstream.stores.objects._LARGEST_PUT", 1)
    monkeypatch.setattr("downstream.stores.objects._PART", 5 << 20)
    bucket.put("posts/a", b"old", ContentType="text/x")
    put(store, "a", b"n" * (11 << 20), fingerprint=store.fingerprint("a"))
    assert bucket.get("posts/a") == b"n" * (11 << 20)
    assert bucket.call("head_object", Key="posts/a")["ContentType"] == "text/x"


@pytest.mark.parametrize(("times", "left"), [(2, b"new" * 100_000), (4, b"old")])
def test_a_store_that_asks_to_slow_down_is_never_given_an_empty_object(bucket: Bucket, times: int, left: bytes) -> None:
    bucket.put("posts/a", b"old")
    with a_bucket.throttled(bucket.endpoint, times=times) as busy:
        slow = stores.open_store(f"s3://{bucket.name}/posts", {"endpoint": busy})
        found = slow.fingerprint("a")
        if left == b"old":
            with pytest.raises(ConnectorError) as told:
                put(slow, "a", b"new" * 100_000, fingerprint=found)
            assert (told.value.code, told.value.permanent) == ("store_away", False)
        else:
            put(slow, "a", left, fingerprint=found)
    assert bucket.get("posts/a") == left


def test_what_is_sent_is_checked_against_the_digest_that_was_verified(
    bucket: Bucket, store: ObjectStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    bucket.put("posts/a", b"old")
    sent: list[dict[str, Any]] = []
    call = store._call

    def noting(method: str, **arguments: Any) -> Any:
        sent.append({"method": method, **arguments})
        return call(method, **arguments)

    monkeypatch.setattr(store, "_call", noting)
    put(store, "a", b"new", fingerprint=store.fingerprint("a"))
    (told,) = [one for one in sent if one["method"] == "put_object"]
    assert told["ContentLength"] == 3
    assert base64.b64decode(told["ChecksumSHA256"]).hex() == sha256(b"new")


def test_a_store_that_ignores_conditions_is_refused(
    bucket: Bucket, store: ObjectStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.check()
    call = store._call

    def ignoring(method: str, **arguments: Any) -> Any:
        arguments.pop("IfMatch", None)
        return call(method, **arguments)

    monkeypatch.setattr(store, "_call", ignoring)
    with pytest.raises(ConnectorError) as refused:
        store.check()
    assert (refused.value.code, refused.value.permanent) == ("store_unconditional", True)
    assert bucket.listed() == []


def test_a_draft_of_another_process_is_put_all_the_same(bucket: Bucket, store: Store) -> None:
    bucket.put("posts/a", b"old")
    draft = store.draft("a", token="run-1")
    draft.write_bytes(b"new")
    remembered, other = store.settle(draft, like="a"), stores.open_store(store.location, {"endpoint": bucket.endpoint})
    other.replace("a", by=remembered, fingerprint=other.fingerprint("a"), digest=sha256(b"new"), fence=unfenced)
    assert bucket.get("posts/a") == b"new"


def test_what_is_not_there_has_no_size_and_no_fingerprint(bucket: Bucket, store: Store) -> None:
    assert store.size("a") is None
    with pytest.raises(ConnectorError) as refused:
        store.fingerprint("a")
    assert refused.value.code == "source_changed"


def test_sweeping_throws_drafts_away_for_good(bucket: Bucket, store: Store) -> None:
    bucket.keep_versions()
    bucket.put("posts/a", b"old")
    draft = store.draft("a", token="run-1")
    draft.write_bytes(b"new")
    remembered = store.settle(draft, like="a")
    assert [one.name for one in store.walk()] == ["a"]
    assert store.sweep() == [remembered]
    assert bucket.versions() == [("posts/a", True)]


@pytest.mark.parametrize("location", ["s3://", "s3:///x", "s3://bucket/../other"])
def test_a_place_that_is_none_is_refused(location: str) -> None:
    with pytest.raises(ConnectorError) as refused:
        split(location)
    assert refused.value.code == "invalid_location"


def test_one_place_has_one_name() -> None:
    assert stores.resolve("s3://bucket//a/b") == stores.resolve("s3://bucket/a/b/") == "s3://bucket/a/b/"
    assert stores.resolve("/srv/data") is None


def test_a_scheme_that_nobody_knows_is_refused() -> None:
    with pytest.raises(ConnectorError, match="s3://") as refused:
        stores.open_store("ftp://host/x", {})
    assert (refused.value.code, refused.value.permanent) == ("unknown_store", True)


def test_a_bucket_that_is_not_there_is_told(endpoint: str) -> None:
    with pytest.raises(ConnectorError) as refused:
        stores.open_store("s3://heed-nowhere/x", {"endpoint": endpoint}).walk()
    assert (refused.value.code, refused.value.permanent) == ("dataset_missing", True)


def test_a_store_that_does_not_answer_is_tried_again() -> None:
    with pytest.raises(ConnectorError) as refused:
        ObjectStore("s3://bucket/x", {"endpoint": "http://127.0.0.1:9"}).walk()
    assert (refused.value.code, refused.value.permanent) == ("store_away", False)


class TestVersions:
    """A bucket that keeps earlier versions."""

    @pytest.fixture
    def versioned(self, bucket: Bucket, store: Store) -> Store:
        bucket.keep_versions()
        bucket.put("posts/a", b"old")
        bucket.put("posts/b", b"other")
        put(store, "a", b"new", fingerprint=store.fingerprint("a"))
        return store

    def test_the_earlier_one_is_kept_until_somebody_decides(self, bucket: Bucket, versioned: Store) -> None:
        versioned.purge(retention=None, at=now() + WEEK)
        kept = versioned.kept(retention=None, at=now() + WEEK)
        assert (kept.names, kept.until) == (("a",), None)

    def test_versions_that_were_made_after_the_rows_were_gone_do_not_count(
        self, bucket: Bucket, versioned: Store
    ) -> None:
        bucket.put("posts/b", b"another")
        told = [
            versioned.kept(retention=WEEK, at=now(), removed_at=at).names for at in (now(), now() - timedelta(hours=1))
        ]
        assert told == [("a", "b"), ()]

    def test_a_decided_retention_says_until_when(self, versioned: Store) -> None:
        versioned.purge(retention=WEEK, at=now())
        kept = versioned.kept(retention=WEEK, at=now())
        assert kept.until is not None
        assert now() + WEEK - timedelta(minutes=5) < kept.until < now() + WEEK + timedelta(minutes=5)

    def test_past_the_decided_retention_it_is_deleted_for_good(self, bucket: Bucket, versioned: Store) -> None:
        versioned.purge(retention=timedelta(0), at=now() + timedelta(minutes=5))
        assert versioned.kept(retention=timedelta(0), at=now() + timedelta(minutes=5)).names == ()
        assert sorted(bucket.versions()) == [("posts/a", True), ("posts/b", True)]
        assert bucket.get("posts/a") == b"new"

    def test_a_deleted_objects_versions_go_and_it_stays_deleted(self, bucket: Bucket, versioned: Store) -> None:
        bucket.delete("posts/b")
        assert versioned.kept(retention=None, at=now()).names == ("a", "b")
        versioned.purge(retention=timedelta(0), at=now() + timedelta(minutes=5))
        assert bucket.versions() == [("posts/a", True)]
        assert bucket.listed() == ["posts/a"]

    def test_a_rule_of_the_bucket_says_until_when(self, bucket: Bucket, versioned: Store) -> None:
        rule = {"ID": "x", "Status": "Enabled", "Filter": {"Prefix": "posts/"}}
        rules = {"Rules": [{**rule, "NoncurrentVersionExpiration": {"NoncurrentDays": 3}}]}
        bucket.call("put_bucket_lifecycle_configuration", LifecycleConfiguration=rules)
        kept = versioned.kept(retention=None, at=now())
        assert kept.until is not None
        assert abs(kept.until - (now() + timedelta(days=3))) < timedelta(minutes=5)

    def test_a_legal_hold_on_an_earlier_version_keeps_it(self, endpoint: str) -> None:
        bucket = Bucket(endpoint, f"heed-{uuid.uuid4().hex}", ObjectLockEnabledForBucket=True)
        locking = stores.open_store(f"s3://{bucket.name}/posts", {"endpoint": endpoint})
        bucket.call(
            "put_object_lock_configuration",
            ObjectLockConfiguration={
                "ObjectLockEnabled": "Enabled",
                "Rule": {"DefaultRetention": {"Mode": "GOVERNANCE", "Days": 1}},
            },
        )
        old = bucket.put("posts/a", b"old")
        bucket.call("put_object_legal_hold", Key="posts/a", VersionId=old["VersionId"], LegalHold={"Status": "ON"})
        bucket.put("posts/a", b"new")
        locking.purge(retention=timedelta(0), at=now() + WEEK)
        kept = locking.kept(retention=timedelta(0), at=now() + WEEK)
        assert (kept.names, kept.until) == (("a",), None)


def test_an_empty_object_has_neither_head_nor_tail(bucket: Bucket, store: Store) -> None:
    bucket.put("posts/_SUCCESS", b"")
    bucket.put("posts/a", b"abc")
    assert store.head_and_tail("_SUCCESS", 4) == (b"", b"")
    assert store.head_and_tail("a", 2) == (b"ab", b"bc")


def test_an_empty_marker_beside_the_data_is_not_asked_for(
    bucket: Bucket, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pq.write_table(pa.table({"person": ["m_bob"]}), tmp_path / "a")
    bucket.put("posts/_SUCCESS", b"")
    bucket.put("posts/a", (tmp_path / "a").read_bytes())
    asked: list[str] = []
    ask = ObjectStore.head_and_tail

    def asking(store: ObjectStore, name: str, count: int) -> tuple[bytes, bytes]:
        asked.append(name)
        return ask(store, name, count)

    monkeypatch.setattr(ObjectStore, "head_and_tail", asking)
    there = open_connector("parquet_folder", f"s3://{bucket.name}/posts", "person", {"endpoint": bucket.endpoint})
    assert there.manifest().files == 1
    assert set(asked) == {"a"}


def test_a_connector_of_files_knows_where_its_store_is(bucket: Bucket) -> None:
    with pytest.raises(ConnectorError) as refused:
        open_connector("parquet_folder", f"s3://{bucket.name}/x", "person", {"endpoint": bucket.endpoint}).describe()
    assert refused.value.code == "dataset_empty"
