"""What changed between two texts, in words and paragraphs."""

import re

from hypothesis import given
from hypothesis import strategies as st

from consents import differences
from consents.differences import ADDED, REMOVED, SAME, Piece


def body(old: str, new: str) -> tuple[tuple[Piece, ...], ...]:
    return differences.between(("", old), ("", new)).body


def test_a_changed_word_is_removed_and_added_amid_what_stayed() -> None:
    (paragraph,) = body("We use your posts today.", "We use your letters today.")
    assert paragraph == (
        Piece(SAME, "We use your "),
        Piece(REMOVED, "posts "),
        Piece(ADDED, "letters "),
        Piece(SAME, "today."),
    )


def test_paragraphs_come_and_go_whole() -> None:
    assert body("One.\n\nTwo.", "One.\n\nTwo.\n\nThree.") == (
        (Piece(SAME, "One."),),
        (Piece(SAME, "Two."),),
        (Piece(ADDED, "Three."),),
    )
    assert body("One.\n\nTwo.", "Two.") == ((Piece(REMOVED, "One."),), (Piece(SAME, "Two."),))


def test_two_words_between_changes_are_taken_into_them() -> None:
    (paragraph,) = body("Today red and blue count here", "Today green and black count here")
    assert [piece.kind for piece in paragraph] == [SAME, REMOVED, ADDED, SAME]


def test_space_and_line_ends_are_no_change() -> None:
    assert differences.between(("T", "a  b\r\nc\r\n\r\nd"), ("T", "a b\nc\n\n\nd ")).added == 0


def test_title_and_body_are_counted_together() -> None:
    found = differences.between(("Old title", "Same"), ("New title", "Same"))
    assert (found.added, found.removed) == (1, 1)


def test_a_text_that_is_new_is_all_added() -> None:
    found = differences.between(("", ""), ("Title", "One.\n\nTwo."))
    assert (found.added, found.removed) == (3, 0)


words = st.sampled_from(["we", "use", "your", "data", "posts.", "not", "\n\n", "\n"])
texts = st.lists(words, max_size=40).map(" ".join)


@given(old=texts, new=texts)
def test_without_what_came_it_is_the_old_text_and_without_what_went_the_new(old: str, new: str) -> None:
    found = body(old, new)

    def without(kind: str) -> list[str]:
        return "".join(f"{piece.text} " for one in found for piece in one if piece.kind != kind).split()

    assert without(ADDED) == re.findall(r"\S+", old)
    assert without(REMOVED) == re.findall(r"\S+", new)
