"""DuckDB as a reader of files: bounded, alone, and without a memory of what it read before."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import duckdb


@dataclass(frozen=True)
class Limits:
    """What one session may use; it never writes to disk."""

    memory_mb: int = 400
    threads: int = 2


@contextmanager
def session(limits: Limits) -> Iterator[duckdb.DuckDBPyConnection]:
    """A session of its own, so that each look at a file is a fresh one."""
    connection = duckdb.connect(
        config={
            "memory_limit": f"{limits.memory_mb}MB",
            "threads": limits.threads,
            "temp_directory": "",
            "preserve_insertion_order": False,
            "enable_external_file_cache": False,
            # it would skip what the statistics of a file rule out; to have looked is to have read the rows
            "disabled_optimizers": "join_filter_pushdown",
            # it shall fetch nothing from anywhere and see no variable of ours
            "autoinstall_known_extensions": False,
            "autoload_known_extensions": False,
            "python_enable_replacements": False,
        }
    )
    try:
        # a text that names no zone means UTC, wherever the process runs
        connection.execute("SET TimeZone = 'UTC'")
        yield connection
    finally:
        connection.close()


def literally(path: str) -> str:
    """A path as DuckDB has to be given it: it takes every path for a pattern."""
    return "".join(f"[{letter}]" if letter in "*?[" else letter for letter in path)
