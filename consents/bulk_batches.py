"""Choices on their way into the ledger, in the form in which COPY takes them. Touches no database."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple

import uuid_utils

from consents.vocabulary import PROTECTIVE, SLOT_OF, Action

_ESCAPED = str.maketrans({"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r"})


class Said(NamedTuple):
    """What a choice says, apart from who says it and when."""

    purpose: str
    recipient: str
    category: str
    action: str
    notice: str = ""


class Meant(NamedTuple):
    """Whom a choice names: by a readable value, or by the fingerprints of a contact under every index key."""

    scheme: str
    value: str
    prints: Sequence[bytes] = ()


@dataclass
class Batch:
    """Choices to be recorded together, each known by its line in the input; ids follow the order of the lines."""

    copied: list[str] = field(default_factory=list)
    said: dict[Said, int] = field(default_factory=dict)
    evidence: dict[int, str] = field(default_factory=dict)
    keys: dict[int, Sequence[bytes]] = field(default_factory=dict)
    minors: dict[int, bool] = field(default_factory=dict)
    has_contacts: bool = False

    def add(self, line: int, meant: Meant, said: Said, occurred_at: datetime) -> None:
        """Put one choice in. The value is printable, the time has a zone (see `importing.vetting`)."""
        number = self.said.setdefault(said, len(self.said))
        if meant.prints:
            self.has_contacts = True
            value, prints = "\\N", array(meant.prints)
        else:
            value, prints = meant.value, "\\N"
            if "\\" in value:
                value = value.translate(_ESCAPED)
        self.copied.append(
            f"{line}\t{uuid_utils.uuid7()}\t{meant.scheme}\t{value}\t{prints}\t{number}\t{occurred_at.isoformat()}\n"
        )

    def __len__(self) -> int:
        return len(self.copied)

    def sayings(self) -> list[tuple[object, ...]]:
        """Rows of the table `sent_said`: what was said, numbered by scope and by scope and action."""
        places: dict[tuple[str, ...], int] = {}
        choices: dict[tuple[str, ...], int] = {}
        rows: list[tuple[object, ...]] = []
        for said, number in self.said.items():
            action = Action(said.action)
            place = (SLOT_OF[action], said.purpose, said.recipient, said.category)
            rows.append(
                (
                    number,
                    places.setdefault(place, len(places)),
                    choices.setdefault((*place, said.action), len(choices)),
                    *place,
                    said.action,
                    said.notice,
                    action in PROTECTIVE,
                )
            )
        return rows


def array(prints: Sequence[bytes]) -> str:
    """A bytea[] as COPY's text format writes it: the backslash of \\x doubled once as array and once as text."""
    return "{" + ",".join(f'"\\\\\\\\x{one.hex()}"' for one in prints) + "}"
