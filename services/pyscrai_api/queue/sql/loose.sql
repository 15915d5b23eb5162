-- Money of events without a run: drawn from the budget of their owner. Lock order: queue rows, budget, calls.

-- name: places  which run and owner events belong to
SELECT id, run_id, event_type, phase, owner, CASE WHEN run_id IS NOT NULL OR $2 THEN payload END AS payload
FROM events WHERE id = ANY($1::bigint[]);

-- name: open_budget  an owner's budget, made with the installation's limit where there is none
INSERT INTO budgets (owner, limit_usd) VALUES ($1, $2) ON CONFLICT (owner) DO NOTHING;

-- name: lock_budget  an owner's budget, locked
SELECT limit_usd, spent, reserved, open_calls FROM budgets WHERE owner = $1 FOR UPDATE;

-- name: save_budget  what is spent and reserved now
UPDATE budgets SET spent = $2, reserved = $3, open_calls = $4 WHERE owner = $1;

-- name: leases  leases of one engine, locked
SELECT q.id, q.lease_no FROM queue q
WHERE q.id = ANY($1::bigint[]) AND (q.state + 0) = 3 AND q.engine_id = $2 AND q.run_id IS NULL
ORDER BY q.id FOR UPDATE;

-- name: calls  calls by their names
SELECT c.event_id, c.lease_no, c.call, c.state, c.reserved, c.cost, c.input_price, c.output_price
FROM unnest($1::bigint[], $2::int[], $3::int[]) AS i (event_id, lease_no, call)
JOIN calls c ON c.event_id = i.event_id AND c.lease_no = i.lease_no AND c.call = i.call
WHERE c.run_id IS NULL;

-- name: reserve  calls about to be made
INSERT INTO calls (event_id, lease_no, call, owner, try_no, state, model, input_bound, max_tokens, input_price,
                   output_price, reserved, request_hash)
SELECT event_id, lease_no, call, $1, try_no, 1, model, input_bound, max_tokens, input_price, output_price, reserved,
  request_hash
FROM unnest($2::bigint[], $3::int[], $4::int[], $5::int[], $6::text[], $7::int[], $8::int[], $9::numeric[],
            $10::numeric[], $11::numeric[], $12::text[])
  AS i (event_id, lease_no, call, try_no, model, input_bound, max_tokens, input_price, output_price, reserved,
        request_hash);

-- name: settle  calls that were made, or were not (4)
UPDATE calls c SET state = i.state, cost = i.cost, usage = i.usage::jsonb, answer = i.answer, error = i.error,
  seconds = i.seconds, settled_at = now()
FROM unnest($1::bigint[], $2::int[], $3::int[], $4::smallint[], $5::numeric[], $6::text[], $7::text[], $8::text[],
            $9::float8[]) AS i (event_id, lease_no, call, state, cost, usage, answer, error, seconds)
WHERE c.event_id = i.event_id AND c.lease_no = i.lease_no AND c.call = i.call;

-- name: open_calls  owners of calls that are still reserved under leases that have ended
SELECT DISTINCT c.owner FROM unnest($1::bigint[], $2::int[]) AS i (event_id, lease_no)
JOIN calls c ON c.event_id = i.event_id AND c.lease_no = i.lease_no
WHERE c.run_id IS NULL AND c.state = 1 ORDER BY c.owner;

-- name: assume  what such calls may have cost is charged in full, until somebody knows better
UPDATE calls c SET state = 3, cost = c.reserved, settled_at = now()
FROM unnest($2::bigint[], $3::int[]) AS i (event_id, lease_no)
WHERE c.event_id = i.event_id AND c.lease_no = i.lease_no AND c.owner = $1 AND c.run_id IS NULL AND c.state = 1
RETURNING c.reserved;
