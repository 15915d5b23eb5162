-- How leases end. Rows are found by primary key only: `(state + 0) = 3`, because a plain `state = 3` matches the partial
-- lease index and walks its dead entries. Rows are locked in the order of their ids, whoever locks them.
-- A lease that was swept may still end, by the engine that lost it, until somebody claims (`lost_engine`): what was
-- counted as a loss is then counted as what it really was.
-- Counters are taken from the rows as they were locked (`held`): where a statement has waited for a lock, PostgreSQL
-- first makes, and checks, a row out of the version that the statement's snapshot shows, and only then the right one.

-- name: lock  rows that several statements of one transaction are going to change, in the order in which all lock
SELECT q.id FROM queue q WHERE q.id = ANY($1::bigint[]) ORDER BY q.id FOR UPDATE;

-- name: quick  outcomes for what stands as it did when it was claimed: leases ($1 ids, ascending, $2 numbers, null for the
-- present one, $3 engines) of events without a run under which no model was called. One statement for several engines,
-- committed by itself. It waits for nobody, and leaves everything else to the other statements: what is locked by
-- others or was changed meanwhile, swept leases, repeats. No join, because a plan for one that was made while the queue
-- was empty reads it whole later. `width_bucket` is the place of an id in $1. Behind a SELECT the planner does not count
-- it, and does not plan anew each time
WITH held AS MATERIALIZED (
  SELECT q.ctid AS place FROM queue q
  WHERE q.id = ANY((SELECT $1::bigint[])::bigint[]) AND (q.state + 0) = 3 AND q.run_id IS NULL
    AND q.engine_id = ($3::uuid[])[width_bucket(q.id, $1::bigint[])]
    AND q.lease_no = coalesce(($2::int[])[width_bucket(q.id, $1::bigint[])], q.lease_no)
    AND q.called IS DISTINCT FROM q.lease_no
  FOR UPDATE SKIP LOCKED
), gone AS (
  DELETE FROM queue q WHERE q.ctid = ANY(ARRAY(SELECT place FROM held))
  RETURNING q.id, q.lease_no, q.engine_id, q.claims, q.failures, q.losses, q.handbacks, q.leased_at
)
INSERT INTO outcomes (event_id, state, lease_no, engine_id, claims, failures, losses, handbacks, closing, leased_at,
                      result)
SELECT id, 1, lease_no, engine_id, claims, failures, losses, handbacks, 1, leased_at,
  ($4::text[])[width_bucket(id, $1::bigint[])]
FROM gone
RETURNING event_id;

-- name: succeed  outcomes for current leases of one engine ($4), whose rows leave the queue; returns the ids really removed
WITH item AS (
  SELECT * FROM unnest($1::bigint[], $2::int[], $3::text[]) AS i (id, lease_no, result)
), held AS MATERIALIZED (
  SELECT q.id, item.result FROM item JOIN queue q ON q.id = item.id
  WHERE (item.lease_no IS NULL OR q.lease_no = item.lease_no)
    AND (((q.state + 0) = 3 AND q.engine_id = $4) OR ((q.state + 0) IN (1, 2, 5) AND q.lost_engine = $4))
  ORDER BY q.id FOR UPDATE OF q
), gone AS (
  DELETE FROM queue q USING held WHERE q.id = held.id
  RETURNING q.id, q.run_id, q.lease_no, q.claims, q.failures, q.losses, q.handbacks, q.leased_at, held.result
)
INSERT INTO outcomes (event_id, run_id, state, lease_no, engine_id, claims, failures, losses, handbacks, closing,
                      leased_at, result)
SELECT id, run_id, 1, lease_no, $4, claims, failures, losses - (leased_at IS NULL)::int, handbacks, 1, leased_at, result
FROM gone
RETURNING event_id, lease_no, leased_at IS NULL AS late;

-- name: succeed_late  the losses that were none after all. A statement of its own, after the rows were locked: the sweep
-- may have committed only while `succeed` waited for it, and `succeed` would not see what it wrote
WITH loss AS (
  DELETE FROM attempts a USING unnest($1::bigint[], $2::int[]) AS i (id, lease_no)
  WHERE a.event_id = i.id AND a.lease_no = i.lease_no AND a.kind = 2
  RETURNING a.event_id, a.leased_at
)
UPDATE outcomes o SET leased_at = loss.leased_at FROM loss WHERE o.event_id = loss.event_id;

-- name: fail  leases that ended in failure: tried again after a while, or dead. $7 seconds of the first wait, doubled each time
WITH item AS (
  SELECT * FROM unnest($1::bigint[], $2::int[], $3::text[], $4::text[], $5::float8[], $6::bool[])
    AS i (id, lease_no, error, code, retry_after, permanent)
), held AS MATERIALIZED (
  SELECT q.id, q.lease_no, q.leased_at, q.failures, q.losses, item.error, item.code, item.retry_after,
    item.permanent OR q.failures + 1 >= q.max_failures AS died
  FROM item JOIN queue q ON q.id = item.id
  WHERE (item.lease_no IS NULL OR q.lease_no = item.lease_no)
    AND (((q.state + 0) = 3 AND q.engine_id = $8) OR ((q.state + 0) IN (1, 2, 5) AND q.lost_engine = $8))
  ORDER BY q.id FOR UPDATE OF q
), noted AS (
  INSERT INTO attempts (event_id, lease_no, kind, engine_id, leased_at, code, error)
  SELECT id, lease_no, 1, $8, coalesce(leased_at, now()), code, error FROM held
  ON CONFLICT (event_id, lease_no) DO UPDATE SET kind = 1, ended_at = now(), code = excluded.code, error = excluded.error
)
UPDATE queue q SET
  state = CASE WHEN held.died THEN 6 ELSE 1 END,
  failures = held.failures + 1,
  losses = held.losses - (held.leased_at IS NULL)::int,
  -- Jitter only lengthens: Retry-After is a promise.
  run_at = now() + make_interval(secs => greatest(
    coalesce(held.retry_after, 0), least($7::float8 * 2 ^ least(held.failures, 20), 3600)) * (1 + 0.25 * random())),
  error = held.error, engine_id = NULL, claim_id = NULL, leased_at = NULL, lease_until = NULL, lost_engine = NULL,
  need = NULL
FROM held WHERE q.id = held.id
RETURNING q.id, held.died, held.error, q.lease_no;

-- name: hand_back  leases given back uncounted. Ready again; or held, where asked or in need of money; or tried after a
-- delay, with a reason that is shown meanwhile. Or, without a run, dead with an error
WITH item AS (
  SELECT * FROM unnest($1::bigint[], $2::int[], $3::numeric[], $5::bool[], $6::float8[], $7::text[], $8::text[],
    $9::text[]) AS i (id, lease_no, need, hold, delay, error, reason, code)
), held AS MATERIALIZED (
  SELECT q.id, q.lease_no, q.leased_at, q.losses, q.handbacks, item.need, item.hold, item.delay, item.error, item.reason,
    item.code
  FROM item JOIN queue q ON q.id = item.id
  WHERE (item.lease_no IS NULL OR q.lease_no = item.lease_no)
    AND (((q.state + 0) = 3 AND q.engine_id = $4) OR ((q.state + 0) IN (1, 2, 5) AND q.lost_engine = $4))
  ORDER BY q.id FOR UPDATE OF q
), noted AS (
  INSERT INTO attempts (event_id, lease_no, kind, engine_id, leased_at, code, error)
  SELECT id, lease_no, 3, $4, coalesce(leased_at, now()), code, coalesce(error, reason) FROM held
  ON CONFLICT (event_id, lease_no) DO UPDATE SET kind = 3, ended_at = now(), code = excluded.code, error = excluded.error
)
UPDATE queue q SET
  state = CASE WHEN held.error IS NOT NULL THEN 6 WHEN held.delay IS NOT NULL THEN 1
    WHEN held.need IS NOT NULL OR held.hold THEN 5 ELSE 2 END,
  handbacks = held.handbacks + 1,
  losses = held.losses - (held.leased_at IS NULL)::int,
  run_at = CASE WHEN held.delay IS NOT NULL THEN now() + make_interval(secs => held.delay) ELSE q.run_at END,
  need = CASE WHEN held.error IS NULL AND held.delay IS NULL THEN held.need END,
  error = coalesce(held.error, held.reason, q.error),
  engine_id = NULL, claim_id = NULL, leased_at = NULL, lease_until = NULL, lost_engine = NULL
FROM held WHERE q.id = held.id
RETURNING q.id, q.lease_no, q.lane, q.state, q.rank, q.pass;

-- name: expire  leases whose time is over, locked and looked at again
WITH held AS MATERIALIZED (
  SELECT q.id, q.lease_no, q.engine_id, q.leased_at, q.losses + 1 >= q.max_losses AS died
  FROM queue q WHERE q.id = ANY($1::bigint[]) AND (q.state + 0) = 3 AND q.lease_until < now()
  ORDER BY q.id FOR UPDATE SKIP LOCKED
), noted AS (
  INSERT INTO attempts (event_id, lease_no, kind, engine_id, leased_at, code, error)
  SELECT id, lease_no, 2, engine_id, leased_at, 'lease_expired', 'the lease ran out' FROM held
)
UPDATE queue q SET
  state = CASE WHEN held.died THEN 6 ELSE 2 END, losses = q.losses + 1, lost_engine = held.engine_id,
  error = CASE WHEN held.died THEN 'lost ' || (q.losses + 1) || ' times: no engine finished within its lease'
    ELSE q.error END,
  engine_id = NULL, claim_id = NULL, leased_at = NULL, lease_until = NULL
FROM held WHERE q.id = held.id
RETURNING q.id, held.died, q.error, held.lease_no, q.lane, q.rank, q.pass;

-- name: deferred  how often ($2: for these reasons) events were put off since they last failed, and for how many seconds
SELECT a.event_id, count(*)::int AS times, extract(epoch FROM clock_timestamp() - min(a.ended_at))::float8 AS seconds
FROM attempts a
WHERE a.event_id = ANY($1::bigint[]) AND a.kind = 3 AND a.code = ANY($2::text[])
  AND a.lease_no > coalesce((SELECT max(f.lease_no) FROM attempts f WHERE f.event_id = a.event_id AND f.kind = 1), 0)
GROUP BY a.event_id;

-- name: missed  why items were not ended now: ended like this before, never known, or stale. $4: 0 succeeded, else the kind
SELECT item.id, CASE
  WHEN $4 = 0 AND EXISTS (SELECT FROM outcomes o WHERE o.event_id = item.id AND o.state = 1 AND o.engine_id = $3
    AND (item.lease_no IS NULL OR o.lease_no = item.lease_no)) THEN 'done'
  WHEN $4 <> 0 AND EXISTS (SELECT FROM attempts a WHERE a.event_id = item.id AND a.kind = $4 AND a.engine_id = $3
    AND (a.lease_no = item.lease_no OR (item.lease_no IS NULL
      AND a.lease_no = (SELECT q.lease_no FROM queue q WHERE q.id = item.id)))) THEN 'done'
  WHEN EXISTS (SELECT FROM events e WHERE e.id = item.id) THEN 'stale'
  ELSE 'unknown' END AS state
FROM unnest($1::bigint[], $2::int[]) AS item (id, lease_no);
