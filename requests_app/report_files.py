"""Reports as files: one table as CSV, all of them as one XLSX with a sheet each, written row by row.

Nothing in a cell is ever run: spreadsheets take text that begins like a formula for one, so it is marked as text.
"""

import csv
import io
from collections.abc import Sequence

import xlsxwriter

from requests_app.reports import Cell, Table

_STARTS_FORMULAS = ("=", "+", "-", "@", "\t", "\r", "\n")
_WIDTH = 18


def as_csv(table: Table) -> bytes:
    """RFC 4180 in UTF-8 with its mark, without which spreadsheets misread letters beyond ASCII."""
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow([safe(header) for header in table.headers])
    writer.writerows([[safe(cell) for cell in row] for row in table.rows])
    return text.getvalue().encode("utf-8-sig")


def as_xlsx(tables: Sequence[Table]) -> bytes:
    """One sheet a table; each row is flushed as it is written."""
    place = io.BytesIO()
    options = {"constant_memory": True, "strings_to_formulas": False, "strings_to_urls": False}
    with xlsxwriter.Workbook(place, options) as book:
        bold = book.add_format({"bold": True, "text_wrap": True})
        for table in tables:
            sheet = book.add_worksheet(table.slug)
            sheet.set_column(0, len(table.headers) - 1, _WIDTH)
            sheet.freeze_panes(1, 0)
            for column, header in enumerate(table.headers):
                sheet.write_string(0, column, header, bold)
            for number, row in enumerate(table.rows, start=1):
                for column, cell in enumerate(row):
                    if isinstance(cell, str):
                        sheet.write_string(number, column, cell)
                    elif cell is not None:
                        sheet.write_number(number, column, cell)
    return place.getvalue()


def safe(cell: Cell) -> Cell:
    """The cell, with an apostrophe before text that a spreadsheet would run."""
    if isinstance(cell, str) and cell.startswith(_STARTS_FORMULAS):
        return f"'{cell}"
    return cell
