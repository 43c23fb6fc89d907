"""What changed between two texts: by paragraph, and inside a changed paragraph by word.

Pure functions over strings; how a change is shown is the page's affair.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from itertools import pairwise

SAME, ADDED, REMOVED = "same", "added", "removed"
_BREAK = "\n\n"
_PARAGRAPHS = re.compile(r"\n\s*\n")
_WORDS = re.compile(r"\S+\s*|\s+")
_CRUMB = 2
"""So many unchanged words between two changes are taken into them: a sentence in shreds cannot be read."""


@dataclass(frozen=True)
class Piece:
    """A run of words that stayed, came or went."""

    kind: str
    text: str

    @property
    def words(self) -> str:
        """The words without the space around them, which is marked by nobody."""
        return self.text.strip()


Paragraph = tuple[Piece, ...]


@dataclass(frozen=True)
class Difference:
    """Title and paragraphs of both texts at once."""

    title: Paragraph
    body: tuple[Paragraph, ...]

    @property
    def added(self) -> int:
        """How many passages came."""
        return self._count(ADDED)

    @property
    def removed(self) -> int:
        """How many passages went."""
        return self._count(REMOVED)

    def _count(self, kind: str) -> int:
        return sum(piece.kind == kind for one in (self.title, *self.body) for piece in one)


def between(old: tuple[str, str], new: tuple[str, str]) -> Difference:
    """From one (title, body) to another."""
    title = tuple(_merged(_words(old[0], new[0])))
    return Difference(title=title, body=tuple(_paragraphs(old[1], new[1])))


def _paragraphs(old: str, new: str) -> Iterator[Paragraph]:
    before, after = _split(old), _split(new)
    for tag, i, j, k, m in SequenceMatcher(None, before, after, autojunk=False).get_opcodes():
        if tag == "equal":
            yield from ((Piece(SAME, text),) for text in before[i:j])
        elif tag == "replace":
            yield from _broken(_words(_BREAK.join(before[i:j]), _BREAK.join(after[k:m])))
        else:
            kind, texts = (REMOVED, before[i:j]) if tag == "delete" else (ADDED, after[k:m])
            yield from ((Piece(kind, text),) for text in texts)


def _split(text: str) -> list[str]:
    unified = text.replace("\r\n", "\n").strip()
    return [one.strip() for one in _PARAGRAPHS.split(unified) if one.strip()]


def _words(old: str, new: str) -> list[Piece]:
    before, after = _WORDS.findall(old), _WORDS.findall(new)
    pieces: list[Piece] = []
    # compared without the space behind them, so that a word at a line's end is the same word
    matcher = SequenceMatcher(None, [w.rstrip() for w in before], [w.rstrip() for w in after], autojunk=False)
    codes = matcher.get_opcodes()
    for place, (tag, i, j, k, m) in enumerate(codes):
        inside = 0 < place < len(codes) - 1
        crumb = tag == "equal" and inside and m - k <= _CRUMB and _BREAK not in "".join(after[k:m])
        if tag == "equal" and not crumb:
            pieces.append(Piece(SAME, "".join(after[k:m])))
        else:
            pieces += [Piece(REMOVED, "".join(before[i:j])), Piece(ADDED, "".join(after[k:m]))]
    return pieces


def _merged(pieces: Sequence[Piece]) -> Iterator[Piece]:
    """Neighbouring changes as one that went and one that came, without empty ones."""
    gone = come = ""
    for piece in (*pieces, Piece(SAME, "")):
        if piece.kind == REMOVED:
            gone += piece.text
        elif piece.kind == ADDED:
            come += piece.text
        else:
            yield from (one for one in (Piece(REMOVED, gone), Piece(ADDED, come), piece) if one.text)
            gone = come = ""


def _broken(pieces: Sequence[Piece]) -> Iterator[Paragraph]:
    """The pieces, cut into paragraphs where the text breaks."""
    paragraph: list[Piece] = []
    for piece in _merged(pieces):
        parts = _PARAGRAPHS.split(piece.text)
        for part, following in pairwise((*parts, None)):
            if part and part.strip():
                paragraph.append(Piece(piece.kind, part))
            if following is not None and paragraph:
                yield tuple(paragraph)
                paragraph = []
    if paragraph:
        yield tuple(paragraph)
