-- Giving events to engines. `:size` is put in as a literal number, one text per size: with a parameter the claim would
-- be planned anew each time.

-- name: claim  up to :size ready rows of lane $1 above the mark ($5, $6, $7); row k goes to slot k of ($2, $3, $4)
WITH slot AS MATERIALIZED (
  SELECT * FROM unnest($2::uuid[], $3::uuid[], $4::float8[]) WITH ORDINALITY AS s (engine_id, claim_id, lease_for, k)
), ready AS MATERIALIZED (
  SELECT q.id, q.rank, q.pass FROM queue q
  WHERE q.lane = $1 AND q.state = 2 AND (q.rank, q.pass, q.id) > ($5::smallint, $6::bigint, $7::bigint)
    -- A scalar look-up, never a join, so that the plan stays one ordered range scan.
    AND (q.run_id IS NULL OR (SELECT r.status FROM runs r WHERE r.id = q.run_id) = 'running')
  ORDER BY q.rank, q.pass, q.id LIMIT :size FOR UPDATE OF q SKIP LOCKED
), numbered AS (
  SELECT id, row_number() OVER (ORDER BY rank, pass, id) AS k FROM ready
)
UPDATE queue q SET state = 3, lease_no = q.lease_no + 1, claims = q.claims + 1, lost_engine = NULL, run_at = NULL,
  engine_id = slot.engine_id, claim_id = slot.claim_id, leased_at = now(),
  lease_until = now() + make_interval(secs => slot.lease_for)
FROM numbered JOIN slot ON slot.k = numbered.k
WHERE q.id = numbered.id
RETURNING slot.k, q.id, q.rank, q.pass;

-- name: claim_types  the same, only of the event types $8
WITH slot AS MATERIALIZED (
  SELECT * FROM unnest($2::uuid[], $3::uuid[], $4::float8[]) WITH ORDINALITY AS s (engine_id, claim_id, lease_for, k)
), ready AS MATERIALIZED (
  SELECT q.id, q.rank, q.pass FROM queue q
  WHERE q.lane = $1 AND q.state = 2 AND (q.rank, q.pass, q.id) > ($5::smallint, $6::bigint, $7::bigint)
    AND q.event_type = ANY($8::text[])
    AND (q.run_id IS NULL OR (SELECT r.status FROM runs r WHERE r.id = q.run_id) = 'running')
  ORDER BY q.rank, q.pass, q.id LIMIT :size FOR UPDATE OF q SKIP LOCKED
), numbered AS (
  SELECT id, row_number() OVER (ORDER BY rank, pass, id) AS k FROM ready
)
UPDATE queue q SET state = 3, lease_no = q.lease_no + 1, claims = q.claims + 1, lost_engine = NULL, run_at = NULL,
  engine_id = slot.engine_id, claim_id = slot.claim_id, leased_at = now(),
  lease_until = now() + make_interval(secs => slot.lease_for)
FROM numbered JOIN slot ON slot.k = numbered.k
WHERE q.id = numbered.id
RETURNING slot.k, q.id, q.rank, q.pass;

-- name: leased  what a claim's answer shows of events ($1) that engine $2 holds under claim $3
SELECT e.id, e.run_id, e.step, e.ordinal, e.event_type, e.seat, e.turn, e.phase, e.priority, e.payload, e.model, e.owner,
  q.lease_no, q.lease_until, greatest(0, extract(epoch FROM q.lease_until - now()))::float8 AS lease_for,
  q.claims AS attempt, q.failures, r.at_seq, r.plan_version
FROM queue q JOIN events e ON e.id = q.id LEFT JOIN runs r ON r.id = q.run_id
WHERE q.id = ANY($1::bigint[]) AND (q.state + 0) = 3 AND q.engine_id = $2 AND q.claim_id = $3
ORDER BY q.rank, q.pass, q.id;

-- name: claimed_before  the ids still leased under a claim of one engine
SELECT q.id FROM queue q WHERE q.engine_id = $1 AND q.state = 3 AND q.claim_id = $2 ORDER BY q.id;

-- name: peek  what would be claimed next in a lane, of what owner $4 may see; locks nothing
SELECT e.id, e.run_id, e.step, e.ordinal, e.event_type, e.seat, e.turn, e.phase, e.priority, e.payload,
  q.lane, q.lease_no, q.claims AS attempt, q.failures
FROM (
  SELECT * FROM queue q
  WHERE q.lane = $1 AND q.state = 2 AND ($3::text[] IS NULL OR q.event_type = ANY($3::text[]))
    AND (q.run_id IS NULL OR (SELECT r.status FROM runs r WHERE r.id = q.run_id) = 'running')
    AND (SELECT e.owner = $4 OR e.visibility = 'shared' FROM events e WHERE e.id = q.id)
  ORDER BY q.rank, q.pass, q.id LIMIT $2
) q CROSS JOIN LATERAL (SELECT * FROM events WHERE id = q.id OFFSET 0) e
ORDER BY q.rank, q.pass, q.id;
