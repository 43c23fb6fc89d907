"""The statements that `reports` counts with. Each answers (dimension, key, figures) or says what else.

A day is the day where the person lives: the zone is part of the frozen terms.
"""

_DIMENSION = """
       CASE WHEN grouping("right") = 0 THEN 'right' WHEN grouping(jurisdiction) = 0 THEN 'jurisdiction'
            ELSE 'all' END AS dimension,
       coalesce("right", jurisdiction, '') AS key"""
_SETS = 'GROUP BY GROUPING SETS ((), ("right"), (jurisdiction))'
_DAYS = """(closed_at AT TIME ZONE (terms ->> 'timezone'))::date
           - (received_at AT TIME ZONE (terms ->> 'timezone'))::date"""

# of a request that was refused, or answered without something: on which grounds
_GROUNDS = """CASE request.status
               WHEN 'refused' THEN ARRAY[request.refusal_ground::text]
               WHEN 'partially_fulfilled' THEN ARRAY(
                    SELECT task.ground::text FROM requests_app_task AS task
                     WHERE task.request_id = request.id AND task.status = 'exempted'
                     UNION
                    SELECT redaction.ground::text FROM requests_app_redaction AS redaction
                     WHERE redaction.request_id = request.id AND redaction.undone_at IS NULL)
               ELSE ARRAY[]::text[] END"""

RECEIVED = """
SELECT CASE WHEN grouping("right") = 0 THEN 'right' WHEN grouping(jurisdiction) = 0 THEN 'jurisdiction'
            WHEN grouping(channel) = 0 THEN 'channel' WHEN grouping(status) = 0 THEN 'status'
            ELSE 'all' END AS dimension,
       coalesce("right", jurisdiction, channel, status, '') AS key,
       count(*)
  FROM requests_app_request
 WHERE received_at >= %(begins)s AND received_at < %(ends)s
 GROUP BY GROUPING SETS ((), ("right"), (jurisdiction), (channel), (status))
"""

ANSWERED = f"""
SELECT {_DIMENSION},
       count(*),
       count(*) FILTER (WHERE closed_on > due_on),
       count(*) FILTER (WHERE status = 'refused'),
       percentile_cont(ARRAY[0.5, 0.9, 0.99]) WITHIN GROUP (ORDER BY days)
  FROM (SELECT "right", jurisdiction, status, due_on, {_DAYS} AS days,
               (closed_at AT TIME ZONE (terms ->> 'timezone'))::date AS closed_on
          FROM requests_app_request
         WHERE status = ANY(%(answered)s) AND closed_at >= %(begins)s AND closed_at < %(ends)s) AS answered
 {_SETS}
HAVING count(*) > 0
"""

EXTENDED = f"""
SELECT {_DIMENSION}, count(*)
  FROM requests_app_request
 WHERE extended_at >= %(begins)s AND extended_at < %(ends)s
 {_SETS}
"""

OPEN = f"""
SELECT {_DIMENSION},
       count(*),
       count(*) FILTER (WHERE due_on < (%(at)s AT TIME ZONE (terms ->> 'timezone'))::date)
  FROM requests_app_request
 WHERE status <> ALL(%(closed)s)
 {_SETS}
"""

# ground, right, count
REFUSED = """
SELECT refusal_ground, "right", count(*)
  FROM requests_app_request
 WHERE status = 'refused' AND closed_at >= %(begins)s AND closed_at < %(ends)s
 GROUP BY refusal_ground, "right"
 ORDER BY count(*) DESC, refusal_ground, "right"
"""

# month, jurisdiction, right, count
OPTED_OUT = """
SELECT date_trunc('month', received_at AT TIME ZONE 'UTC')::date AS month, jurisdiction, "right", count(*)
  FROM requests_app_request
 WHERE "right" = ANY(%(opt_outs)s) AND received_at >= %(begins)s AND received_at < %(ends)s
 GROUP BY month, jurisdiction, "right"
"""

# what is asked, whether these are California's alone, received, complied in whole, in part, denied, withdrawn or
# expired, open, median and mean days of what was answered; and of what was denied, or left out of what was complied
# with, how many for each of the four causes of § 7102(a)(2): a request with two causes counts in both
CCPA = f"""
SELECT name, grouping(is_california) = 0,
       count(*),
       count(*) FILTER (WHERE status = 'fulfilled'),
       count(*) FILTER (WHERE status = 'partially_fulfilled'),
       count(*) FILTER (WHERE status = 'refused'),
       count(*) FILTER (WHERE status IN ('withdrawn', 'expired')),
       count(*) FILTER (WHERE closed_at IS NULL),
       percentile_cont(0.5) WITHIN GROUP (ORDER BY days) FILTER (WHERE status = ANY(%(answered)s)),
       avg(days) FILTER (WHERE status = ANY(%(answered)s)),
       count(*) FILTER (WHERE grounds && %(not_verifiable)s::text[]),
       count(*) FILTER (WHERE grounds && %(not_by_a_consumer)s::text[]),
       count(*) FILTER (WHERE grounds && %(exempt)s::text[]),
       count(*) FILTER (WHERE grounds && %(other)s::text[])
  FROM (SELECT asked.name, request.jurisdiction = %(california)s AS is_california, status, closed_at, {_DAYS} AS days,
               {_GROUNDS} AS grounds
          FROM requests_app_request AS request
          JOIN unnest(%(names)s::text[], %(rights)s::text[]) AS asked (name, "right") ON asked."right" = request."right"
         WHERE received_at >= %(begins)s AND received_at < %(ends)s) AS counted
 GROUP BY GROUPING SETS ((name), (name, is_california))
HAVING grouping(is_california) = 1 OR is_california
"""
