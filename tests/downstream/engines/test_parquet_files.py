"""What is refused by a look at the file, with a message that says what and where."""

import base64
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyarrow.parquet import encryption

from downstream.engines.base import DataFile
from downstream.engines.errors import ConnectorError
from tests.downstream.engines.making import ENGINE, PERSONS, write


def refused(file: DataFile, key_column: str = "person") -> ConnectorError:
    with pytest.raises(ConnectorError) as raised:
        ENGINE.inspect(file, key_column=key_column)
    return raised.value


def holding(tmp_path: Path, content: bytes) -> DataFile:
    path = tmp_path / "a.parquet"
    path.write_bytes(content)
    return DataFile("a.parquet", str(path))


def test_a_good_file_tells_its_shape(tmp_path: Path) -> None:
    shape = ENGINE.inspect(write(tmp_path / "a.parquet", pa.table({"person": PERSONS})), key_column="person")
    assert (shape.rows, shape.key_family, shape.schema) == (6, "text", "person: string")


def test_equal_files_have_equal_tokens_and_others_do_not(tmp_path: Path) -> None:
    tables = [pa.table({"person": PERSONS}), pa.table({"person": PERSONS}), pa.table({"person": PERSONS[::-1]})]
    files = [write(tmp_path / f"{index}.parquet", table) for index, table in enumerate(tables)]
    tokens = [ENGINE.inspect(file, key_column="person").token for file in files]
    assert tokens[0] == tokens[1] != tokens[2]


@pytest.mark.parametrize(
    ("content", "code", "permanent"),
    [
        (b"", "not_parquet", True),
        (b"person,text\nm_alice,hello\n", "not_parquet", True),
        (b"PAR1", "dataset_unreadable", False),
        (b"PAR1" + b"x" * 100, "dataset_unreadable", False),
        (b"PAR1" + b"\xff\xff\xff\x7fPAR1", "dataset_unreadable", False),
        (b"PAR1" + b"x" * 20 + b"\x10\0\0\0PAR1", "dataset_unreadable", True),
        (b"PARE" + b"x" * 20 + b"\x10\0\0\0PARE", "encrypted", True),
    ],
)
def test_what_is_no_whole_parquet_file_is_refused(tmp_path: Path, content: bytes, code: str, permanent: bool) -> None:
    error = refused(holding(tmp_path, content))
    assert (error.code, error.permanent) == (code, permanent)
    assert "a.parquet" in error.message
    assert "m_alice" not in error.message


def test_a_file_that_is_gone_is_told(tmp_path: Path) -> None:
    error = refused(DataFile("a.parquet", str(tmp_path / "a.parquet")))
    assert (error.code, error.permanent) == ("source_changed", False)


def test_a_missing_key_column_is_refused_with_those_there_are(tmp_path: Path) -> None:
    error = refused(write(tmp_path / "a.parquet", pa.table({"person": PERSONS, "text": PERSONS})), "author")
    assert error.code == "key_column_missing"
    assert "person, text" in error.message


def test_key_columns_that_differ_by_case_only_are_refused(tmp_path: Path) -> None:
    error = refused(write(tmp_path / "a.parquet", pa.table({"person": PERSONS, "Person": PERSONS})))
    assert (error.code, error.permanent) == ("key_column_ambiguous", True)


@pytest.mark.parametrize(
    "column",
    [
        pa.array([1.0] * 6),
        pa.array([b"m_alice"] * 6),
        pa.array([["m_alice"]] * 6),
        pa.array([{"id": "m_alice"}] * 6),
        pa.array([True] * 6),
        pa.array([1] * 6, pa.int16()),
        pa.array([b"abc"] * 6, pa.binary(3)),
        pa.nulls(6),
        pa.array([1] * 6).dictionary_encode().cast(pa.dictionary(pa.int32(), pa.float64())),
    ],
)
def test_a_key_column_that_cannot_be_compared_is_refused(tmp_path: Path, column: "pa.Array[Any]") -> None:
    error = refused(write(tmp_path / "a.parquet", pa.table({"person": column})))
    assert (error.code, error.permanent) == ("key_column_unsupported", True)
    assert "person" in error.message


class Kms(encryption.KmsClient):
    """Hides nothing: the files need only be encrypted in form."""

    def __init__(self, config: object) -> None:
        super().__init__()

    def wrap_key(self, key_bytes: bytes, master_key_identifier: str) -> bytes:
        return base64.b64encode(key_bytes)

    def unwrap_key(self, wrapped_key: bytes, master_key_identifier: str) -> bytes:
        return base64.b64decode(wrapped_key)


@pytest.mark.parametrize("plaintext_footer", [False, True])
def test_an_encrypted_file_is_refused_and_does_not_end_the_process(tmp_path: Path, plaintext_footer: bool) -> None:
    how = encryption.EncryptionConfiguration(
        footer_key="footer", column_keys={"column": ["text"]}, plaintext_footer=plaintext_footer
    )
    properties = encryption.CryptoFactory(Kms).file_encryption_properties(encryption.KmsConnectionConfig(), how)
    table = pa.table({"person": PERSONS, "text": PERSONS})
    path = tmp_path / "a.parquet"
    with pq.ParquetWriter(path, table.schema, encryption_properties=properties) as writer:
        writer.write_table(table)
    error = refused(DataFile("a.parquet", str(path)))
    assert (error.code, error.permanent) == ("encrypted", True)
