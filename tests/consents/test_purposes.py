"""Purposes and recipients by name."""

import pytest

from consents import purposes
from portal.errors import DomainError, NotFound


def test_a_part_descends_from_the_whole() -> None:
    assert purposes.lineage("ai-training/affiliates") == ("ai-training/affiliates", "ai-training")
    assert purposes.lineage("marketing") == ("marketing",)


@pytest.mark.usefixtures("world")
def test_a_purpose_is_found_by_its_slug() -> None:
    assert purposes.get("ai-training/affiliates").order == 2


@pytest.mark.usefixtures("world")
@pytest.mark.parametrize("slug", ["", "nothing", "AI-training", "ai-training/", "ai-training/other"])
def test_an_unknown_purpose_is_refused(slug: str) -> None:
    with pytest.raises(NotFound) as refusal:
        purposes.get(slug)
    assert refusal.value.code == "unknown_purpose"


@pytest.mark.usefixtures("world")
def test_a_recipient_is_known_or_everyone_or_refused() -> None:
    assert purposes.check_recipient("") == ""
    assert purposes.check_recipient("northlight") == "northlight"
    with pytest.raises(NotFound) as refusal:
        purposes.check_recipient("nobody")
    assert refusal.value.code == "unknown_recipient"


def test_a_category_is_a_word_of_the_vocabulary_or_all() -> None:
    assert purposes.check_category("") == ""
    assert purposes.check_category("posts") == "posts"
    with pytest.raises(DomainError) as refusal:
        purposes.check_category("thoughts")
    assert refusal.value.code == "unknown_category"
