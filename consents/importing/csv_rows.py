"""CSV (RFC 4180) in UTF-8: a header, commas, quoted fields that may hold line ends."""

import csv
from collections.abc import Iterator
from operator import itemgetter

from consents.importing import lines
from consents.importing.lines import Readable
from consents.importing.rows import COLUMNS, LONGEST_LINE, InputRefused, Refused, Row, Rows, check_columns

_LENGTH = Refused("wrong_length", "The line has more or fewer values than there are columns.")
_QUOTES = Refused("malformed_line", "The line's quotes do not match.")


def read(source: Readable) -> Rows:
    """Each record with the number of the line on which it begins; empty lines are passed over.

    Raises InputRefused: `empty`, `wrong_columns`, `not_utf8`, `line_too_long`, `malformed` for quotes that never end.
    """
    records = _records(source)
    header = next(records, None)
    if header is None:
        raise InputRefused("empty", "There is nothing in it, not even a header.")
    _, names = header
    if isinstance(names, Refused):
        raise InputRefused("malformed", "The header's quotes do not match.")
    check_columns(names, what="The header")
    count = len(names)
    # a column that is left out reads the empty value put behind the last
    pick = itemgetter(*(names.index(column) if column in names else count for column in COLUMNS))
    for number, values in records:
        if isinstance(values, Refused):
            yield number, values
        elif len(values) != count:
            yield number, _LENGTH
        else:
            values.append("")
            yield number, Row._make(pick(values))


def _records(source: Readable) -> Iterator[tuple[int, list[str] | Refused]]:
    csv.field_size_limit(LONGEST_LINE)
    reader = csv.reader((lines.decode(number, line) for number, line in lines.split(source)), strict=True)
    while True:
        start = reader.line_num + 1
        try:
            values = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            if reader.line_num > start or "end of data" in str(error):
                # whatever the open quote swallowed cannot be told apart any more
                raise InputRefused(
                    "malformed", f"A quote opened on line {start} does not end where it should."
                ) from None
            yield start, _QUOTES
            continue
        if values:
            yield start, values
