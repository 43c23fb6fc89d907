"""The one error of everything that touches datasets, and how foreign errors become it.

Messages say what was wrong, in which file, and what to do. They hold no key and no text of a foreign error,
because those may quote people's data and messages reach logs and staff pages.
"""

import errno
from collections.abc import Iterator
from contextlib import contextmanager

import duckdb
import pyarrow as pa

from portal.errors import DomainError


class ConnectorError(DomainError):
    """A dataset cannot be reached, read or rewritten as asked.

    `permanent` means that trying again by itself cannot help: a person has to act.
    """

    def __init__(self, code: str, message: str, *, permanent: bool) -> None:
        super().__init__(code, message)
        self.permanent = permanent


_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_FORBIDDEN = {errno.EACCES, errno.EPERM, errno.EROFS}
_GONE = {errno.ENOENT, errno.ENOTDIR, errno.ESTALE}


def changed(name: str) -> ConnectorError:
    """`source_changed`: what was found is no longer what is there."""
    return ConnectorError(
        "source_changed", f"{name} was changed by somebody else meanwhile; it will be tried again.", permanent=False
    )


def swept(name: str) -> ConnectorError:
    """`fence_lost`, for a holder that lost its lease and comes back."""
    return ConnectorError(
        "fence_lost", f"Another worker took over and swept the new version of {name}.", permanent=False
    )


@contextmanager
def reading(name: str) -> Iterator[None]:
    """Turn whatever goes wrong while `name` is read into a ConnectorError."""
    try:
        yield
    except (OSError, MemoryError, pa.ArrowException, duckdb.Error) as error:
        raise _of_reading(name, error) from None


@contextmanager
def writing(name: str) -> Iterator[None]:
    """Turn whatever goes wrong while the new version of `name` is written into a ConnectorError."""
    try:
        yield
    except (OSError, MemoryError, pa.ArrowException) as error:
        raise _of_writing(name, error) from None


def _of_reading(name: str, error: Exception) -> ConnectorError:
    number = getattr(error, "errno", None)
    if isinstance(error, MemoryError | duckdb.OutOfMemoryException):
        return _out_of_memory(name)
    if number in _GONE:
        return ConnectorError(
            "source_changed", f"{name} disappeared while it was read; it will be tried again.", permanent=False
        )
    if number in _FORBIDDEN:
        return ConnectorError("dataset_unreadable", f"{name} may not be read; let Heed's user read it.", permanent=True)
    if number is not None:
        return ConnectorError(
            "dataset_unreadable", f"{name} cannot be read now ({errno.errorcode.get(number, number)}).", permanent=False
        )
    if isinstance(error, duckdb.BinderException | duckdb.NotSupportedError | pa.ArrowNotImplementedError):
        return ConnectorError(
            "unsupported_schema",
            f"{name} has columns of a name or type that cannot be handled ({type(error).__name__}); "
            "have its owner rewrite it with others.",
            permanent=True,
        )
    return ConnectorError(
        "dataset_unreadable",
        f"{name} cannot be read ({type(error).__name__}): it is damaged or of an unknown kind; restore or remove it.",
        permanent=not isinstance(error, duckdb.OperationalError),
    )


def _of_writing(name: str, error: Exception) -> ConnectorError:
    number = getattr(error, "errno", None)
    if isinstance(error, MemoryError):
        return _out_of_memory(name)
    if number in _FULL:
        return ConnectorError(
            "disk_full",
            f"There is no room for the new version of {name} beside the old one; free some space.",
            permanent=False,
        )
    if number in _FORBIDDEN:
        return ConnectorError(
            "not_writable", f"Heed's user may not write in the folder of {name}; allow it.", permanent=True
        )
    reason = errno.errorcode.get(number, str(number)) if number is not None else type(error).__name__
    return ConnectorError(
        "write_failed", f"The new version of {name} could not be written ({reason}).", permanent=number is None
    )


def _out_of_memory(name: str) -> ConnectorError:
    return ConnectorError(
        "out_of_memory", f"{name} needs more memory than the worker may use; give it more.", permanent=False
    )
