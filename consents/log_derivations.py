"""What was derived from the ledger, compared with it: preferences must be what the latest choices say."""

from django.db import connection

from consents.log_differences import LISTED, Findings
from consents.vocabulary import PROTECTIVE, SLOT_OF, Kind, Slot

# Of equal times the more protective counts; among equally protective ones, any of that time may stand.
_PREFERENCES = """
WITH said AS (
    SELECT DISTINCT ON (subject_id, slot, purpose, recipient, category)
           subject_id, slot, purpose, recipient, category, occurred_at, protective
      FROM (SELECT *, action = ANY(%(protective)s) AS protective,
                   CASE WHEN action = ANY(%(restriction)s) THEN %(slot_restriction)s
                        WHEN action = ANY(%(signal)s) THEN %(slot_signal)s ELSE %(slot_choice)s END AS slot
              FROM consents_ledgerevent WHERE kind = %(choice)s) AS choice
     ORDER BY subject_id, slot, purpose, recipient, category, occurred_at DESC, protective DESC
)
SELECT COALESCE(said.subject_id, held.subject_id)::text, COALESCE(said.purpose, held.purpose),
       COALESCE(said.slot, held.slot), said.subject_id IS NULL, held.id IS NULL
  FROM said
  FULL JOIN consents_preference AS held
    ON held.subject_id = said.subject_id AND held.slot = said.slot AND held.purpose = said.purpose
       AND held.recipient = said.recipient AND held.category = said.category
  LEFT JOIN consents_ledgerevent AS event ON event.id = held.event_id
 WHERE said.subject_id IS NULL OR held.id IS NULL OR event.id IS NULL OR held.action <> event.action
       OR held.occurred_at <> said.occurred_at OR (held.action = ANY(%(protective)s)) <> said.protective
 LIMIT %(limit)s
"""


def compare_preferences(findings: Findings) -> None:
    """Note each preference that is not what the ledger's latest choice says. One statement; the database sorts."""
    values: dict[str, list[str] | str | int] = {
        "protective": sorted(str(action) for action in PROTECTIVE),
        "restriction": [str(action) for action, slot in SLOT_OF.items() if slot == Slot.RESTRICTION],
        "signal": [str(action) for action, slot in SLOT_OF.items() if slot == Slot.SIGNAL],
        "slot_restriction": str(Slot.RESTRICTION),
        "slot_signal": str(Slot.SIGNAL),
        "slot_choice": str(Slot.CHOICE),
        "choice": str(Kind.CHOICE),
        "limit": LISTED,
    }
    with connection.cursor() as cursor:
        cursor.execute(_PREFERENCES, values)
        for subject, purpose, slot, unsaid, unheld in cursor.fetchall():
            what = "was never said" if unsaid else "is gone" if unheld else "is not the latest choice in the ledger"
            about = purpose or "every purpose"
            findings.note("preference", f"The preference of person {subject} for {about} ({slot}) {what}.")
