"""What the names of folders say of the rows below them: `country=DE/day=2024-05-07/part-0.parquet`."""

from urllib.parse import unquote

_NULL = "__HIVE_DEFAULT_PARTITION__"


def of(name: str) -> dict[str, str | None]:
    """The columns and their values as text, as Hive writes them; nothing where folders are named otherwise."""
    pairs = (folder.partition("=") for folder in name.split("/")[:-1])
    return {unquote(column): value_of(value) for column, equals, value in pairs if equals and column}


def value_of(text: str) -> str | None:
    """A folder's value as it was before it became a name."""
    return None if text == _NULL else unquote(text)
