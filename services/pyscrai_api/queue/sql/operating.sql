-- What operators stop and let go on, and what they see of the queue.

-- name: stopped  everything that is paused: lanes, event types, engines
SELECT lane, event_type, NULL::uuid AS engine_id FROM pauses
UNION ALL SELECT '', '', id FROM engines WHERE status = 'paused';

-- name: pauses  every pause, with the events of it that are still leased, and those that are held for it
SELECT p.lane, p.event_type, p.reason, p.by, p.since, extract(epoch FROM now() - p.since)::float8 AS seconds,
  (SELECT count(*) FROM queue q WHERE q.state = 3 AND p.lane IN ('', q.lane) AND p.event_type IN ('', q.event_type))
    AS leased,
  (SELECT count(*) FROM (
    SELECT FROM queue q WHERE q.state = 5 AND q.paused AND q.event_type = p.event_type AND p.lane IN ('', q.lane)
    LIMIT 10000) AS bounded) AS held
FROM pauses p ORDER BY p.lane, p.event_type;

-- name: pause  one more pause; of one that there is the reason changes, where one is given, and not since when
INSERT INTO pauses (lane, event_type, reason, by) VALUES ($1, $2, $3, $4)
ON CONFLICT (lane, event_type) DO UPDATE SET reason = excluded.reason, by = excluded.by WHERE excluded.reason <> '';

-- name: names  event types of the catalog, whoever's, with their lanes, and lanes of engines that live
SELECT t.name AS event_type, v.canonical::jsonb ->> 'lane' AS lane
FROM templates t JOIN template_versions v ON v.template_id = t.id AND v.version = t.latest
WHERE t.type = 'event-types' AND t.archived_at IS NULL
UNION SELECT NULL, lane FROM engines WHERE status <> 'gone';

-- name: resume  a pause ends
DELETE FROM pauses WHERE lane = $1 AND event_type = $2 RETURNING lane;

-- name: paused_ready  ready events of paused types at the head of each lane, where claims would walk over them
WITH RECURSIVE lane AS (
  (SELECT q.lane FROM queue q WHERE q.state = 2 ORDER BY q.lane LIMIT 1)
  UNION ALL
  SELECT (SELECT q.lane FROM queue q WHERE q.state = 2 AND q.lane > lane.lane ORDER BY q.lane LIMIT 1)
  FROM lane WHERE lane.lane IS NOT NULL
)
SELECT head.id, head.run_id FROM lane CROSS JOIN LATERAL (
  SELECT q.id, q.run_id, q.event_type FROM queue q
  WHERE q.lane = lane.lane AND q.state = 2 ORDER BY q.rank, q.pass, q.id LIMIT $1
) AS head
WHERE lane.lane IS NOT NULL
  AND EXISTS (SELECT FROM pauses p WHERE p.event_type = head.event_type AND p.lane IN ('', lane.lane));

-- name: let_go  events that are held for pauses which are over
WITH RECURSIVE kind AS (
  (SELECT q.event_type, q.lane FROM queue q WHERE q.state = 5 AND q.paused ORDER BY q.event_type, q.lane LIMIT 1)
  UNION ALL
  SELECT following.event_type, following.lane FROM kind CROSS JOIN LATERAL (
    SELECT q.event_type, q.lane FROM queue q
    WHERE q.state = 5 AND q.paused AND (q.event_type, q.lane) > (kind.event_type, kind.lane)
    ORDER BY q.event_type, q.lane LIMIT 1
  ) AS following
)
SELECT held.id, held.run_id FROM kind CROSS JOIN LATERAL (
  SELECT q.id, q.run_id FROM queue q
  WHERE q.state = 5 AND q.paused AND q.event_type = kind.event_type AND q.lane = kind.lane ORDER BY q.id LIMIT $1
) AS held
WHERE NOT EXISTS (SELECT FROM pauses p WHERE p.event_type = kind.event_type AND p.lane IN ('', kind.lane))
LIMIT $1;

-- name: lock_runs  the runs of events that are going to be held or let go, locked; those that somebody holds another time
SELECT r.id FROM runs r WHERE r.id = ANY($1::uuid[]) ORDER BY r.id FOR UPDATE SKIP LOCKED;

-- name: hold_paused  ready events ($1) of a paused type, without a run or of one that is locked here ($2), held
WITH stray AS MATERIALIZED (
  SELECT q.id FROM queue q
  WHERE q.id = ANY($1::bigint[]) AND (q.state + 0) = 2 AND (q.run_id IS NULL OR q.run_id = ANY($2::uuid[]))
    AND EXISTS (SELECT FROM pauses p WHERE p.event_type = q.event_type AND p.lane IN ('', q.lane))
  ORDER BY q.id FOR UPDATE OF q SKIP LOCKED
)
UPDATE queue q SET state = 5, paused = true FROM stray WHERE q.id = stray.id RETURNING q.id;

-- name: release_paused  events ($1) held for a pause that is over made ready; where their run ($2) does not run, or money
-- is waited for, they stay held for that
WITH held AS MATERIALIZED (
  SELECT q.id, q.need IS NULL
    AND (q.run_id IS NULL OR (SELECT r.status FROM runs r WHERE r.id = q.run_id) = 'running') AS goes
  FROM queue q
  WHERE q.id = ANY($1::bigint[]) AND (q.state + 0) = 5 AND q.paused AND (q.run_id IS NULL OR q.run_id = ANY($2::uuid[]))
    AND NOT EXISTS (SELECT FROM pauses p WHERE p.event_type = q.event_type AND p.lane IN ('', q.lane))
  ORDER BY q.id FOR UPDATE OF q SKIP LOCKED
)
UPDATE queue q SET state = CASE WHEN held.goes THEN 2 ELSE 5 END, paused = NULL FROM held WHERE q.id = held.id
RETURNING q.id, q.state, q.lane, q.rank, q.pass;

-- name: promote  a scheduled event made ready before its time
UPDATE queue q SET state = 2, run_at = now() WHERE q.id = $1 AND (q.state + 0) = 1
RETURNING q.id, q.rank, q.pass;

-- name: dead  dead letters after $2 that match, of owner $1 (NULL: of everybody): named ($3), of a run, a lane, a type, with
-- the code $7 of their last error, dead for $8 seconds. At most $9, and of the first 5,000 after $2, so that it ends soon
WITH looked AS MATERIALIZED (
  SELECT q.id, q.run_id, q.lane, q.event_type FROM queue q
  WHERE q.state = 6 AND q.id > $2 AND ($3::bigint[] IS NULL OR q.id = ANY($3)) ORDER BY q.id LIMIT 5000
), matching AS (
  SELECT d.id, d.run_id FROM looked d
  WHERE ($4::uuid IS NULL OR d.run_id = $4) AND ($5::text IS NULL OR d.lane = $5)
    AND ($6::text IS NULL OR d.event_type = $6)
    AND ($1::text IS NULL OR (SELECT e.owner FROM events e WHERE e.id = d.id) = $1)
    AND (($7::text IS NULL AND $8::float8 IS NULL) OR (
      SELECT ($7 IS NULL OR a.code = $7) AND ($8 IS NULL OR a.ended_at < now() - make_interval(secs => $8))
      FROM attempts a WHERE a.event_id = d.id ORDER BY a.lease_no DESC LIMIT 1))
  ORDER BY d.id LIMIT $9
)
SELECT seen.looked, seen.last, matching.id, matching.run_id
FROM (SELECT count(*) AS looked, max(id) AS last FROM looked) AS seen LEFT JOIN matching ON true ORDER BY matching.id;

-- name: size  how many pages the queue has
SELECT pg_relation_size('queue') / current_setting('block_size')::int;

-- name: depths  live events by lane, type and state
SELECT lane, event_type, state, count(*) AS events FROM queue GROUP BY lane, event_type, state;

-- name: depths_sampled  the same of $1 per cent of the pages, each counted $2 times; what is leased or dead is counted,
-- up to a bound
SELECT lane, event_type, state, (count(*) * $2::float8)::bigint AS events FROM queue TABLESAMPLE SYSTEM ($1::float4)
WHERE (state + 0) NOT IN (3, 6) GROUP BY lane, event_type, state
UNION ALL
SELECT lane, event_type, 3, count(*) FROM (SELECT lane, event_type FROM queue WHERE state = 3 LIMIT 20000) AS leased
GROUP BY lane, event_type
UNION ALL
SELECT lane, event_type, 6, count(*) FROM (SELECT lane, event_type FROM queue WHERE state = 6 LIMIT 20000) AS dead
GROUP BY lane, event_type;

-- name: oldest  by lane, for how many seconds the first in line of some priority has been ready
WITH RECURSIVE line AS (
  (SELECT q.lane, q.rank FROM queue q WHERE q.state = 2 ORDER BY q.lane, q.rank LIMIT 1)
  UNION ALL
  SELECT following.lane, following.rank FROM line CROSS JOIN LATERAL (
    SELECT q.lane, q.rank FROM queue q WHERE q.state = 2 AND (q.lane, q.rank) > (line.lane, line.rank)
    ORDER BY q.lane, q.rank LIMIT 1
  ) AS following
)
SELECT line.lane, greatest(0, extract(epoch FROM now() - min(head.since)))::float8 AS seconds
FROM line CROSS JOIN LATERAL (
  SELECT greatest(q.run_at, (SELECT e.created_at FROM events e WHERE e.id = q.id)) AS since
  FROM queue q WHERE q.lane = line.lane AND q.state = 2 AND q.rank = line.rank ORDER BY q.pass, q.id LIMIT 1
) AS head GROUP BY line.lane;
