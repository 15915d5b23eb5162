-- Money of events without a run: drawn from the budget of their owner. Lock order: queue rows, budget, purses, calls.

-- name: places  which run and owner events belong to
SELECT id, run_id, event_type, phase, owner, CASE WHEN run_id IS NOT NULL OR $2 THEN payload END AS payload
FROM events WHERE id = ANY($1::bigint[]);

-- name: open_budget  an owner's budget, made with the installation's limit where there is none
INSERT INTO budgets (owner, limit_usd) VALUES ($1, $2) ON CONFLICT (owner) DO NOTHING;

-- name: lock_budget  an owner's budget, locked
SELECT limit_usd, spent, reserved, open_calls, tranche, drawn_on, (clock_timestamp() AT TIME ZONE 'UTC')::date AS today
FROM budgets WHERE owner = $1 FOR UPDATE;

-- name: save_budget  what is spent, reserved and drawn now
UPDATE budgets SET spent = $2, reserved = $3, open_calls = $4, tranche = $5, drawn_on = $6 WHERE owner = $1;

-- name: mark_called  events with leases of one engine, locked before their owner's budget, and marked: from now on a
-- finish looks for open calls under these leases
WITH held AS MATERIALIZED (
  SELECT q.id FROM queue q
  WHERE q.id = ANY($1::bigint[]) AND (q.state + 0) = 3 AND q.engine_id = $2 AND q.run_id IS NULL
  ORDER BY q.id FOR UPDATE
)
UPDATE queue q SET called = q.lease_no FROM held WHERE q.id = held.id AND q.called IS DISTINCT FROM q.lease_no;

-- name: open_calls  owners of calls that are still reserved under leases that have ended
SELECT DISTINCT c.owner FROM unnest($1::bigint[], $2::int[]) AS i (event_id, lease_no)
JOIN calls c ON c.event_id = i.event_id AND c.lease_no = i.lease_no
WHERE c.run_id IS NULL AND c.state = 1 ORDER BY c.owner;
