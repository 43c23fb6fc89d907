"""The picture of a request's states in the cookbook is the table in the code."""

import re
from pathlib import Path

from requests_app import workflow
from requests_app.states import TRANSITIONS, Right

PAGE = (Path(__file__).parents[2] / "docs" / "requests.md").read_text()


def test_the_picture_shows_each_transition_and_no_other() -> None:
    drawn = {tuple(arrow) for arrow in re.findall(r"^    (\w+) --> (\w+)$", PAGE, re.MULTILINE)}
    assert drawn == {(str(a), str(b)) for a, followers in TRANSITIONS.items() for b in followers}


def test_each_step_is_explained() -> None:
    table = PAGE.split("| step |")[1].split("\n\n")[0]
    said = {name for row in re.findall(r"^\| (`[^|]+) \|", table, re.MULTILINE) for name in re.findall(r"`(\w+)`", row)}
    steps = {name.removeprefix("can_") for name in workflow.__all__ if name.startswith("can_")}
    assert steps - said == set()
    assert all(hasattr(workflow, name) for name in said)


def test_each_right_is_explained() -> None:
    text = PAGE.split("## What each right means")[1].lower()
    words = {Right.WITHDRAW_CONSENT: "withdrawal of consent", Right.OPT_OUT_SALE: "opt-out of sale"}
    for right in Right:
        assert words.get(right, right.value.replace("_", " ")) in text
