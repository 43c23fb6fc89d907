"""Which files are data in folders of JSON lines, CSV and shards, what lies beside them, and where they may be."""

import gzip
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from downstream.connectors import open_connector
from downstream.connectors.base import Connector, ConnectorError
from tests.conftest import AT
from tests.downstream.connectors.contract import ALICE, BOB, POSTS, remove
from tests.downstream.connectors.file_grounds import as_json, save, stream_of
from tests.downstream.engines.test_webdataset import shard
from tests.downstream.stores import a_bucket
from tests.downstream.stores.a_bucket import Bucket

LINES = "".join(f"{line}\n" for line in as_json(POSTS)).encode()
RECORDS = b"person,text\nm_alice,a\nm_bob,b\n"
SHARD = shard([("0.json", b'{"person": "m_alice"}'), ("1.json", b'{"person": "m_bob"}')])


def connector(folder: Path, kind: str, **options: Any) -> Connector:
    return open_connector(kind, str(folder), "person", options)


def put(folder: Path, **files: bytes) -> Path:
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return folder


def refused(folder: Path, kind: str, **options: Any) -> str:
    with pytest.raises(ConnectorError) as raised:
        connector(folder, kind, **options).describe()
    assert raised.value.permanent
    return raised.value.code


def cleaned(folder: Path, kind: str, **options: Any) -> list[str]:
    return [one.unit for one in remove(connector(folder, kind, **options), {ALICE})]


@pytest.mark.parametrize(
    ("kind", "content", "names"),
    [
        ("jsonl_folder", LINES, ["a.jsonl", "b.NDJSON", "d/c.jsonlines", "e.json"]),
        ("jsonl_folder", gzip.compress(LINES, mtime=0), ["a.jsonl.gz", "b.json.gz"]),
        ("csv_folder", RECORDS, ["a.csv", "d=1/b.CSV"]),
        ("csv_folder", RECORDS.replace(b",", b"\t"), ["a.tsv"]),
        ("webdataset", SHARD, ["shard-000000.tar"]),
        ("webdataset", gzip.compress(SHARD, mtime=0), ["a.tar.gz", "b.tgz"]),
    ],
)
def test_files_are_told_by_their_names(tmp_path: Path, kind: str, content: bytes, names: list[str]) -> None:
    put(tmp_path, **dict.fromkeys(names, content), **{"README.md": b"m_alice", "_SUCCESS": b""})
    assert connector(tmp_path, kind).describe().files == len(names)
    assert sorted(cleaned(tmp_path, kind)) == sorted(names)


@pytest.mark.parametrize("kind", ["jsonl_folder", "csv_folder", "webdataset"])
def test_a_folder_of_other_files_is_refused(tmp_path: Path, kind: str) -> None:
    put(tmp_path, **{"a.txt": b"x"})
    assert refused(tmp_path, kind).startswith("not_")


def test_other_names_can_be_told(tmp_path: Path) -> None:
    put(tmp_path, **{"part-00000": LINES, "b.txt": LINES, "c.jsonl": LINES})
    assert cleaned(tmp_path, "jsonl_folder", suffixes=["", ".TXT"]) == ["b.txt", "part-00000"]


@pytest.mark.parametrize("value", [".txt", [], [1]])
def test_names_that_cannot_be_are_refused(value: Any) -> None:
    with pytest.raises(ConnectorError, match="suffixes") as raised:
        connector(Path("/nowhere"), "csv_folder", suffixes=value)
    assert raised.value.code == "invalid_options"


@pytest.mark.parametrize("kind", ["jsonl_folder", "csv_folder", "webdataset", "hf_dataset"])
def test_an_option_of_another_kind_is_refused(kind: str) -> None:
    with pytest.raises(ConnectorError, match="colour") as raised:
        connector(Path("/nowhere"), kind, colour="red")
    assert raised.value.code == "invalid_options"


def test_a_description_beside_the_lines_is_no_data(tmp_path: Path) -> None:
    put(tmp_path, **{"a.jsonl": LINES, "metadata.json": b'{\n  "person": 1.5\n}\n', "x.json": b"[1]\n"})
    assert connector(tmp_path, "jsonl_folder").describe().files == 1


def test_a_damaged_file_does_not_keep_the_good_ones_from_being_found(tmp_path: Path) -> None:
    packed = gzip.compress(LINES, mtime=0)
    put(tmp_path, **{"a.jsonl.gz": packed, "b.jsonl.gz": packed[:-9], "c.jsonl.gz": packed})
    found = connector(tmp_path, "jsonl_folder").find({BOB})
    assert [next(found).unit, next(found).unit] == ["a.jsonl.gz", "c.jsonl.gz"]
    with pytest.raises(ConnectorError, match=r"b\.jsonl\.gz"):
        next(found)
    assert connector(tmp_path, "jsonl_folder").manifest().files == 3


@pytest.mark.parametrize(
    "beside",
    [{"shard-0.idx": b"v1.2"}, {"shard-0.tar.idx": b""}, {"index.json": b'{"__kind__": "wids-shard-index-v1"}'}],
)
def test_an_index_of_the_shards_is_refused(tmp_path: Path, beside: dict[str, bytes]) -> None:
    put(tmp_path, **{"shard-0.tar": SHARD}, **beside)
    assert refused(tmp_path, "webdataset") == "index_beside"


def test_an_index_of_something_else_is_not(tmp_path: Path) -> None:
    put(tmp_path, **{"shard-0.tar": SHARD, "other.idx": b"", "info.json": b"{}"})
    assert connector(tmp_path, "webdataset").describe().rows == 2


def test_lists_of_people_are_refused_wherever_they_stand(tmp_path: Path) -> None:
    put(tmp_path, **{"a.jsonl": b'{"person": "m_bob"}\n{"person": ["m_alice", "m_bob"]}\n'})
    assert refused(tmp_path, "jsonl_folder") == "list_of_keys"
    with pytest.raises(ConnectorError, match=r"a\.jsonl"):
        list(connector(tmp_path, "jsonl_folder").find({ALICE}))
    assert cleaned(tmp_path, "jsonl_folder", key_lists=True) == ["a.jsonl"]
    assert (tmp_path / "a.jsonl").read_bytes() == b'{"person": "m_bob"}\n'


@pytest.fixture(scope="module")
def bucket() -> Iterator[Bucket]:
    with a_bucket.server() as address:
        yield Bucket(address, "posts")


class TestInBuckets:
    @pytest.mark.parametrize(
        ("kind", "name", "content"),
        [
            ("jsonl_folder", "a.jsonl.gz", gzip.compress(LINES, mtime=0)),
            ("csv_folder", "a.tsv", RECORDS.replace(b",", b"\t")),
            ("webdataset", "a.tar", SHARD),
        ],
        ids=["lines", "records", "samples"],
    )
    def test_files_are_cleaned_there_too(self, bucket: Bucket, kind: str, name: str, content: bytes) -> None:
        bucket.put(f"{kind}/{name}", content)
        there = open_connector(kind, f"s3://posts/{kind}", "person", {"endpoint": bucket.endpoint})
        assert there.describe().files == 1
        assert [one.unit for one in remove(there, {ALICE})] == [name]
        assert there.verify({ALICE}).rows_found == 0
        assert [key for key in bucket.listed() if key.startswith(kind)] == [f"{kind}/{name}"]

    def test_what_lies_beside_saved_data_is_kept_true_there_too(self, bucket: Bucket, tmp_path: Path) -> None:
        split = {"name": "train", "num_bytes": 1, "num_examples": 5}
        put(tmp_path, **{"data-0.arrow": stream_of(POSTS), "cache-1.arrow": stream_of(POSTS)})
        save(tmp_path, ["data-0.arrow"], split="train", splits={"train": split})
        for path in tmp_path.iterdir():
            bucket.put(f"saved/{path.name}", path.read_bytes())
        there = open_connector("hf_dataset", "s3://posts/saved", "person", {"endpoint": bucket.endpoint})
        remove(there, {ALICE})
        there.purge(retention=None, at=AT)
        assert there.residue({ALICE}, retention=None, at=AT).found == ()
        names = ["data-0.arrow", "dataset_info.json", "state.json"]
        assert [key for key in bucket.listed() if key.startswith("saved")] == [f"saved/{name}" for name in names]
        assert b'"num_examples": 3' in bucket.get("saved/dataset_info.json")
        assert b"0123456789abcdef" not in bucket.get("saved/state.json")
        assert b"_heed_pending" not in bucket.get("saved/state.json")
