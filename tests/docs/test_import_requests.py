"""The example of the page about imports is a file that is read without a refusal."""

import io
import re
from datetime import UTC, datetime
from pathlib import Path

import pytest

from requests_app import import_rows
from requests_app.rights import rectification

PAGE = (Path(__file__).parents[2] / "docs" / "import-requests.md").read_text()
THEN = datetime(2026, 3, 3, 12, tzinfo=UTC)


@pytest.mark.usefixtures("world")
def test_the_example_is_read_as_it_says() -> None:
    example = re.findall(r"```csv\n(.*?)```", PAGE, re.DOTALL)[0]
    rows = [one for one in import_rows.read(io.BytesIO(example.encode())) if isinstance(one, import_rows.Row)]
    said = [import_rows.taken(one, at=THEN).asked for one in rows]
    assert [one.rights for one in said] == [("rectification",), ("rectification", "objection"), ("access",)]
    corrections = said[0].particulars["rectification"]["corrections"]
    assert [rectification.in_words(one) for one in corrections] == ["Surname: Dough → Doe", "Town: → Cork"]
    assert (dict(said[1].scope), dict(said[1].particulars)) == ({"purposes": ["ai-training"]}, {})


def test_every_column_is_explained() -> None:
    table = PAGE.split("| column |")[1].split("\n\n")[0]
    said = set(re.findall(r"`(\w+)`", table))
    assert {*import_rows.REQUIRED, *import_rows.OPTIONAL, *import_rows.USES, *import_rows.PARTS} <= said
