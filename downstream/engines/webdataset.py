"""WebDataset shards: tars in which the members of one name up to its first dot are one sample.

A sample names its person in its JSON member, and goes as a whole, wherever its members lie. Every member that stays
keeps its headers and its content byte for byte. A sample without that JSON member names nobody.
"""

import hashlib
import re
import tarfile
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import IO, Any

from downstream.engines import packing
from downstream.engines.attached import Aside
from downstream.engines.base import DataFile
from downstream.engines.errors import ConnectorError, writing
from downstream.engines.json_values import NotJson, Paths, names, whole
from downstream.engines.options import flag, text
from downstream.engines.record_engine import RecordEngine
from downstream.engines.records import LONGEST, MISSING, Record, Several, Values
from downstream.engines.tar_members import BLOCK, RECORD, Member, cut_off, members

# as the `webdataset` library divides names
_NAME = re.compile(r"((?:.*/|)[^.]+)[.]([^/]*)", re.DOTALL)
_PIECE = 1 << 20
# members of these ends are told as what they say, where they are UTF-8 and not longer
_TEXTS = frozenset({"txt", "text", "caption", "transcript", "cls", "cls2", "index", "id", "md", "html", "xml", "csv"})
_LONGEST_TEXT = 1 << 20
KEY = "__key__"
"""The name of a sample, as the `webdataset` library calls it."""


@dataclass(frozen=True)
class WebDataset:
    """Implements `downstream.engines.record_engine.Format`: the walk here reads, `tarfile` reads again."""

    member: str = "json"
    """The end of the name of the member that names the person."""

    def read(self, file: DataFile, columns: Sequence[str]) -> Iterator[Record]:
        for values in self._samples(file, columns).values():
            yield Record(b"", values)

    def read_again(self, file: DataFile, columns: Sequence[str]) -> Iterator[Record]:
        places, samples = self._places(file, columns)
        told: set[str] = set()
        with packing.read_again(file) as stream:
            at = 0
            for start, end, sample in places:
                if start > at:
                    yield Record(_digest(file, stream, start - at), None)
                raw, at = _digest(file, stream, end - start), end
                if sample is None:
                    yield Record(raw, None)
                else:
                    yield Record(raw, samples[sample], rows=int(sample not in told))
                    told.add(sample)
            while rest := stream.read(_PIECE):
                if rest.strip(b"\0"):
                    raise cut_off(file)

    def rows(self, file: DataFile) -> int:
        with packing.read(file) as stream:
            return len({_sample(member)[0] for member in members(file, stream)} - {None})

    def schema(self, file: DataFile) -> str:
        ends = dict[str, list[str]]()
        with packing.read(file) as stream:
            for member in members(file, stream):
                sample, end = _sample(member)
                if sample is not None and end not in ends:
                    ends[end] = names(member.body.content()) if end == self.member else []
                if len(ends) > 1 and self.member in ends:
                    break
        return ", ".join(f"{end} ({', '.join(inner)})" if inner else end for end, inner in sorted(ends.items()))

    def whole(
        self, file: DataFile, columns: Sequence[str], wanted: Callable[[Values], bool]
    ) -> Iterator[dict[str, Any]]:
        """A sample's members by the ends of their names: JSON and text as they say, any other as `Attached`."""
        theirs = {sample for sample, values in self._samples(file, columns).items() if wanted(values)}
        left = self._members_of(file, theirs) if theirs else Counter[str]()
        begun = dict[str, dict[str, Any]]()
        with packing.read(file) as stream, Aside() as aside:
            for member in members(file, stream) if theirs else ():
                sample, end = _sample(member)
                if sample is None or sample not in theirs:
                    continue
                told = begun.setdefault(sample, {KEY: sample})
                told[end if end not in told else f"{end} ({left[sample]})"] = self._told(member, end, aside)
                left[sample] -= 1
                if not left[sample]:
                    yield begun.pop(sample)
                if not begun:
                    aside.clear()

    def _members_of(self, file: DataFile, samples: set[str]) -> Counter[str]:
        with packing.read(file) as stream:
            found = (_sample(member)[0] for member in members(file, stream))
            return Counter(sample for sample in found if sample in samples)

    def _told(self, member: Member, end: str, aside: Aside) -> Any:
        last = end.rpartition(".")[2]
        if end != self.member and (last not in {"json", *_TEXTS} or member.size > _LONGEST_TEXT):
            return aside.keep(member.name.rpartition("/")[2], member.body.exact())
        content = member.body.content()
        try:
            return whole(content) if last == "json" or end == self.member else content.decode()
        except (NotJson, UnicodeDecodeError):
            return aside.keep(member.name.rpartition("/")[2], [content])

    def rewrite(self, source: DataFile, target: str, columns: Sequence[str], goes: Callable[[Values], bool]) -> None:
        going = {sample for sample, values in self._samples(source, columns).items() if goes(values)}
        kind = packing.packing_of(source)
        with packing.read(source) as stream, writing(source.name), packing.write(target, kind) as out:
            before = after = 0
            for member in members(source, stream):
                sample, _ = _sample(member)
                if member.is_end:
                    out.write(_ending(member, before, after))
                elif sample in going:
                    before += len(member.head) + member.size + -member.size % BLOCK
                else:
                    size = _copy(member, out)
                    before, after = before + size, after + size

    def _samples(self, file: DataFile, columns: Sequence[str]) -> dict[str, Values]:
        """What each sample's JSON member holds, in the order in which samples begin."""
        paths, found = Paths(columns), dict[str, Values]()
        with packing.read(file) as stream:
            for member in members(file, stream):
                sample, end = _sample(member)
                if sample is None:
                    continue
                if end == self.member and member.size <= LONGEST:
                    content = member.body.content()
                    self._tell(file, found, sample, paths.read, content)
                elif end == self.member:
                    raise _unreadable(file, len(found) + 1, f"longer than {LONGEST >> 20} MiB")
                else:
                    found.setdefault(sample, paths.nothing)
        return found

    def _places(
        self, file: DataFile, columns: Sequence[str]
    ) -> tuple[list[tuple[int, int, str | None]], dict[str, Values]]:
        """Where each member begins and ends, and whose it is; and what each sample's JSON member holds."""
        paths, found = Paths(columns), dict[str, Values]()
        places: list[tuple[int, int, str | None]] = []
        try:
            with packing.read_again(file) as stream, tarfile.open(fileobj=stream, mode="r|") as tar:
                remembered: list[tarfile.TarInfo] = vars(tar)["members"]
                for one in tar:
                    name = _NAME.fullmatch(one.name) if one.isreg() else None
                    end = one.offset_data + one.size + -one.size % BLOCK
                    places.append((one.offset, end, name[1] if name else None))
                    if name and name[2].lower() == self.member:
                        content: Any = tar.extractfile(one)
                        self._tell(file, found, name[1], paths.read_again, content.read())
                    elif name:
                        found.setdefault(name[1], paths.nothing)
                    # it would remember every member
                    remembered.clear()
        except tarfile.TarError:
            raise cut_off(file) from None
        return places, found

    def _tell(
        self, file: DataFile, found: dict[str, Values], sample: str, read: Callable[[bytes], Values], content: bytes
    ) -> None:
        try:
            values = read(content)
        except NotJson:
            raise _unreadable(file, len(found) + (sample not in found), "no JSON") from None
        was = found.get(sample)
        if was is None or all(one is MISSING for one in was):
            found[sample] = values
        else:
            # a name that is there twice: readers differ on which member counts
            found[sample] = tuple(Several((one, two)) for one, two in zip(was, values, strict=True))


def _sample(member: Member) -> tuple[str | None, str]:
    """Which sample a member is of, and its end in lower case; none for what is no member of a sample."""
    name = _NAME.fullmatch(member.name) if member.is_file else None
    return (name[1], name[2].lower()) if name else (None, "")


def _copy(member: Member, out: IO[bytes]) -> int:
    size = out.write(member.head)
    for piece in member.body.pieces():
        size += out.write(piece)
    return size


def _ending(last: Member, before: int, after: int) -> bytes:
    """The zeros at the end: filled up to a tar's usual length where the old one was."""
    count = len(last.head)
    if (before + count) % RECORD == 0:
        count = 2 * BLOCK + -(after + 2 * BLOCK) % RECORD
    return bytes(count)


def _digest(file: DataFile, stream: IO[bytes], size: int) -> bytes:
    digest = hashlib.blake2b(digest_size=16)
    while size:
        piece = stream.read(min(size, _PIECE))
        if not piece:
            raise cut_off(file)
        digest.update(piece)
        size -= len(piece)
    return digest.digest()


def _unreadable(file: DataFile, number: int, what: str) -> ConnectorError:
    return ConnectorError(
        "not_webdataset",
        f"{file.name}: the JSON member of sample {number} is {what}; have its owner repair or remove it.",
        permanent=True,
    )


def from_options(options: Mapping[str, Any]) -> RecordEngine:
    """Set up by `json_member`, `key_lists` and `key_optional`. Raises ConnectorError for values that cannot be."""
    return RecordEngine(
        WebDataset(text(options, "json_member", "json").lower()),
        lists=flag(options, "key_lists"),
        key_optional=flag(options, "key_optional"),
    )
