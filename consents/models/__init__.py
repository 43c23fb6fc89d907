"""The tables of consents, one file a subject."""

from consents.models.cases import RegulatorCase
from consents.models.holds import Hold
from consents.models.ledger import LedgerEvent, Position, Preference, SequencerState
from consents.models.log import Checkpoint, Tile
from consents.models.people import Identifier, Partner, Subject, Suppressed
from consents.models.rules import Notice, Purpose, Recipient, RegimeState, Rule

__all__ = [
    "Checkpoint",
    "Hold",
    "Identifier",
    "LedgerEvent",
    "Notice",
    "Partner",
    "Position",
    "Preference",
    "Purpose",
    "Recipient",
    "RegimeState",
    "RegulatorCase",
    "Rule",
    "SequencerState",
    "Subject",
    "Suppressed",
    "Tile",
]
