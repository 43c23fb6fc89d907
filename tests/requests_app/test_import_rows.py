"""Lines of a file: what is to be corrected is read as if it had been sent in fields, whatever stands in the cells."""

import csv
import io
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from portal.errors import DomainError
from requests_app import import_rows
from requests_app.rights import rectification
from requests_app.states import Right
from tests.conftest import AT
from tests.requests_app.import_files import line

# a cell's NUL, and half of a surrogate pair, are in no file of UTF-8 that a spreadsheet saves
_cells = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=12).map(str.strip)
_texts = _cells.filter(lambda text: not text.startswith(("=", "#")))
_corrections = st.lists(st.fixed_dictionaries({"what": _texts, "wrong": _texts, "right": _texts}), max_size=20)


def read_back(listed: list[dict[str, str]], delimiter: str) -> dict[str, Any]:
    """What a file of one line says is to be corrected."""
    columns = {place: column for column, place in import_rows.CORRECTIONS.items()}
    cells = {columns[number, part]: one[part] for number, one in enumerate(listed, start=1) for part in one}
    said = line(rights="rectification", **cells)
    text = io.StringIO()
    writer = csv.DictWriter(text, said.keys(), delimiter=delimiter)
    writer.writeheader()
    writer.writerow(said)
    [row] = import_rows.read(io.BytesIO(text.getvalue().encode()))
    assert isinstance(row, import_rows.Row)
    return dict(import_rows.taken(row, at=AT).asked.particulars.get(Right.RECTIFICATION, {}))


def refusal_of(act: Any) -> tuple[str, Any]:
    try:
        return "", act()
    except DomainError as error:
        return error.code, None


@given(listed=_corrections, delimiter=st.sampled_from(",;\t"))
@settings(max_examples=150, deadline=None)
def test_a_file_says_what_fields_say(listed: list[dict[str, str]], delimiter: str) -> None:
    named = [one for one in listed if any(one.values())]
    in_fields = refusal_of(lambda: rectification.details({"corrections": named} if named else {}))
    assert refusal_of(lambda: read_back(listed, delimiter)) == in_fields
