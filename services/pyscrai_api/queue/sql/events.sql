-- Reading events, for people and programs.

-- name: page  events of an owner, the newest first. $5 live states, $6 final states, $7 whether it is a retry
SELECT e.*, coalesce(q.lane, o.lane, g.lane, '') AS lane, q.state AS live, o.state AS final,
  coalesce(q.lease_no, o.lease_no) AS lease_no, coalesce(q.claims, o.claims) AS attempt,
  coalesce(q.failures, o.failures) AS failures, coalesce(q.losses, o.losses) AS losses,
  coalesce(q.handbacks, o.handbacks) AS handbacks, o.result, q.error, coalesce(q.engine_id, o.engine_id) AS engine_id,
  CASE WHEN q.state = 1 THEN q.run_at END AS run_at, o.finished_at
FROM events e LEFT JOIN queue q ON q.id = e.id LEFT JOIN outcomes o ON o.event_id = e.id
  LEFT JOIN engines g ON g.id = o.engine_id
WHERE (e.owner = $1 OR e.visibility = 'shared') AND ($2::bigint IS NULL OR e.id < $2)
  AND ($3::uuid IS NULL OR e.run_id = $3) AND ($4::text IS NULL OR e.event_type = $4)
  AND (($5::smallint[] IS NULL AND $6::smallint[] IS NULL) OR q.state = ANY($5) OR o.state = ANY($6))
  AND ($7::bool IS NULL OR q.state IS DISTINCT FROM 1 OR (q.failures > 0) = $7)
ORDER BY e.id DESC LIMIT $8;

-- name: in_lane  the same that are or were in lane $8, their ids, of the first 5,000 below $2 (of the run, where one is
-- named): the lane of what has ended is found event by event, and so it ends soon. `last`: how far it has looked
WITH looked AS MATERIALIZED (
  (SELECT e.id FROM events e WHERE $3::uuid IS NULL AND e.id < coalesce($2::bigint, 9223372036854775807)
   ORDER BY e.id DESC LIMIT 5000)
  UNION ALL
  (SELECT e.id FROM events e WHERE e.run_id = $3 AND e.id < coalesce($2::bigint, 9223372036854775807)
   ORDER BY e.id DESC LIMIT 5000)
), matching AS (
  SELECT e.id FROM looked
  CROSS JOIN LATERAL (SELECT * FROM events WHERE id = looked.id OFFSET 0) e
  LEFT JOIN LATERAL (SELECT lane, state, failures FROM queue WHERE id = looked.id OFFSET 0) q ON true
  LEFT JOIN LATERAL (SELECT lane, state, engine_id FROM outcomes WHERE event_id = looked.id OFFSET 0) o ON true
  WHERE (e.owner = $1 OR e.visibility = 'shared') AND ($4::text IS NULL OR e.event_type = $4)
    AND (($5::smallint[] IS NULL AND $6::smallint[] IS NULL) OR q.state = ANY($5) OR o.state = ANY($6))
    AND ($7::bool IS NULL OR q.state IS DISTINCT FROM 1 OR (q.failures > 0) = $7)
    AND coalesce(q.lane, o.lane, (SELECT g.lane FROM engines g WHERE g.id = o.engine_id)) = $8
  ORDER BY e.id DESC LIMIT $9
)
SELECT seen.looked, seen.last, matching.id
FROM (SELECT count(*) AS looked, min(id) AS last FROM looked) AS seen LEFT JOIN matching ON true ORDER BY matching.id DESC;

-- name: some  events of an owner, by id
SELECT e.*, coalesce(q.lane, o.lane, g.lane, '') AS lane, q.state AS live, o.state AS final,
  coalesce(q.lease_no, o.lease_no) AS lease_no, coalesce(q.claims, o.claims) AS attempt,
  coalesce(q.failures, o.failures) AS failures, coalesce(q.losses, o.losses) AS losses,
  coalesce(q.handbacks, o.handbacks) AS handbacks, o.result, q.error, coalesce(q.engine_id, o.engine_id) AS engine_id,
  CASE WHEN q.state = 1 THEN q.run_at END AS run_at, o.finished_at
FROM events e LEFT JOIN queue q ON q.id = e.id LEFT JOIN outcomes o ON o.event_id = e.id
  LEFT JOIN engines g ON g.id = o.engine_id
WHERE (e.owner = $1 OR e.visibility = 'shared') AND e.id = ANY($2::bigint[])
ORDER BY e.id;

-- name: dead  dead letters, by id, whoever's they are: nothing of what was asked for, or of what was said of the failure
SELECT e.id, e.event_type, q.lane, q.state AS live, NULL AS final, e.priority, '{}' AS payload, e.run_id, e.step,
  e.ordinal, NULL AS seat, e.turn, NULL AS phase, q.lease_no, q.claims AS attempt, q.failures, q.losses, q.handbacks,
  NULL AS result, NULL AS error, q.engine_id, e.created_at, NULL AS run_at, NULL AS finished_at, e.owner,
  (SELECT a.code FROM attempts a WHERE a.event_id = e.id ORDER BY a.lease_no DESC LIMIT 1) AS code
FROM queue q JOIN events e ON e.id = q.id WHERE q.id = ANY($1::bigint[]) AND (q.state + 0) = 6 ORDER BY q.id;

-- name: owner  whose an event is
SELECT owner FROM events WHERE id = $1;
