"""Folders of JSON lines, CSV, WebDataset shards and saved Hugging Face datasets keep the contract."""

from pathlib import Path

import pytest

from tests.downstream.connectors.contract import ConnectorContract
from tests.downstream.connectors.file_grounds import (
    CsvGround,
    GzipLinesGround,
    JsonLinesGround,
    PackedShardGround,
    SavedGround,
    ShardGround,
    ZstdLinesGround,
)


class TestJsonLines(ConnectorContract):
    @pytest.fixture
    def ground(self, tmp_path: Path) -> JsonLinesGround:
        return JsonLinesGround(tmp_path / "posts")


class TestGzipLines(ConnectorContract):
    @pytest.fixture
    def ground(self, tmp_path: Path) -> GzipLinesGround:
        return GzipLinesGround(tmp_path / "posts")


class TestZstdLines(ConnectorContract):
    @pytest.fixture
    def ground(self, tmp_path: Path) -> ZstdLinesGround:
        return ZstdLinesGround(tmp_path / "posts")


class TestCsv(ConnectorContract):
    @pytest.fixture
    def ground(self, tmp_path: Path) -> CsvGround:
        return CsvGround(tmp_path / "posts")


class TestShards(ConnectorContract):
    @pytest.fixture
    def ground(self, tmp_path: Path) -> ShardGround:
        return ShardGround(tmp_path / "posts")


class TestPackedShards(ConnectorContract):
    @pytest.fixture
    def ground(self, tmp_path: Path) -> PackedShardGround:
        return PackedShardGround(tmp_path / "posts")


class TestSavedDataset(ConnectorContract):
    @pytest.fixture
    def ground(self, tmp_path: Path) -> SavedGround:
        return SavedGround(tmp_path / "posts")
