"""The tables of consents, one file a subject."""

from consents.models.cases import CaseNote, RegulatorCase
from consents.models.holds import Hold
from consents.models.ledger import LedgerEvent, Position, Preference, SequencerState
from consents.models.people import Identifier, Partner, Subject, Suppressed
from consents.models.rules import Notice, Purpose, Recipient, RegimeState, Rule, RuleTurn

__all__ = [
    "CaseNote",
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
    "RuleTurn",
    "SequencerState",
    "Subject",
    "Suppressed",
]
