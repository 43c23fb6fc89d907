"""What goes wrong with an object store, as ConnectorErrors. They hold no text of the store's: it may quote names."""

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError, NoCredentialsError, PartialCredentialsError

from downstream.engines.errors import ConnectorError

_GONE = {"NoSuchKey", "NoSuchVersion", "404"}
_NO_BUCKET = {"NoSuchBucket", "InvalidBucketName"}
_CHANGED = {"PreconditionFailed", "ConditionalRequestConflict", "412"}
_FORBIDDEN = {
    "AccessDenied",
    "403",
    "ExpiredToken",
    "InvalidAccessKeyId",
    "InvalidToken",
    "SignatureDoesNotMatch",
    "AuthorizationHeaderMalformed",
    "MethodNotAllowed",
    "InvalidObjectState",
}
_BUSY = {"SlowDown", "RequestTimeout", "InternalError", "ServiceUnavailable", "OperationAborted", "Throttling"}
_SERVERS_FAULT = 500


@contextmanager
def reaching(name: str) -> Iterator[None]:
    """Turn whatever goes wrong between here and the store into a ConnectorError."""
    try:
        yield
    except (NoCredentialsError, PartialCredentialsError):
        raise ConnectorError(
            "store_forbidden",
            "The store wants credentials and there are none; set them in the worker's environment.",
            permanent=True,
        ) from None
    except BotoCoreError as error:
        raise _away(name, type(error).__name__) from None
    except OSError as error:
        raise _of(name, error) from None


def code_of(error: OSError) -> str:
    """The store's own code, such as NoSuchKey; the errno's where it is none of the store's."""
    cause = error.__cause__
    if isinstance(cause, ClientError):
        return str(cause.response.get("Error", {}).get("Code", ""))
    return "NoSuchKey" if isinstance(error, FileNotFoundError) else ""


def _of(name: str, error: OSError) -> ConnectorError:
    code = code_of(error)
    if error.errno == errno.ENOSPC:
        return ConnectorError(
            "disk_full", f"There is no room on this machine for a copy of {name}; free some space.", permanent=False
        )
    if code in _CHANGED:
        return ConnectorError(
            "source_changed", f"{name} was changed by somebody else meanwhile; it will be tried again.", permanent=False
        )
    if code in _GONE:
        return ConnectorError(
            "source_changed", f"{name} disappeared while it was read; it will be tried again.", permanent=False
        )
    if code in _NO_BUCKET:
        return ConnectorError(
            "dataset_missing", f"{name}: the bucket does not exist; correct the location.", permanent=True
        )
    if code in _FORBIDDEN or isinstance(error, PermissionError):
        return ConnectorError(
            "store_forbidden",
            f"The store refuses {name} ({code or 'no permission'}); renew the worker's credentials, and let them list, "
            "read and write there, and delete versions where the bucket keeps some.",
            permanent=True,
        )
    status = _status(error.__cause__)
    if code in _BUSY or status >= _SERVERS_FAULT or not code:
        return _away(name, code or type(error).__name__)
    return ConnectorError("store_refused", f"The store refused {name} ({code}).", permanent=True)


def _status(cause: Any) -> int:
    if not isinstance(cause, ClientError):
        return 0
    return int(cause.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))


def _away(name: str, why: str) -> ConnectorError:
    return ConnectorError(
        "store_away",
        f"The store does not answer as it should for {name} ({why}); it will be tried again.",
        permanent=False,
    )
