-- What the background loops do: bounded, indexed, SKIP LOCKED.

-- name: promote  scheduled events whose time has come are ready; `run_at` stays: it says since when
WITH due AS MATERIALIZED (
  SELECT q.id FROM queue q WHERE q.state = 1 AND q.run_at <= now()
  ORDER BY q.run_at, q.id LIMIT $1 FOR UPDATE SKIP LOCKED
)
UPDATE queue q SET state = 2 FROM due WHERE q.id = due.id
RETURNING q.id, q.lane, q.rank, q.pass;

-- name: next_due  seconds until the next scheduled event is due
SELECT extract(epoch FROM q.run_at - now())::float8 FROM queue q WHERE q.state = 1 ORDER BY q.run_at LIMIT 1;

-- name: strays  runs that do not run with ready events at the head of a lane, where claims would walk over them
WITH RECURSIVE lane AS (
  (SELECT q.lane FROM queue q WHERE q.state = 2 ORDER BY q.lane LIMIT 1)
  UNION ALL
  SELECT (SELECT q.lane FROM queue q WHERE q.state = 2 AND q.lane > lane.lane ORDER BY q.lane LIMIT 1)
  FROM lane WHERE lane.lane IS NOT NULL
)
SELECT DISTINCT head.run_id FROM lane CROSS JOIN LATERAL (
  SELECT q.run_id FROM queue q WHERE q.lane = lane.lane AND q.state = 2 ORDER BY q.rank, q.pass, q.id LIMIT $1
) head
WHERE lane.lane IS NOT NULL AND head.run_id IS NOT NULL
  AND (SELECT r.status FROM runs r WHERE r.id = head.run_id) NOT IN ('running', 'completed', 'failed', 'cancelled')
ORDER BY head.run_id;

-- name: lock_still  a run that still does not run, locked
SELECT id FROM runs WHERE id = $1 AND status NOT IN ('running', 'completed', 'failed', 'cancelled')
FOR UPDATE SKIP LOCKED;

-- name: hold  ready events of a run held; the caller holds the run's lock
WITH stray AS MATERIALIZED (
  SELECT q.id FROM queue q WHERE q.run_id = $1 AND q.state = 2 ORDER BY q.id LIMIT $2 FOR UPDATE SKIP LOCKED
)
UPDATE queue q SET state = 5 FROM stray WHERE q.id = stray.id RETURNING q.id;

-- name: expired  leases whose time is over. $2: seconds that this process has seen the database without a break; a
-- lease is left alone until its engine had all of it to renew
SELECT q.id, q.run_id FROM queue q
WHERE q.state = 3 AND q.lease_until < now()
  AND coalesce((SELECT e.lease_seconds FROM engines e WHERE e.id = q.engine_id), 0) <= $2::float8
ORDER BY q.lease_until, q.id LIMIT $1;

-- name: left_reserved  calls still reserved under leases that ended more than $1 seconds ago: only an engine's word could
-- close them, and it has not come
SELECT DISTINCT c.run_id, c.event_id, c.lease_no FROM calls c
JOIN attempts a ON a.event_id = c.event_id AND a.lease_no = c.lease_no
WHERE c.state = 1 AND a.ended_at < now() - make_interval(secs => $1::float8)
ORDER BY c.run_id, c.event_id, c.lease_no LIMIT $2;

-- name: server_start  which life of the server this is
SELECT pg_postmaster_start_time();

-- name: forget  of the next 500 outcomes without a run that ended after $2 and more than $1 seconds ago (with all of one
-- moment), those that nobody paid for, with their events. What was paid for stays: a budget is the sum of its calls.
-- Everything is found by `= ANY` over an array, never by a join: for one the planner reads whole tables
WITH page AS MATERIALIZED (
  SELECT o.event_id, o.finished_at FROM outcomes o
  WHERE o.run_id IS NULL AND o.finished_at > $2::timestamptz
    AND o.finished_at < now() - make_interval(secs => $1::float8)
  ORDER BY o.finished_at FETCH FIRST 500 ROWS WITH TIES
), old AS MATERIALIZED (
  SELECT o.event_id FROM outcomes o
  WHERE o.event_id = ANY(ARRAY(SELECT event_id FROM page))
    AND (SELECT c.event_id FROM calls c WHERE c.event_id = o.event_id AND (c.cost > 0 OR c.state = 1) LIMIT 1) IS NULL
  ORDER BY o.event_id FOR UPDATE OF o SKIP LOCKED
), outcome AS (
  DELETE FROM outcomes o WHERE o.event_id = ANY(ARRAY(SELECT event_id FROM old))
), attempt AS (
  DELETE FROM attempts a WHERE a.event_id = ANY(ARRAY(SELECT event_id FROM old))
), call AS (
  DELETE FROM calls c WHERE c.event_id = ANY(ARRAY(SELECT event_id FROM old))
), event AS (
  DELETE FROM events e WHERE e.id = ANY(ARRAY(SELECT event_id FROM old)) RETURNING e.id
)
SELECT (SELECT max(finished_at) FROM page) AS last, (SELECT count(*) FROM page) AS looked,
  (SELECT count(*) FROM event) AS forgotten;

-- name: forget_engines  engines that went more than $1 seconds ago and hold nothing
DELETE FROM engines WHERE id IN (
  SELECT e.id FROM engines e
  WHERE e.status = 'gone' AND e.last_heartbeat < now() - make_interval(secs => $1::float8)
    AND NOT EXISTS (SELECT FROM queue q WHERE q.engine_id = e.id AND q.state = 3)
  ORDER BY e.id LIMIT $2 FOR UPDATE SKIP LOCKED)
RETURNING id;
