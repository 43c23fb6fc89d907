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
# expired, open, median and mean days of what was answered
CCPA = f"""
SELECT name, grouping(is_california) = 0,
       count(*),
       count(*) FILTER (WHERE status = 'fulfilled'),
       count(*) FILTER (WHERE status = 'partially_fulfilled'),
       count(*) FILTER (WHERE status = 'refused'),
       count(*) FILTER (WHERE status IN ('withdrawn', 'expired')),
       count(*) FILTER (WHERE closed_at IS NULL),
       percentile_cont(0.5) WITHIN GROUP (ORDER BY days) FILTER (WHERE status = ANY(%(answered)s)),
       avg(days) FILTER (WHERE status = ANY(%(answered)s))
  FROM (SELECT asked.name, request.jurisdiction = %(california)s AS is_california, status, closed_at, {_DAYS} AS days
          FROM requests_app_request AS request
          JOIN unnest(%(names)s::text[], %(rights)s::text[]) AS asked (name, "right") ON asked."right" = request."right"
         WHERE received_at >= %(begins)s AND received_at < %(ends)s) AS counted
 GROUP BY GROUPING SETS ((name), (name, is_california))
HAVING grouping(is_california) = 1 OR is_california
"""
