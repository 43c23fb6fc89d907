"""Content beside a row waits until the next row is asked for, in memory or in a file without a name."""

import hashlib

import pytest

from downstream.engines.attached import Aside
from downstream.engines.errors import ConnectorError

LARGE = bytes(range(256)) * 50_000


def test_content_is_read_as_it_was_kept_and_as_often_as_wanted() -> None:
    with Aside() as aside:
        small = aside.keep("a.txt", [b"a", b"b"])
        large = aside.keep("b.bin", [LARGE])
        nothing = aside.keep("c", [])
        assert (small.name, small.size, small.sha256) == ("a.txt", 2, hashlib.sha256(b"ab").hexdigest())
        both = zip(large.read(), large.read(), strict=True)
        assert b"".join(one for one, two in both if one == two) == LARGE
        assert (b"".join(small.read()), list(nothing.read())) == (b"ab", [])
        assert "read" not in repr(small)


def test_what_was_cleared_cannot_be_read_and_makes_room() -> None:
    with Aside() as aside:
        first = aside.keep("a", [b"first"])
        begun = aside.keep("b", [LARGE]).read()
        next(begun)
        aside.clear()
        second = aside.keep("c", [b"other"])
        for reading in (first.read(), begun):
            with pytest.raises(ConnectorError) as passed:
                next(reading)
            assert passed.value.code == "row_passed"
        assert b"".join(second.read()) == b"other"
    with pytest.raises(ConnectorError):
        next(second.read())
