"""The SQL of `consents.bulk_ledger`: from rows sent by COPY to events and preferences.

The temporary tables are the session's own and empty themselves at commit: what is sent is in no backup, no replica and
no write-ahead log, and a crash leaves nothing behind. LATERAL … LIMIT 1 keeps each look-up on its index
at any size of the tables, whatever the planner believes of tables that it has never analysed.
"""

from consents.ledger import INTO_PREFERENCES, LATER_WINS, RESTRICTED_BY_US

TABLES = {
    "sent": "line bigint, event_id uuid, scheme text, value text, prints bytea[], said int, occurred_at timestamptz",
    "sent_said": "id int, place int, choice int, slot text, purpose text, recipient text, category text,"
    " action text, notice text, protective boolean",
    "sent_key": "line bigint, prints bytea[]",
    "sent_minor": "line bigint, is_minor boolean",
    "sent_evidence": "line bigint, sealed bytea",
    "named": "line bigint, subject_id uuid",
    "living": "subject_id uuid",
    "verdict": "line bigint, code text",
    "fresh": "line bigint, event_id uuid, subject_id uuid, said int, occurred_at timestamptz",
}
PREPARE = (
    "".join(f"CREATE TEMP TABLE IF NOT EXISTS {one} ({of}) ON COMMIT DELETE ROWS;\n" for one, of in TABLES.items())
    # inside an outer transaction the commit that would empty them has not come yet
    + f"TRUNCATE {', '.join(TABLES)};\nSET LOCAL jit = off"
)

COPY_SENT = "COPY sent (line, event_id, scheme, value, prints, said, occurred_at) FROM STDIN"
COPY_SAID = (
    "COPY sent_said (id, place, choice, slot, purpose, recipient, category, action, notice, protective) FROM STDIN"
)
COPY_KEYS = "COPY sent_key (line, prints) FROM STDIN"
COPY_MINORS = "COPY sent_minor (line, is_minor) FROM STDIN"
COPY_EVIDENCE = "COPY sent_evidence (line, sealed) FROM STDIN"

NAME_BY_VALUE = """
INSERT INTO named
SELECT sent.line, found.subject_id
  FROM sent
 CROSS JOIN LATERAL (SELECT one.subject_id FROM consents_identifier AS one
                      WHERE one.scheme = sent.scheme AND one.value = sent.value LIMIT 1) AS found
"""
NAME_BY_FINGERPRINT = """
INSERT INTO named
SELECT sent.line, found.subject_id
  FROM sent
 CROSS JOIN LATERAL (SELECT one.subject_id FROM consents_identifier AS one
                      WHERE one.scheme = sent.scheme AND one.fingerprint = ANY(sent.prints) LIMIT 1) AS found
"""

# Locked as `ledger.record` locks, so that nobody is forgotten meanwhile; in the order of ids, so that two
# batches never wait for each other. Whoever was erased while we waited has no key any more.
LOCK = """
INSERT INTO living
SELECT seen.id
  FROM (SELECT DISTINCT subject_id FROM named ORDER BY subject_id) AS meant
 CROSS JOIN LATERAL (SELECT one.id FROM consents_subject AS one
                      WHERE one.id = meant.subject_id AND one.wrapped_key IS NOT NULL
                        AND (%(everywhere)s OR one.jurisdiction = ANY(%(codes)s)
                             OR one.jurisdiction LIKE ANY(%(prefixes)s))
                        FOR NO KEY UPDATE) AS seen
"""
UNNAMED = """
SELECT sent.line, sent.scheme, sent.value, sent.prints
  FROM sent LEFT JOIN named USING (line) LEFT JOIN living USING (subject_id)
 WHERE living.subject_id IS NULL
 ORDER BY sent.line
"""

_KNOWN_ROWS = """
  FROM sent
  JOIN sent_said AS said ON said.id = sent.said
  JOIN named USING (line)
  JOIN living USING (subject_id)
"""
# A key that was used before: the same choice again is a repetition, another one a mistake of the sender.
KEYS_BEFORE = f"""
INSERT INTO verdict
SELECT sent.line,
       CASE WHEN (event.subject_id, event.purpose, event.recipient, event.category, event.action, event.occurred_at)
               = (named.subject_id, said.purpose, said.recipient, said.category, said.action, sent.occurred_at)
            THEN 'repeated' ELSE 'key_reused' END
{_KNOWN_ROWS}
  JOIN sent_key USING (line)
 CROSS JOIN LATERAL (SELECT one.event_id FROM consents_importedkey AS one
                      WHERE one.sender = %(by)s AND one.fingerprint = ANY(sent_key.prints) LIMIT 1) AS used
 CROSS JOIN LATERAL (SELECT * FROM consents_ledgerevent AS one WHERE one.id = used.event_id LIMIT 1) AS event
"""
NOT_THEIRS = f"""
INSERT INTO verdict
SELECT asked.line, 'restriction_not_yours'
  FROM (SELECT sent.line, living.subject_id, said.purpose, said.recipient, said.category, sent.occurred_at
        {_KNOWN_ROWS}
         WHERE said.action = 'unrestrict'
           AND NOT EXISTS (SELECT FROM verdict WHERE verdict.line = sent.line)) AS asked
 WHERE {RESTRICTED_BY_US}
"""
KEYS_TWICE = f"""
INSERT INTO verdict
SELECT line, CASE WHEN (subject_id, choice, occurred_at) = (first_subject, first_choice, first_time)
                  THEN 'repeated' ELSE 'key_reused' END
  FROM (SELECT sent.line, living.subject_id, said.choice, sent.occurred_at,
               first_value(living.subject_id) OVER one_key AS first_subject,
               first_value(said.choice) OVER one_key AS first_choice,
               first_value(sent.occurred_at) OVER one_key AS first_time,
               row_number() OVER one_key AS nth
        {_KNOWN_ROWS}
          JOIN sent_key USING (line)
         WHERE NOT EXISTS (SELECT FROM verdict WHERE verdict.line = sent.line)
        WINDOW one_key AS (PARTITION BY sent_key.prints[1] ORDER BY sent.line)) AS keyed
 WHERE nth > 1
"""
KEEP_KEYS = """
INSERT INTO consents_importedkey (sender, fingerprint, index_key, event_id)
SELECT %(by)s, sent_key.prints[1], %(index_key)s, fresh.event_id FROM sent_key JOIN fresh USING (line)
"""

# What this sender has said already is not said again. A twin in the ledger can only be where the preference
# is of that moment or a later one, so the ledger is looked at only there.
FRESH = f"""
INSERT INTO fresh
SELECT told.line, told.event_id, told.subject_id, told.said, told.occurred_at
  FROM (SELECT sent.line, sent.event_id, living.subject_id, sent.said, sent.occurred_at,
               said.slot, said.purpose, said.recipient, said.category, said.action,
               row_number() OVER (PARTITION BY living.subject_id, said.choice, sent.occurred_at
                                      ORDER BY sent.line) AS nth
        {_KNOWN_ROWS}
         WHERE NOT EXISTS (SELECT FROM verdict WHERE verdict.line = sent.line)) AS told
  LEFT JOIN LATERAL (SELECT one.occurred_at FROM consents_preference AS one
                      WHERE one.subject_id = told.subject_id AND one.slot = told.slot
                        AND one.purpose = told.purpose AND one.recipient = told.recipient
                        AND one.category = told.category AND one.occurred_at >= told.occurred_at
                      LIMIT 1) AS held ON true
  LEFT JOIN LATERAL (SELECT one.id FROM consents_ledgerevent AS one
                      WHERE held.occurred_at IS NOT NULL AND one.subject_id = told.subject_id
                        AND one.kind = 'choice' AND one.occurred_at = told.occurred_at
                        AND one.action = told.action AND one.purpose = told.purpose
                        AND one.recipient = told.recipient AND one.category = told.category
                        AND one.source = %(source)s AND one.actor = %(by)s
                      LIMIT 1) AS twin ON true
 WHERE told.nth = 1 AND twin.id IS NULL
"""
KEYS_OF_PEOPLE = """
SELECT fresh.line, subject.id, subject.wrapped_key
  FROM fresh
 CROSS JOIN LATERAL (SELECT one.id, one.wrapped_key FROM consents_subject AS one
                      WHERE one.id = fresh.subject_id LIMIT 1) AS subject
 WHERE fresh.line = ANY(%(lines)s)
"""

EVENTS = """
INSERT INTO consents_ledgerevent (id, kind, subject_id, purpose, recipient, category, action, source, actor, notice,
                                  evidence, details, occurred_at, recorded_at)
SELECT fresh.event_id, 'choice', fresh.subject_id, said.purpose, said.recipient, said.category, said.action,
       %(source)s, %(by)s, said.notice, sent_evidence.sealed,
       jsonb_build_object('import', %(import)s::text, 'line', fresh.line), fresh.occurred_at, %(at)s
  FROM fresh
  JOIN sent_said AS said ON said.id = fresh.said
  LEFT JOIN sent_evidence USING (line)
 ORDER BY fresh.event_id
"""
PREFERENCES = f"""{INTO_PREFERENCES}
SELECT DISTINCT ON (fresh.subject_id, said.place)
       fresh.subject_id, said.slot, said.purpose, said.recipient, said.category, said.action, fresh.event_id,
       fresh.occurred_at, %(at)s::timestamptz
  FROM fresh
  JOIN sent_said AS said ON said.id = fresh.said
 ORDER BY fresh.subject_id, said.place, fresh.occurred_at DESC, said.protective DESC, fresh.line DESC
{LATER_WINS}"""

# The flag follows the latest moment at which anybody spoke of it, as a preference does, and a registration spoke of it
# too; of equal moments the minor counts. Rows whose choice is known already speak of it as well, refused ones do not.
CHANGED_MINORS = """
SELECT told.subject_id, told.line, told.is_minor, told.occurred_at
  FROM (SELECT DISTINCT ON (living.subject_id)
               living.subject_id, sent.line, sent_minor.is_minor, sent.occurred_at
          FROM sent_minor
          JOIN sent USING (line)
          JOIN named USING (line)
          JOIN living USING (subject_id)
         WHERE NOT EXISTS (SELECT FROM verdict WHERE verdict.line = sent.line AND verdict.code <> 'repeated')
         ORDER BY living.subject_id, sent.occurred_at DESC, sent_minor.is_minor DESC, sent.line) AS told
 CROSS JOIN LATERAL (SELECT one.is_minor, one.registered_at FROM consents_subject AS one
                      WHERE one.id = told.subject_id LIMIT 1) AS subject
 WHERE subject.is_minor IS DISTINCT FROM told.is_minor
   AND (told.is_minor OR told.occurred_at > subject.registered_at)
   AND NOT EXISTS (SELECT FROM consents_ledgerevent AS one
                    WHERE one.subject_id = told.subject_id AND one.kind = 'amendment'
                      AND jsonb_exists(one.details -> 'was', 'is_minor')
                      AND (one.occurred_at > told.occurred_at
                           OR one.occurred_at = told.occurred_at AND NOT told.is_minor))
"""
AMEND = """
UPDATE consents_subject SET is_minor = NOT is_minor, amended_at = greatest(amended_at, %(at)s)
 WHERE id = ANY(%(subjects)s)
"""
