"""`manage.py make_key`."""

import base64
import io

import pytest
from django.core.management import CommandError, call_command

from portal import crypto, signing


def said(*options: str) -> str:
    out = io.StringIO()
    call_command("make_key", *options, stdout=out)
    return out.getvalue().strip()


def test_a_key_is_fresh_each_time_and_fits_every_ring() -> None:
    one, two = said("k2"), said("k2")
    assert one != two
    assert list(crypto.parse_ring(f"{one}", name="KEYS").keys) == ["k2"]
    assert list(signing.parse_ring(two).seeds) == ["k2"]


def test_without_a_name_it_is_named_by_the_day() -> None:
    assert said().startswith("k20")


@pytest.mark.parametrize("wrong", ["", "a:b", "a,b", "a b", "x" * 33, "ä"])
def test_a_name_that_no_ring_could_hold_is_refused(wrong: str) -> None:
    if not wrong:
        assert said(wrong)
        return
    with pytest.raises(CommandError):
        said(wrong)


def test_the_public_half_of_a_signing_key_can_take_its_place() -> None:
    half = said("--public", "local1")
    fresh = said("s2")
    ring = signing.parse_ring(fresh, retired=half)
    assert ring.public["local1"].public_bytes_raw() == base64.b64decode(half.partition(":")[2])


def test_an_unknown_signing_key_has_no_half() -> None:
    with pytest.raises(CommandError, match="'nobody'"):
        said("--public", "nobody")
