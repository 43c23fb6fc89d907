"""Every connector keeps the contract. Files without a suffix are Parquet by their content."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from downstream.connectors import KINDS, memory, open_connector
from downstream.connectors.base import ConnectorError
from tests.downstream.connectors.contract import ConnectorContract
from tests.downstream.connectors.grounds import FolderGround, MemoryGround


class TestParquetFolder(ConnectorContract):
    @pytest.fixture
    def ground(self, tmp_path: Path) -> FolderGround:
        return FolderGround(tmp_path / "posts")


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


@pytest.mark.parametrize("kind", ["memory", "parquet_folder"])
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
