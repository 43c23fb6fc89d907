"""The tables of consents, one file a subject."""

from consents.models.cases import CaseNote, RegulatorCase
from consents.models.contacts import ContactVerification
from consents.models.holds import Hold
from consents.models.imports import ChoiceImport, ImportedKey, ImportRejection, ImportState
from consents.models.ledger import LedgerEvent, Position, Preference, SequencerState
from consents.models.log import Checkpoint, Tile
from consents.models.notices import Letter, NoticeDelivery, NoticeDraft
from consents.models.people import Identifier, Partner, Subject, Suppressed
from consents.models.rules import Notice, NoticeTurn, Purpose, Recipient, RegimeState, Rule, RuleTurn

__all__ = [
    "CaseNote",
    "Checkpoint",
    "ChoiceImport",
    "ContactVerification",
    "Hold",
    "Identifier",
    "ImportRejection",
    "ImportState",
    "ImportedKey",
    "LedgerEvent",
    "Letter",
    "Notice",
    "NoticeDelivery",
    "NoticeDraft",
    "NoticeTurn",
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
    "Tile",
]
