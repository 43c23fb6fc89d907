"""Opening an Apache Iceberg table by its catalog, and turning the library's errors into Heed's.

What a catalog needs is in the dataset's options, which staff see; so whatever is secret is named there only by the
environment variable that holds it.
"""

import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from downstream.connectors import secret_variables
from downstream.connectors.base import ConnectorError

OPTIONS = {"catalog", "catalog_environment"}
_SECRET = re.compile(r"password|passwd|secret|token|credential|access-key", re.IGNORECASE)
_PASSWORD_IN_ADDRESS = re.compile(r"://[^/@:]*:[^/@]+@")
_LOCAL = "file://"
_POSTGRES_PORT = 5432


def open_table(location: str, options: Mapping[str, Any]) -> Any:
    """The table as it is now; `location` is its identifier, or what `resolve` made of it. Raises ConnectorError."""
    identifier = location.rpartition("#")[2]
    if "." not in identifier:
        raise ConnectorError(
            "invalid_location", "An Iceberg table is named with its namespace, as in social.posts.", permanent=True
        )
    with catalog_errors(identifier):
        return _catalog(options).load_table(identifier)


def resolve(location: str, options: Mapping[str, Any]) -> str:
    """Catalog and identifier: a table of the same name in another catalog is another table. Raises ConnectorError."""
    properties = _properties(options)
    url = _url(properties["uri"])
    # neither who signs in nor with what
    is_usual = url.port == _POSTGRES_PORT and url.get_backend_name() == "postgresql"
    host = f"{(url.host or '').lower()}{f':{url.port}' if url.port and not is_usual else ''}"
    address = f"{url.get_backend_name()}://{host}/{url.database or ''}"
    return f"{address}/{properties.get('name', 'default')}#{location.rpartition('#')[2]}"


def root(table: Any) -> Path:
    """The folder of the table's files. Raises ConnectorError where it is not on a file system here."""
    return path_of(table.location())


def path_of(uri: str) -> Path:
    """A file's path. Raises ConnectorError for another kind of address."""
    # Java's library writes one slash
    path = uri.removeprefix("file:") if uri.startswith("file:/") and not uri.startswith(_LOCAL) else uri
    path = path.removeprefix(_LOCAL)
    if not path.startswith("/"):
        raise ConnectorError(
            "unsupported_location",
            "The table's files are not on a file system that is mounted here; mount it, or have its owner remove rows.",
            permanent=True,
        )
    return Path(path)


@contextmanager
def catalog_errors(name: str) -> Iterator[None]:
    """Whatever goes wrong with the catalog or a commit becomes a ConnectorError."""
    try:
        from pyiceberg import exceptions
        from sqlalchemy.exc import SQLAlchemyError
    except ImportError:
        raise _missing() from None
    try:
        yield
    except (exceptions.NoSuchTableError, exceptions.NoSuchNamespaceError):
        raise ConnectorError(
            "dataset_missing", f"The table {name} does not exist in its catalog; correct its name.", permanent=True
        ) from None
    except (exceptions.CommitFailedException, exceptions.ValidationException):
        raise ConnectorError(
            "commit_conflict", f"Another writer committed to {name} meanwhile; trying again.", permanent=False
        ) from None
    except SQLAlchemyError:
        raise ConnectorError(
            "catalog_unreachable", f"The catalog of {name} does not answer; it will be tried again.", permanent=False
        ) from None
    except FileNotFoundError:
        raise ConnectorError(
            "source_changed",
            f"A file of {name} disappeared while it was read; it will be tried again.",
            permanent=False,
        ) from None
    except ValueError as error:
        raise ConnectorError(
            "dataset_unreadable",
            f"The metadata of {name} cannot be read ({type(error).__name__}); have its owner repair the table.",
            permanent=True,
        ) from None


def _properties(options: Mapping[str, Any]) -> dict[str, str]:
    given, hidden = options.get("catalog", {}), options.get("catalog_environment", {})
    if not (isinstance(given, dict) and isinstance(hidden, dict)):
        raise ConnectorError("invalid_options", "Catalog options are objects of names and texts.", permanent=True)
    for name, value in given.items():
        if not isinstance(value, str) or _SECRET.search(name) or _PASSWORD_IN_ADDRESS.search(value):
            raise ConnectorError(
                "invalid_options",
                f"The catalog's {name} is no text or holds a secret; "
                "put it into an environment variable and name that in catalog_environment.",
                permanent=True,
            )
    properties = dict(given)
    for name, variable in hidden.items():
        secret_variables.check(variable, option="catalog_environment")
        if variable not in os.environ:
            raise ConnectorError(
                "invalid_options", f"The environment variable for the catalog's {name} is not set.", permanent=True
            )
        properties[name] = os.environ[variable]
    if properties.get("type", "sql") != "sql" or not properties.get("uri"):
        raise ConnectorError(
            "invalid_options", "A catalog is of type sql and has a uri, as in sqlite:////data/catalog.db.",
            permanent=True,
        )  # fmt: skip
    return properties


def _url(uri: str) -> Any:
    try:
        from sqlalchemy import make_url
        from sqlalchemy.exc import ArgumentError
    except ImportError:
        raise _missing() from None
    try:
        return make_url(uri)
    except ArgumentError:
        raise ConnectorError("invalid_options", "The catalog's uri cannot be read.", permanent=True) from None


def _catalog(options: Mapping[str, Any]) -> Any:
    from pyiceberg.catalog.sql import SqlCatalog
    from sqlalchemy import create_engine
    from sqlalchemy.pool import NullPool

    properties = _properties(options)
    url = _url(properties["uri"])
    rest = {name: value for name, value in properties.items() if name not in {"name", "type"}}
    catalog = SqlCatalog(properties.get("name", "default"), **{**rest, "init_catalog_tables": "false"})
    # a connector is never closed: so no connection may outlive the question it was opened for
    catalog.engine.dispose()
    catalog.engine = create_engine(url, poolclass=NullPool)
    return catalog


def _missing() -> ConnectorError:
    return ConnectorError(
        "extra_missing", "Iceberg tables need Heed's extra for them: pip install 'heed[iceberg]'.", permanent=True
    )
