-- Engines: registering, heartbeats, leaving.

-- name: register  a new engine; none for an owner who is being removed meanwhile
WITH present AS MATERIALIZED (SELECT name FROM users WHERE name = $5 FOR KEY SHARE)
INSERT INTO engines (id, engine_type, pool, lane, owner, token_hash, status, capabilities, resource_limits,
                     engine_metadata, lease_seconds, heartbeat_seconds, protocol)
SELECT $1, $2, $3, $4, $5, $6, 'active', $7::jsonb, $8::jsonb, $9::jsonb, $10, $11, $12
WHERE $5 = 'local' OR EXISTS (SELECT 1 FROM present)
RETURNING *;

-- name: owner  who registered an engine
SELECT owner FROM engines WHERE id = $1;

-- name: one  an engine that $2 may see: their own, and those that work for everybody; `local` sees all
SELECT * FROM engines WHERE id = $1 AND ($2 IN ('local', owner) OR (owner = 'local' AND pool IS NULL));

-- name: page  engines that $5 may see, in the order of their registration; without a status, those that live
SELECT * FROM engines
WHERE ($5 IN ('local', owner) OR (owner = 'local' AND pool IS NULL)) AND ($1::text IS NULL OR engine_type = $1) AND ($4::text IS NULL OR lane = $4)
  AND CASE WHEN $2::text IS NULL THEN status <> 'gone' ELSE status = $2 END
ORDER BY id LIMIT $3;

-- name: to_claim  what a claim needs of an engine, and its event types where capabilities name some
SELECT e.lane, e.engine_type, e.status, e.lease_seconds, e.heartbeat_seconds,
  e.last_heartbeat < now() - make_interval(secs => e.heartbeat_seconds) AS silent,
  (SELECT array_agg(DISTINCT t.name) FROM templates t
   WHERE jsonb_array_length(e.capabilities) > 0 AND t.type = 'event-types' AND t.archived_at IS NULL
     AND e.capabilities ? t.name) AS types
FROM engines e WHERE e.id = $1;

-- name: seen  a sign of life other than a heartbeat
UPDATE engines SET last_heartbeat = now() WHERE id = $1 AND status <> 'gone';

-- name: stop  an engine that lives is paused or drains, because an operator wants it; one that drains goes on draining
UPDATE engines SET status = $2 WHERE id = $1 AND status IN ('active', 'paused') RETURNING *;

-- name: beat  a heartbeat; an engine that drains goes on draining, one that is paused stays so
UPDATE engines SET last_heartbeat = now(), current_workload = $2, resource_utilization = $3::jsonb,
  status = CASE WHEN $4 OR status = 'draining' THEN 'draining' WHEN status = 'paused' THEN 'paused' ELSE 'active' END
WHERE id = $1 AND status <> 'gone'
RETURNING *;

-- name: renew  the leases that an engine says it works on; returns the events renewed
WITH held AS MATERIALIZED (
  SELECT q.id FROM unnest($2::bigint[], $3::int[]) AS i (id, lease_no) JOIN queue q ON q.id = i.id
  WHERE q.lease_no = i.lease_no AND (q.state + 0) = 3 AND q.engine_id = $1
  ORDER BY q.id FOR UPDATE OF q
)
UPDATE queue q SET lease_until = now() + make_interval(secs => $4::float8) FROM held WHERE q.id = held.id
RETURNING q.id;

-- name: renew_all  all that it holds, for clients that list nothing; never past $3 seconds from the claim
WITH held AS MATERIALIZED (
  SELECT q.id FROM queue q WHERE q.engine_id = $1 AND q.state = 3 ORDER BY q.id FOR UPDATE
)
UPDATE queue q
SET lease_until = least(now() + make_interval(secs => $2::float8), q.leased_at + make_interval(secs => $3::float8))
FROM held WHERE q.id = held.id
RETURNING q.id;

-- name: unlisted  leases that an engine holds and does not list, claimed more than $3 seconds ago: it never got them
SELECT q.id, q.run_id, q.lease_no FROM queue q
WHERE q.engine_id = $1 AND q.state = 3 AND q.id <> ALL($2::bigint[])
  AND q.leased_at < now() - make_interval(secs => $3::float8)
ORDER BY q.id;

-- name: cancelled  which of these events were cancelled
SELECT event_id FROM outcomes WHERE event_id = ANY($1::bigint[]) AND state = 2 ORDER BY event_id;

-- name: held  all leases of an engine
SELECT q.id, q.run_id, q.lease_no FROM queue q WHERE q.engine_id = $1 AND q.state = 3 ORDER BY q.id;

-- name: leave  an engine that goes
UPDATE engines SET status = 'gone', current_workload = 0 WHERE id = $1 AND status <> 'gone' RETURNING id;

-- name: silent  engines that nothing was heard of for long are gone; their leases run out by themselves
UPDATE engines SET status = 'gone', current_workload = 0 WHERE id IN (
  SELECT id FROM engines
  WHERE status <> 'gone' AND last_heartbeat < now() - make_interval(secs =>
    greatest(5 * heartbeat_seconds, 2 * lease_seconds, 10)::float8)
  ORDER BY id LIMIT $1 FOR UPDATE SKIP LOCKED)
RETURNING id;

-- name: health  how many engines of each lane that $1 may see live
SELECT lane, status, count(*) AS engines FROM engines
WHERE status <> 'gone' AND ($1 IN ('local', owner) OR (owner = 'local' AND pool IS NULL)) GROUP BY lane, status ORDER BY lane, status;
