"""Many requests at once, set-based, for what is measured over a hundred thousand of them."""

import json
import uuid

from django.db import connection

from portal import clock
from requests_app import rulebook
from requests_app.states import Channel, Right, Status

OPEN = [Status.RECEIVED, Status.IN_PROGRESS, Status.AWAITING_SUBJECT, Status.IN_REVIEW]
_PLACES = ["GB", "DE", "FR", "US-CA", "US-VA", "CA", "BR", "CH", "ES", "IT"]
_GROW = """
WITH person AS (
    INSERT INTO consents_subject (id, jurisdiction, locale, is_minor, registered_at)
    SELECT gen_random_uuid(), (%(places)s::text[])[1 + n %% %(n_places)s], 'en', false, now()
      FROM generate_series(1, %(rows)s) AS n
    RETURNING id, jurisdiction
), numbered AS (
    SELECT id, jurisdiction, row_number() OVER () AS n FROM person
)
INSERT INTO requests_app_request
       (id, "right", status, subject_id, channel, capacity, partner, "group", locale, scope, jurisdiction, rule,
        rulebook_digest, terms, received_at, identity_confirmed_at, due_on, assigned_to_id, carried_out_by,
        refusal_ground)
SELECT gen_random_uuid(), (%(rights)s::text[])[1 + n %% %(n_rights)s], (%(statuses)s::text[])[1 + n %% %(n_statuses)s],
       id, (%(channels)s::text[])[1 + n %% %(n_channels)s], 'self', '', gen_random_uuid(), 'en', '{}', jurisdiction,
       jurisdiction, repeat('0', 64),
       jsonb_set(%(terms)s::jsonb, '{timezone}', %(zones)s::jsonb -> jurisdiction),
       now() - n %% 60 * interval '1 day', now() - n %% 60 * interval '1 day',
       current_date - 15 + (n %% 60)::int, CASE WHEN n %% 3 = 0 THEN NULL ELSE %(staff)s::uuid END, '', ''
  FROM numbered
"""


def grow(*, rows: int, staff_id: uuid.UUID | None = None) -> None:
    """So many open requests, of as many people, over places, rights, states, doors and sixty days."""
    rights = [str(one) for one in Right]
    channels = [str(one) for one in Channel]
    terms = json.dumps(rulebook.freeze(rulebook.rule_for("GB", "access", on=clock.now())))
    with connection.cursor() as cursor:
        cursor.execute(
            _GROW,
            {
                "rows": rows,
                "places": _PLACES,
                "n_places": len(_PLACES),
                "zones": json.dumps({place: rulebook.load().zone_of(place) for place in _PLACES}),
                "rights": rights,
                "n_rights": len(rights),
                "statuses": [str(one) for one in OPEN],
                "n_statuses": len(OPEN),
                "channels": channels,
                "n_channels": len(channels),
                "terms": terms,
                "staff": staff_id,
            },
        )
        cursor.execute("ANALYZE")
