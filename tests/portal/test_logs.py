"""The last net before a log line is written."""

import io
import json
import logging
from typing import Any

import pytest
import structlog

from portal import logs
from portal.logs import STRUCK


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("to alice@example.org.", f"to {STRUCK}"),
        ("<a.b+c@mail.example.org>", f"<{STRUCK}>"),
        ("{'email': 'alice@example.org'}", f"{{'email': '{STRUCK}'}}"),
        ("email=alice@example.org, bob@x.example", f"email={STRUCK}, {STRUCK}"),
        ("ä@münchen.example", STRUCK),
        ("nobody here, 3 @ 4", "nobody here, 3 @ 4"),
    ],
)
def test_addresses_are_struck_out(text: str, left: str) -> None:
    assert logs.strike(text) == left


def line(written: io.StringIO) -> dict[str, Any]:
    parsed: dict[str, Any] = json.loads(written.getvalue().strip().splitlines()[-1])
    return parsed


def test_a_message_with_arguments_is_written_without_the_address(written: io.StringIO) -> None:
    logging.getLogger("some.library").error("no mailbox %s (%d)", "alice@example.org", 5)
    assert line(written)["event"] == f"no mailbox {STRUCK} (5)"


def test_an_exceptions_text_is_written_without_the_address(written: io.StringIO) -> None:
    try:
        raise ValueError("alice@example.org is taken")
    except ValueError:
        logging.getLogger("some.library").exception("failed")
    assert "alice" not in written.getvalue()
    assert "ValueError" in line(written)["event"]


def test_an_event_is_struck_however_deep_the_address_lies(written: io.StringIO) -> None:
    event = {"to": ["alice@example.org"], "by": {"alice@example.org": ("bob@example.org", 1)}, "n": 2}
    structlog.get_logger("heed").error("sent", what=event, number=7)
    assert "example.org" not in written.getvalue()
    assert line(written)["number"] == 7


def test_an_event_with_an_exception_keeps_its_traceback_and_loses_the_address(written: io.StringIO) -> None:
    try:
        raise ValueError("alice@example.org is taken")
    except ValueError:
        structlog.get_logger("heed").exception("failed")
    assert "example.org" not in written.getvalue()
    assert "ValueError" in line(written)["exception"]


def test_an_object_that_would_print_an_address_is_struck_too(written: io.StringIO) -> None:
    structlog.get_logger("heed").error("odd", what=ValueError("alice@example.org"))
    assert "example.org" not in written.getvalue()
