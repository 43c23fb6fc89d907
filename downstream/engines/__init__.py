"""Engines do the work on the data of files: find rows, rewrite a file, compare two.

`open_engine` imports an engine on first use, so that none is needed but those in use.
"""

from collections.abc import Mapping
from importlib import import_module
from typing import Any

from downstream.engines.base import Engine
from downstream.engines.errors import ConnectorError

FORMATS = {"parquet": "downstream.engines.embedded"}
"""Format of files → module whose `from_options` answers the engine that works on them in the worker's own process."""
ENGINES = frozenset({"embedded", "spark"})
_SPARK = "downstream.engines.spark"
ENGINE_OPTIONS = frozenset({"engine", "memory_mb", "threads"})


def open_engine(name: str, options: Mapping[str, Any], *, of: str = "parquet") -> Engine:
    """The engine of this name for files of a format, set up by the dataset's options. Raises ConnectorError."""
    if name not in ENGINES:
        raise ConnectorError("unknown_engine", f"An engine is one of: {', '.join(sorted(ENGINES))}.", permanent=True)
    engine: Engine
    if name == "spark":
        engine = import_module(_SPARK).from_options(FORMATS[of], options)
    else:
        engine = import_module(FORMATS[of]).from_options(options)
    return engine
