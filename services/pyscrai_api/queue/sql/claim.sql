-- Giving events to engines. `:size` is put in as a literal number, one text per size: with a parameter the claim would
-- be planned anew each time. What an answer shows comes with the claim itself: `ports.ClaimedRow` has its columns, in
-- this order. A payload beyond 8 kB is fetched apart; a run-less event's type is resolved as `catalog.store.resolve`
-- does it, where nothing but its name can name it.

-- name: claim  up to :size ready rows of lane $1 above the mark ($5, $6, $7), for the polls ($2, $3, $4): row k goes to the
-- one that byte k of $10 names. Only of the event types $8, and of none of $9 (NULL: all, none)
WITH ready AS MATERIALIZED (
  SELECT q.id, q.rank, q.pass FROM queue q
  WHERE q.lane = $1 AND q.state = 2 AND (q.rank, q.pass, q.id) > ($5::smallint, $6::bigint, $7::bigint)
    AND ($8::text[] IS NULL OR q.event_type = ANY($8)) AND ($9::text[] IS NULL OR q.event_type <> ALL($9))
    -- A scalar look-up, never a join, so that the plan stays one ordered range scan.
    AND (q.run_id IS NULL OR (SELECT r.status FROM runs r WHERE r.id = q.run_id) = 'running')
  ORDER BY q.rank, q.pass, q.id LIMIT :size FOR UPDATE OF q SKIP LOCKED
), numbered AS MATERIALIZED (
  SELECT id, k, get_byte($10::bytea, k::int - 1) + 1 AS slot
  FROM (SELECT id, row_number() OVER (ORDER BY rank, pass, id) AS k FROM ready) AS counted
), taken AS (
  -- `run_at` stays: it says since when the row was ready.
  UPDATE queue q SET state = 3, lease_no = q.lease_no + 1, claims = q.claims + 1, lost_engine = NULL,
    engine_id = ($2::uuid[])[numbered.slot], claim_id = ($3::uuid[])[numbered.slot], leased_at = now(),
    lease_until = now() + make_interval(secs => ($4::float8[])[numbered.slot])
  FROM numbered WHERE q.id = numbered.id
  RETURNING q.*, numbered.k, numbered.slot
)
SELECT q.id, q.run_id, q.event_type, e.owner, e.model,
  CASE WHEN q.run_id IS NULL AND left(e.payload, 10) <> '{"prompt":' THEN (
    SELECT v.id FROM templates t JOIN template_versions v ON v.template_id = t.id AND v.version = t.latest
    WHERE t.type = 'event-types' AND t.name = q.event_type AND (t.owner = e.owner OR t.visibility = 'shared')
      AND t.archived_at IS NULL
    ORDER BY CASE t.owner WHEN e.owner THEN 0 WHEN 'builtin' THEN 2 ELSE 1 END, t.id LIMIT 1) END AS version_id,
  CASE WHEN octet_length(e.payload) <= 8192 THEN e.payload ELSE '' END AS payload,
  e.priority, q.lease_no, date_part('epoch', q.lease_until) AS lease_until, ($4::float8[])[q.slot] AS lease_for, q.claims AS attempt, q.failures,
  date_part('epoch', q.leased_at - coalesce(q.run_at, e.created_at)) AS waited,
  e.step, e.ordinal, e.seat, e.turn, e.phase, r.at_seq, r.plan_version, q.slot, q.rank, q.pass
FROM taken q JOIN events e ON e.id = q.id LEFT JOIN runs r ON r.id = q.run_id
ORDER BY q.k;

-- name: leased  the same of events ($1) that engine $2 holds under claim $3
SELECT q.id, q.run_id, q.event_type, e.owner, e.model,
  CASE WHEN q.run_id IS NULL AND left(e.payload, 10) <> '{"prompt":' THEN (
    SELECT v.id FROM templates t JOIN template_versions v ON v.template_id = t.id AND v.version = t.latest
    WHERE t.type = 'event-types' AND t.name = q.event_type AND (t.owner = e.owner OR t.visibility = 'shared')
      AND t.archived_at IS NULL
    ORDER BY CASE t.owner WHEN e.owner THEN 0 WHEN 'builtin' THEN 2 ELSE 1 END, t.id LIMIT 1) END AS version_id,
  e.payload, e.priority, q.lease_no, date_part('epoch', q.lease_until) AS lease_until,
  greatest(0, date_part('epoch', q.lease_until - now())) AS lease_for, q.claims AS attempt, q.failures,
  date_part('epoch', q.leased_at - coalesce(q.run_at, e.created_at)) AS waited,
  e.step, e.ordinal, e.seat, e.turn, e.phase, r.at_seq, r.plan_version, 0 AS slot, q.rank, q.pass
FROM queue q JOIN events e ON e.id = q.id LEFT JOIN runs r ON r.id = q.run_id
WHERE q.id = ANY($1::bigint[]) AND (q.state + 0) = 3 AND q.engine_id = $2 AND q.claim_id = $3
ORDER BY q.rank, q.pass, q.id;

-- name: payloads  the payloads of events that are too long to come with the claim
SELECT id, payload FROM events WHERE id = ANY($1::bigint[]);

-- name: claimed_before  the ids still leased under a claim of one engine
SELECT q.id FROM queue q WHERE q.engine_id = $1 AND q.state = 3 AND q.claim_id = $2 ORDER BY q.id;

-- name: peek  what would be claimed next in a lane, of what owner $4 may see, in that order; locks nothing
SELECT q.id FROM queue q
WHERE q.lane = $1 AND q.state = 2 AND ($3::text[] IS NULL OR q.event_type = ANY($3::text[]))
  AND (q.run_id IS NULL OR (SELECT r.status FROM runs r WHERE r.id = q.run_id) = 'running')
  AND (SELECT e.owner = $4 OR e.visibility = 'shared' FROM events e WHERE e.id = q.id)
ORDER BY q.rank, q.pass, q.id LIMIT $2;
