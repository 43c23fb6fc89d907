"""Foreign errors become ours: told by what a person can do about them, and without their text."""

import errno

import duckdb
import pyarrow as pa
import pytest

from downstream.engines.errors import ConnectorError, reading, writing

SECRET = "m_alice"


@pytest.mark.parametrize(
    ("error", "code", "permanent"),
    [
        (FileNotFoundError(errno.ENOENT, SECRET), "source_changed", False),
        (OSError(errno.ESTALE, SECRET), "source_changed", False),
        (PermissionError(errno.EACCES, SECRET), "dataset_unreadable", True),
        (OSError(errno.EIO, SECRET), "dataset_unreadable", False),
        (OSError(SECRET), "dataset_unreadable", True),
        (pa.ArrowInvalid(SECRET), "dataset_unreadable", True),
        (pa.ArrowNotImplementedError(SECRET), "unsupported_schema", True),
        (pa.ArrowMemoryError(SECRET), "out_of_memory", False),
        (duckdb.InvalidInputException(SECRET), "dataset_unreadable", True),
        (duckdb.BinderException(SECRET), "unsupported_schema", True),
        (duckdb.IOException(SECRET), "dataset_unreadable", False),
        (duckdb.OutOfMemoryException(SECRET), "out_of_memory", False),
        (MemoryError(), "out_of_memory", False),
    ],
)
def test_reading(error: Exception, code: str, permanent: bool) -> None:
    with pytest.raises(ConnectorError, match=r"^a\.parquet ") as raised, reading("a.parquet"):
        raise error
    assert (raised.value.code, raised.value.permanent) == (code, permanent)
    assert SECRET not in raised.value.message
    assert raised.value.__suppress_context__


@pytest.mark.parametrize(
    ("error", "code", "permanent"),
    [
        (OSError(errno.ENOSPC, SECRET), "disk_full", False),
        (OSError(errno.EDQUOT, SECRET), "disk_full", False),
        (OSError(errno.EFBIG, SECRET), "disk_full", False),
        (OSError(errno.EROFS, SECRET), "not_writable", True),
        (PermissionError(errno.EACCES, SECRET), "not_writable", True),
        (OSError(errno.EIO, SECRET), "write_failed", False),
        (pa.ArrowInvalid(SECRET), "write_failed", True),
        (MemoryError(), "out_of_memory", False),
    ],
)
def test_writing(error: Exception, code: str, permanent: bool) -> None:
    with pytest.raises(ConnectorError, match=r"a\.parquet") as raised, writing("a.parquet"):
        raise error
    assert (raised.value.code, raised.value.permanent) == (code, permanent)
    assert SECRET not in raised.value.message


def test_ours_passes_as_it_is() -> None:
    ours = ConnectorError("encrypted", "It is.", permanent=True)
    with pytest.raises(ConnectorError) as raised, reading("a.parquet"), writing("a.parquet"):
        raise ours
    assert raised.value is ours
