"""Looking for words in files of any kind: wherever they can be read, and without end nowhere."""

import io
import re
import time
import zipfile

import pytest

from requests_app.packages import file_words

NAME = "José Groß"


@pytest.mark.parametrize("encoding", ["utf-16", "latin-1"])
def test_words_are_found_in_files_of_other_encodings(encoding: str) -> None:
    content = ("x" * 100_000 + f" by {NAME}").encode(encoding)
    pattern = re.compile(re.escape(NAME))
    assert file_words.holds(iter([content[:150_000], content[150_000:]]), pattern)


def test_a_bomb_is_not_gone_through_but_left_out() -> None:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as file:
        for number in range(17):
            file.writestr(f"word/{number}.xml", b"<a/>" * 1_000_000)
    began = time.process_time()
    assert file_words.holds(iter([packed.getvalue()]), re.compile("x"))
    assert time.process_time() - began < 1
