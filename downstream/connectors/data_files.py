"""Which files of a folder are its dataset's data, and which only lie beside them."""

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass

from downstream.engines.errors import ConnectorError
from downstream.stores.base import Store, Stored


@dataclass(frozen=True)
class FileKind:
    """What tells the files of one kind of dataset from others that lie beside them."""

    format: str
    """Names the engines' format."""
    words: str
    """How people call such files: "Parquet"."""
    is_data: Callable[[Store, Stored], bool]
    """Whether a file is data. Raises ConnectorError for one that forbids to go on."""
    check_place: Callable[[Collection[str]], None] = lambda names: None
    """Raises ConnectorError where the names of all files tell that this is something else."""
    unreachable: tuple[str, ...] = ()
    """What may hold copies and cannot be searched from here; see `Residue`."""
    options: frozenset[str] = frozenset()
    """What it knows of options besides those of every kind."""
    partitions: Callable[[str], dict[str, str | None]] = lambda name: {}
    """The columns that readers take from the names of a file's folders."""


def listed(kind: FileKind, store: Store, key_column: str) -> list[Stored]:
    """The files that are data, at least one. Raises ConnectorError for what forbids to go on."""
    every = store.walk()
    _refuse_people_as_folders(every, key_column)
    kind.check_place([one.name for one in every])
    files = [one for one in every if kind.is_data(store, one)]
    if not files and every:
        raise ConnectorError(
            f"not_{kind.format}",
            f"{store.location} holds {len(every)} files, none of which is {kind.words}; name another folder or kind.",
            permanent=True,
        )
    if not files:
        raise ConnectorError(
            "dataset_empty", f"{store.location} holds no files; name the folder with the data.", permanent=True
        )
    return files


def _refuse_people_as_folders(files: Iterable[Stored], key_column: str) -> None:
    # the message names no file, because its name tells of somebody
    part = f"{key_column}="
    if any(folder.startswith(part) for one in files for folder in one.name.split("/")[:-1]):
        raise ConnectorError(
            "key_in_path",
            f"Folders here are named after people ({part}…): their names would stay when the rows are gone, and "
            "stand in every listing and record of files. Have the dataset divided by something else, with "
            f"{key_column} as a column.",
            permanent=True,
        )
