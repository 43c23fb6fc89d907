"""Every connector keeps the contract. Files without a suffix are Parquet by their content."""

import sys
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from downstream.connectors import KINDS, memory, open_connector
from downstream.connectors.base import ConnectorError
from tests.downstream.connectors.contract import ConnectorContract
from tests.downstream.connectors.grounds import (
    BucketGround,
    FolderGround,
    IndexedGround,
    MemoryGround,
)
from tests.downstream.stores import a_bucket


class TestParquetFolder(ConnectorContract):
    @pytest.fixture
    def ground(self, tmp_path: Path) -> FolderGround:
        return FolderGround(tmp_path / "posts")


class TestIndexedParquetFolder(ConnectorContract):
    @pytest.fixture
    def ground(self, tmp_path: Path) -> IndexedGround:
        return IndexedGround(tmp_path / "posts")


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    with a_bucket.server() as address:
        yield address


class TestParquetInABucket(ConnectorContract):
    @pytest.fixture
    def ground(self, endpoint: str) -> BucketGround:
        return BucketGround(endpoint, f"heed-{uuid.uuid4().hex}")


@pytest.mark.slow
class TestParquetOnSpark(ConnectorContract):
    @pytest.fixture
    def ground(self, tmp_path: Path) -> FolderGround:
        return FolderGround(tmp_path / "posts", engine="spark")


class TestParquetFolderOfSmallRowGroups(ConnectorContract):
    """Where most of a file is carried over, not written anew."""

    @pytest.fixture
    def ground(self, tmp_path: Path) -> FolderGround:
        return FolderGround(tmp_path / "posts", row_group_size=1)


class TestMemory(ConnectorContract):
    @pytest.fixture
    def ground(self) -> Iterator[MemoryGround]:
        yield MemoryGround("here")
        memory.PLACES.clear()


def test_an_unknown_kind_is_refused() -> None:
    with pytest.raises(ConnectorError, match="parquet_folder") as refused:
        open_connector("punch_cards", "/nowhere", "person", {})
    assert (refused.value.code, refused.value.permanent) == ("unknown_kind", True)


def test_a_dataset_in_memory_cannot_be_registered() -> None:
    assert "memory" not in KINDS


@pytest.mark.parametrize(
    ("kind", "library", "extra"),
    [("lance_table", "lance", "lance"), ("pgvector_table", "sqlalchemy", "sql"), ("sql_table", "sqlalchemy", "sql")],
)
def test_a_kind_whose_packages_are_not_installed_says_which(
    monkeypatch: pytest.MonkeyPatch, kind: str, library: str, extra: str
) -> None:
    for module in [name for name in sys.modules if name.startswith(("downstream.connectors.sql_", KINDS[kind]))]:
        monkeypatch.delitem(sys.modules, module)
    for module in [name for name in sys.modules if name.startswith("downstream.connectors.lance_")]:
        monkeypatch.delitem(sys.modules, module)
    monkeypatch.setitem(sys.modules, library, None)
    with pytest.raises(ConnectorError) as refused:
        open_connector(kind, "/nowhere", "person", {})
    assert (refused.value.code, refused.value.permanent) == ("extra_missing", True)
    assert f"pip install 'heed[{extra}]'" in refused.value.message


@pytest.mark.parametrize("kind", ["memory", "parquet_folder", "lance_table", "delta_table", "iceberg_table"])
def test_an_unknown_option_is_refused(kind: str) -> None:
    with pytest.raises(ConnectorError) as refused:
        open_connector(kind, "/nowhere", "person", {"colour": "red"})
    assert refused.value.code == "invalid_options"


@pytest.mark.parametrize(
    ("options", "code"),
    [
        ({"engine": "steam"}, "unknown_engine"),
        ({"memory_mb": 1}, "invalid_options"),
        ({"threads": "2"}, "invalid_options"),
    ],
)
def test_an_engine_that_cannot_be_is_refused(options: dict[str, object], code: str) -> None:
    with pytest.raises(ConnectorError) as refused:
        open_connector("parquet_folder", "/nowhere", "person", options)
    assert refused.value.code == code
