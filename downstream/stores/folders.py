"""Folders of files: walking them, and swapping one file for another so that no reader ever sees half.

A new version lies beside the old one (a rename is atomic only within a file system) under a hidden name that no
reader takes for data, and that tells nothing about a person.
"""

import hashlib
import os
import re
import secrets
import shutil
from collections.abc import Iterator
from pathlib import Path

from downstream.engines.errors import ConnectorError, reading, writing

_TOKEN = re.compile(r"[A-Za-z0-9-]{1,64}")
_TEMPORARY = re.compile(r"\.heed-[A-Za-z0-9-]{1,64}-[0-9a-f]{16}\.tmp")
_MARKED = re.compile(r"\.heed-[0-9a-f]{16}-\d+")
# of writers that have not finished: moved out of there when they have
_UNFINISHED = {"_temporary"}


def root(location: str) -> Path:
    """The folder itself, links followed. Raises ConnectorError unless it is one."""
    with reading(location):
        place = Path(location).resolve()
        if not place.exists():
            raise ConnectorError(
                "dataset_missing", f"{location} does not exist; mount it or correct the path.", permanent=True
            )
        if not place.is_dir():
            raise ConnectorError(
                "not_a_folder", f"{location} is a file; name the folder that holds it.", permanent=True
            )
    return place


def walk(folder: Path, *, unfinished: bool = False) -> Iterator[Path]:
    """Every regular file at any depth but our own temporary ones, in the order of names.

    Hidden files are walked too, because some readers read them. A link is passed over where it leads to what is
    walked anyway, and refused elsewhere: replacing a link would leave the rows where it leads to. With `unfinished`,
    what a failed job has left in folders of its own is named too.
    """
    for parent, folders, names in os.walk(folder, onerror=_raise):
        folders[:] = sorted(name for name in folders if unfinished or name not in _UNFINISHED)
        for name in sorted(names + folders):
            path = Path(parent, name)
            if path.is_symlink():
                _check_link(path, folder)
            elif name in names and path.is_file() and not is_temporary(name):
                yield path


def _raise(error: OSError) -> None:
    raise error


def _check_link(link: Path, folder: Path) -> None:
    target = link.resolve()
    inside = target.is_relative_to(folder) and target.exists()
    if not inside or _UNFINISHED.intersection(target.relative_to(folder).parts):
        raise ConnectorError(
            "link_leaves_folder",
            f"{link.relative_to(folder)} is a link out of the folder or to nothing; "
            "register the folder that it leads to, and remove the link.",
            permanent=True,
        )


def name_of(path: Path, folder: Path) -> str:
    """The path within the folder, as people read it. Raises ConnectorError for a name that is no text."""
    name = path.relative_to(folder).as_posix()
    try:
        name.encode()
    except UnicodeEncodeError:
        raise ConnectorError("unsupported_name", "A file's name is not UTF-8; rename it.", permanent=True) from None
    return name


def path_of(name: str, folder: Path) -> Path:
    """The file of a name given earlier; it has not been led elsewhere by a link since."""
    path = folder / name
    if path.parent.resolve() != path.parent or not path.is_relative_to(folder) or path.is_symlink():
        raise ConnectorError("link_leaves_folder", f"{name} leads out of the folder.", permanent=True)
    return path


def fingerprint(path: Path) -> str:
    """Changes whenever somebody writes to the file, replaces it or changes who may read it."""
    return fingerprint_of(path.stat())


def fingerprint_of(stat: os.stat_result) -> str:
    """The same, of a file that was looked at already."""
    return f"{stat.st_size}:{stat.st_mtime_ns}:{stat.st_ctime_ns}:{stat.st_ino}"


def sha256(path: Path) -> str:
    """The digest of the file's bytes."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def temporary_name(token: str) -> str:
    """A hidden name of our own that nobody else has."""
    if not _TOKEN.fullmatch(token):
        raise ValueError("a token is letters, digits and dashes")
    return f".heed-{token}-{secrets.token_hex(8)}.tmp"


def is_temporary(name: str) -> bool:
    """Whether a file's name, without its folder, is one of those."""
    return _TEMPORARY.fullmatch(name) is not None


def make_temporary(beside: Path, *, token: str) -> Path:
    """An empty file that only we may read, in the same folder. The caller fills or discards it."""
    temporary = beside.with_name(temporary_name(token))
    with writing(beside.name):
        os.close(os.open(temporary, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    return temporary


def settle_temporary(temporary: Path, *, like: Path) -> None:
    """Give the new file the old one's owner, mode and extended attributes, and bring it to disk."""
    old, new = like.stat(), temporary.stat()
    try:
        if (old.st_uid, old.st_gid) != (new.st_uid, new.st_gid):
            os.chown(temporary, old.st_uid, old.st_gid)
    except PermissionError:
        raise ConnectorError(
            "owner_not_kept",
            f"{like.name} belongs to somebody else, and Heed's user cannot give the new version to them; "
            "let Heed run as the files' owner.",
            permanent=True,
        ) from None
    shutil.copystat(like, temporary)
    # not its times: readers notice by them that the file is another
    os.utime(temporary)
    sync(temporary)


def swap(temporary: Path, *, into: Path) -> None:
    """Put the new file in the old one's place, atomically."""
    # Hadoop's checksum of the old file would make its readers refuse the new one; without it they read on
    into.with_name(f".{into.name}.crc").unlink(missing_ok=True)
    os.replace(temporary, into)


def sync(path: Path) -> None:
    """Bring a file, or the names in a folder, to disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def temporaries(folder: Path) -> list[Path]:
    """Our own temporary files at any depth."""
    return [
        Path(parent, name)
        for parent, _, names in os.walk(folder, onerror=_raise)
        for name in sorted(names)
        if is_temporary(name)
    ]


def renewed(path: str, mark: str) -> str:
    """The path of a data file's new version beside it: `part-0.c000.parquet` → `part-0.heed-MARK.c000.parquet`."""
    folder, slash, name = path.rpartition("/")
    stem, dot, rest = _MARKED.sub("", name).partition(".")
    return f"{folder}{slash}{stem}.heed-{mark}{dot}{rest}"
