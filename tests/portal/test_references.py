"""References that can be read out over the phone."""

import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portal import references
from portal.errors import NotFound


@given(st.uuids())
def test_a_reference_leads_back_to_its_uuid(value: uuid.UUID) -> None:
    assert references.decode("R", references.encode("R", value)) == value


def test_a_reference_is_read_whatever_its_case_and_with_look_alikes() -> None:
    value = uuid.UUID(int=(1 << 120) + 33)
    spoken = references.encode("R", value).lower().replace("1", "l").replace("0", "o")
    assert references.decode("R", f" {spoken} ") == value


@pytest.mark.parametrize(
    "reference",
    [
        "",
        "R-",
        "R",
        "R-1",
        "Q-" + "0" * 26,
        "R-" + "0" * 25,
        "R-" + "0" * 27,
        "R-" + "U" * 26,
        "R-" + "Z" * 26,
        "é" * 28,
    ],
)
def test_what_was_never_given_out_is_refused(reference: str) -> None:
    with pytest.raises(NotFound):
        references.decode("R", reference)
