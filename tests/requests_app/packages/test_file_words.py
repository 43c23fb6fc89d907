"""Looking for words in files of any kind: wherever they can be read, and without end nowhere."""

import io
import zipfile
from collections.abc import Iterator

import pytest

from requests_app.file_contents.kinds import Unseen
from requests_app.file_contents.reader import Reader
from requests_app.packages import file_words

NAME = "José Groß"


@pytest.fixture(scope="module")
def reader() -> Iterator[Reader]:
    with Reader(seconds=600) as one:
        yield one


@pytest.mark.parametrize("encoding", ["utf-16", "latin-1"])
def test_words_are_found_in_files_of_other_encodings(reader: Reader, encoding: str) -> None:
    content = ("x" * 100_000 + f" by {NAME}").encode(encoding)
    for cut in (150_000, 99_999):
        pieces = iter([content[:cut], content[cut:]])
        seen = file_words.look(pieces, [file_words.words_of(NAME)], reader)
        assert (seen.found, seen.unseen) == ({0}, {})


def test_a_bomb_is_not_gone_through(reader: Reader) -> None:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as file:
        for number in range(17):
            file.writestr(f"word/{number}.xml", b"<a/>" * 1_000_000)
    seen = file_words.look(iter([packed.getvalue()]), [file_words.words_of("xyz")], reader)
    assert (seen.found, set(seen.unseen)) == (set(), {Unseen.TOO_MUCH})
