-- What people do to events. For events of a run the caller holds the run's lock.

-- name: lock_run  every live row of a run, in the order in which all lock
SELECT q.id FROM queue q WHERE q.run_id = $1 ORDER BY q.id FOR UPDATE;

-- name: cancel_run  every live event of a run ends cancelled; where it was leased, the number grows and the lease has ended
WITH live AS MATERIALIZED (
  SELECT q.id FROM queue q WHERE q.run_id = $1 ORDER BY q.id FOR UPDATE
), gone AS (
  DELETE FROM queue q USING live WHERE q.id = live.id RETURNING q.*
)
INSERT INTO outcomes (event_id, run_id, state, lease_no, engine_id, claims, failures, losses, handbacks, closing, leased_at,
  lane)
SELECT id, run_id, 2, lease_no + 1, engine_id, claims, failures, losses, handbacks, (state = 3)::int, leased_at, lane FROM gone
RETURNING event_id, lease_no - 1 AS lease_no, engine_id, closing;

-- name: cancel  live events without a run, by id, of one owner
WITH live AS MATERIALIZED (
  SELECT q.id FROM queue q WHERE q.id = ANY($1::bigint[]) AND q.run_id IS NULL ORDER BY q.id FOR UPDATE
), gone AS (
  DELETE FROM queue q USING live WHERE q.id = live.id RETURNING q.*
)
INSERT INTO outcomes (event_id, run_id, state, lease_no, engine_id, claims, failures, losses, handbacks, closing, leased_at,
  lane)
SELECT id, run_id, 2, lease_no + 1, engine_id, claims, failures, losses, handbacks, (state = 3)::int, leased_at, lane FROM gone
RETURNING event_id, lease_no - 1 AS lease_no, engine_id, closing;

-- name: discard  dead letters given up: outcomes without a result
WITH dead AS MATERIALIZED (
  SELECT q.id FROM queue q WHERE q.id = ANY($1::bigint[]) AND (q.state + 0) = 6 ORDER BY q.id FOR UPDATE
), gone AS (
  DELETE FROM queue q USING dead WHERE q.id = dead.id RETURNING q.*
)
INSERT INTO outcomes (event_id, run_id, state, lease_no, engine_id, claims, failures, losses, handbacks, closing, lane)
SELECT id, run_id, 3, lease_no + 1, NULL, claims, failures, losses, handbacks, 0, lane FROM gone
RETURNING event_id;

-- name: redrive  dead letters made ready with as many further tries as $2 and $3 say; late words of old leases are stale now
WITH dead AS MATERIALIZED (
  SELECT q.id FROM queue q WHERE q.id = ANY($1::bigint[]) AND (q.state + 0) = 6 ORDER BY q.id FOR UPDATE
)
UPDATE queue q SET state = 2, lease_no = q.lease_no + 1, lost_engine = NULL, error = NULL,
  max_failures = q.failures + $2, max_losses = q.losses + $3
FROM dead WHERE q.id = dead.id
RETURNING q.id, q.lane, q.rank, q.pass;

-- name: release_run  all held events of a run made ready, but for those that wait for money
WITH held AS MATERIALIZED (
  SELECT q.id FROM queue q WHERE q.run_id = $1 AND q.state = 5 AND q.need IS NULL ORDER BY q.id FOR UPDATE
)
UPDATE queue q SET state = 2 FROM held WHERE q.id = held.id
RETURNING q.id, q.lane, q.rank, q.pass;

-- name: release  held events made ready, by id
WITH held AS MATERIALIZED (
  SELECT q.id FROM queue q WHERE q.id = ANY($1::bigint[]) AND (q.state + 0) = 5 ORDER BY q.id FOR UPDATE
)
UPDATE queue q SET state = 2, need = NULL FROM held WHERE q.id = held.id
RETURNING q.id, q.lane, q.rank, q.pass;

-- name: move  every live event of a run, on lanes of ours, moved to a pool (NULL: the plain lanes)
WITH live AS MATERIALIZED (
  SELECT q.id FROM queue q WHERE q.run_id = $1 ORDER BY q.id FOR UPDATE
)
UPDATE queue q SET lane = CASE WHEN split_part(q.lane, ':', 1) = ANY($3::text[])
  THEN split_part(q.lane, ':', 1) || coalesce(':' || $2::text, '') ELSE q.lane END
FROM live WHERE q.id = live.id
RETURNING q.lane;

-- name: last_error  why an event is a dead letter: its error, and the code of its last attempt
SELECT q.error, (SELECT a.code FROM attempts a WHERE a.event_id = q.id ORDER BY a.lease_no DESC LIMIT 1) AS code
FROM queue q WHERE q.id = $1;
