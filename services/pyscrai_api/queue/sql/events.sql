-- Reading events, for people and programs.

-- name: page  events of an owner, the newest first. $5 live states, $6 final states, $7 whether it is a retry
SELECT e.*, coalesce(q.lane, g.lane, '') AS lane, q.state AS live, o.state AS final,
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
  AND ($8::text IS NULL OR q.lane = $8)
ORDER BY e.id DESC LIMIT $9;

-- name: some  events of an owner, by id
SELECT e.*, coalesce(q.lane, g.lane, '') AS lane, q.state AS live, o.state AS final,
  coalesce(q.lease_no, o.lease_no) AS lease_no, coalesce(q.claims, o.claims) AS attempt,
  coalesce(q.failures, o.failures) AS failures, coalesce(q.losses, o.losses) AS losses,
  coalesce(q.handbacks, o.handbacks) AS handbacks, o.result, q.error, coalesce(q.engine_id, o.engine_id) AS engine_id,
  CASE WHEN q.state = 1 THEN q.run_at END AS run_at, o.finished_at
FROM events e LEFT JOIN queue q ON q.id = e.id LEFT JOIN outcomes o ON o.event_id = e.id
  LEFT JOIN engines g ON g.id = o.engine_id
WHERE (e.owner = $1 OR e.visibility = 'shared') AND e.id = ANY($2::bigint[])
ORDER BY e.id;

-- name: owner  whose an event is
SELECT owner FROM events WHERE id = $1;
