"""Cells of CSV: nothing in them runs, in whatever way a spreadsheet parts them."""

import pytest

from requests_app.packages import tabular


@pytest.mark.parametrize("formula", ["=1+1", "+cmd|' /C calc'!A0", "-1+1", "@SUM(1)"])
@pytest.mark.parametrize("before", ["a;", 'a; "', "a\n", "a\r\n"])
def test_nothing_runs_where_cells_are_parted_by_semicolons(before: str, formula: str) -> None:
    assert tabular._cell(f"{before}{formula};b") == f"{before}'{formula};b"


@pytest.mark.parametrize("text", ["a ;-) b", "x\n- one\n- two", "a\n@bob hi", "a;b=c", "1;2"])
def test_what_is_no_formula_stays_as_it_is(text: str) -> None:
    assert tabular._cell(text) == text
