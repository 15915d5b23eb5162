-- Events that wait for a person (state 4, no lease). The caller holds the lock of their run; rows are locked in the order
-- of their ids. The number grows with every change of owner, so a late word of the one before is stale.

-- name: ask  waiting events ($2) put into the inbox; each with its seat, rule and seconds to answer
INSERT INTO inbox (event_id, run_id, seat, kind, rule, seconds, deadline)
SELECT id, $1, seat, 'move', rule, seconds, clock_timestamp() + make_interval(secs => seconds)
FROM unnest($2::bigint[], $3::text[], $4::text[], $5::float8[]) AS i (id, seat, rule, seconds);

-- name: recorded  what people said, or let pass, in one step of a recording
SELECT e.ordinal, e.event_type, e.seat, e.phase, o.state, o.result FROM events e JOIN outcomes o ON o.event_id = e.id
WHERE e.run_id = $1 AND e.step = $2 AND e.seat IS NOT NULL AND o.engine_id IS NULL AND o.state IN (1, 3)
ORDER BY e.ordinal;

-- name: answered_by_models  what engines answered for seats in one step of a recording
SELECT e.ordinal FROM events e JOIN outcomes o ON o.event_id = e.id
WHERE e.run_id = $1 AND e.step = $2 AND e.seat IS NOT NULL AND o.engine_id IS NOT NULL AND o.state = 1;

-- name: propose  answers of engine $6 that a person looks at first: the lease ends as a hand-back, the event waits
WITH item AS (
  SELECT * FROM unnest($1::bigint[], $2::int[], $3::text[], $4::text[], $5::float8[]) AS i (id, lease_no, result, rule, seconds)
), held AS MATERIALIZED (
  SELECT q.id, q.run_id, q.lease_no, q.leased_at, item.result, item.rule, item.seconds FROM item JOIN queue q ON q.id = item.id
  WHERE (item.lease_no IS NULL OR q.lease_no = item.lease_no)
    AND (((q.state + 0) = 3 AND q.engine_id = $6) OR ((q.state + 0) IN (1, 2, 5) AND q.lost_engine = $6))
  ORDER BY q.id FOR UPDATE OF q
), noted AS (
  INSERT INTO attempts (event_id, lease_no, kind, engine_id, leased_at, code)
  SELECT id, lease_no, 3, $6, coalesce(leased_at, now()), 'proposed' FROM held
  ON CONFLICT (event_id, lease_no) DO UPDATE SET kind = 3, ended_at = now(), code = excluded.code, error = NULL
), asked AS (
  INSERT INTO inbox (event_id, run_id, seat, kind, rule, seconds, deadline, proposed)
  SELECT held.id, held.run_id, e.seat, 'approval', held.rule, held.seconds,
    clock_timestamp() + make_interval(secs => held.seconds), held.result
  FROM held JOIN events e ON e.id = held.id
  ON CONFLICT (event_id) DO UPDATE SET kind = 'approval', rule = excluded.rule, seconds = excluded.seconds,
    deadline = excluded.deadline, proposed = excluded.proposed, draft = NULL, draft_by = NULL, draft_at = NULL,
    ended = NULL, ended_by = NULL, ended_at = NULL, ended_no = NULL
)
UPDATE queue q SET state = 4, lease_no = q.lease_no + 1, handbacks = q.handbacks + 1,
  losses = q.losses - (held.leased_at IS NULL)::int, engine_id = NULL, claim_id = NULL, leased_at = NULL,
  lease_until = NULL, lost_engine = NULL, need = NULL, run_at = NULL, error = NULL
FROM held WHERE q.id = held.id
RETURNING q.id, held.lease_no;

-- name: proposed_before  which of these finishes an engine ($3) said before, and a person was asked
SELECT a.event_id FROM unnest($1::bigint[], $2::int[]) AS item (id, lease_no)
JOIN attempts a ON a.event_id = item.id AND a.lease_no = item.lease_no
WHERE a.kind = 3 AND a.code = 'proposed' AND a.engine_id = $3;

-- name: take  what a seat's model had open waits for a person now; leases that this ended are named
WITH held AS MATERIALIZED (
  SELECT q.id, q.run_id, q.state, q.lease_no, q.engine_id, q.leased_at FROM queue q JOIN events e ON e.id = q.id
  WHERE q.run_id = $1 AND e.seat = $2 AND (q.state + 0) <> 4 ORDER BY q.id FOR UPDATE OF q
), noted AS (
  INSERT INTO attempts (event_id, lease_no, kind, engine_id, leased_at, code, error)
  SELECT id, lease_no, 3, engine_id, leased_at, 'taken_over', 'a person took the seat' FROM held WHERE state = 3
), asked AS (
  INSERT INTO inbox (event_id, run_id, seat, kind, rule, seconds, deadline)
  SELECT id, run_id, $2, 'move', $3, $4::float8, clock_timestamp() + make_interval(secs => $4::float8) FROM held
  ON CONFLICT (event_id) DO UPDATE SET kind = 'move', rule = excluded.rule, seconds = excluded.seconds,
    deadline = excluded.deadline, proposed = NULL, draft = coalesce(inbox.draft, inbox.proposed),
    ended = NULL, ended_by = NULL, ended_at = NULL, ended_no = NULL
)
UPDATE queue q SET state = 4, lease_no = q.lease_no + 1, handbacks = q.handbacks + (held.state = 3)::int,
  engine_id = NULL, claim_id = NULL, leased_at = NULL, lease_until = NULL, lost_engine = NULL, need = NULL,
  run_at = NULL, error = NULL
FROM held WHERE q.id = held.id
RETURNING q.id, held.lease_no, held.state = 3 AS leased;

-- name: own  what waits for approval of a seat's model is the person's own move now, its proposal their draft
UPDATE inbox SET kind = 'move', draft = coalesce(draft, proposed), proposed = NULL, rule = $3, seconds = $4::float8,
  deadline = clock_timestamp() + make_interval(secs => $4::float8)
WHERE run_id = $1 AND seat = $2 AND ended IS NULL;

-- name: submit  a move of person $4, if the event $1 still waits under number $2
WITH held AS MATERIALIZED (
  SELECT q.id FROM queue q WHERE q.id = $1 AND (q.state + 0) = 4 AND q.lease_no = $2 FOR UPDATE
), gone AS (
  DELETE FROM queue q USING held WHERE q.id = held.id RETURNING q.*
), closed AS (
  UPDATE inbox i SET ended = $5, ended_by = $4, ended_at = clock_timestamp(), ended_no = $2
  FROM gone WHERE i.event_id = gone.id
)
INSERT INTO outcomes (event_id, run_id, state, lease_no, engine_id, claims, failures, losses, handbacks, closing, result,
  lane)
SELECT id, run_id, 1, lease_no, NULL, claims, failures, losses, handbacks, 0, $3, lane FROM gone
RETURNING event_id;

-- name: skip  events that end without a result, because their seat said nothing; each under its number
WITH item AS (
  SELECT * FROM unnest($1::bigint[], $2::int[]) AS i (id, lease_no)
), held AS MATERIALIZED (
  SELECT q.id FROM item JOIN queue q ON q.id = item.id
  WHERE (q.state + 0) = 4 AND q.lease_no = item.lease_no ORDER BY q.id FOR UPDATE OF q
), gone AS (
  DELETE FROM queue q USING held WHERE q.id = held.id RETURNING q.*
), closed AS (
  UPDATE inbox i SET ended = 'skipped', ended_at = clock_timestamp(), ended_no = gone.lease_no
  FROM gone WHERE i.event_id = gone.id
)
INSERT INTO outcomes (event_id, run_id, state, lease_no, engine_id, claims, failures, losses, handbacks, closing, lane)
SELECT id, run_id, 3, lease_no + 1, NULL, claims, failures, losses, handbacks, 0, lane FROM gone
RETURNING event_id;

-- name: to_model  events that a model answers now, each under its number; how the waiting ended: $3, by $4, remarks $5
WITH item AS (
  SELECT * FROM unnest($1::bigint[], $2::int[]) AS i (id, lease_no)
), held AS MATERIALIZED (
  SELECT q.id FROM item JOIN queue q ON q.id = item.id
  WHERE (q.state + 0) = 4 AND q.lease_no = item.lease_no ORDER BY q.id FOR UPDATE OF q
), closed AS (
  UPDATE inbox i SET ended = $3, ended_by = $4, ended_at = clock_timestamp(), ended_no = q.lease_no,
    remarks = i.remarks || $5::jsonb
  FROM held JOIN queue q ON q.id = held.id WHERE i.event_id = held.id
)
UPDATE queue q SET state = 2, lease_no = q.lease_no + 1 FROM held WHERE q.id = held.id
RETURNING q.id, q.lane, q.rank, q.pass;

-- name: waiting_of  what waits for a person at one seat, oldest first
SELECT i.event_id, q.lease_no FROM inbox i JOIN queue q ON q.id = i.event_id
WHERE i.run_id = $1 AND i.seat = $2 AND i.ended IS NULL ORDER BY i.event_id;

-- name: draft  what a person has typed so far, if the event $1 still waits under number $2
UPDATE inbox i SET draft = $3, draft_by = $4, draft_at = clock_timestamp() FROM queue q
WHERE i.event_id = $1 AND i.ended IS NULL AND q.id = i.event_id AND (q.state + 0) = 4 AND q.lease_no = $2
RETURNING i.draft_at;

-- name: due  deadlines that have passed in runs that play, first the longest ago
SELECT i.run_id, i.event_id FROM inbox i
WHERE i.ended IS NULL AND i.deadline <= now() AND i.rule <> 'wait'
  AND (SELECT r.status FROM runs r WHERE r.id = i.run_id) IN ('running', 'waiting')
ORDER BY i.deadline, i.event_id LIMIT $1;

-- name: next_deadline  seconds until the next one
SELECT extract(epoch FROM i.deadline - now())::float8 FROM inbox i
WHERE i.ended IS NULL AND i.deadline > now() AND i.rule <> 'wait' ORDER BY i.deadline LIMIT 1;

-- name: passed  those of $1 whose deadline is over, looked at again under the run's lock
SELECT i.event_id, i.kind, i.rule, i.proposed, q.lease_no, e.step, e.ordinal FROM inbox i
JOIN queue q ON q.id = i.event_id JOIN events e ON e.id = i.event_id
WHERE i.event_id = ANY($1::bigint[]) AND i.ended IS NULL AND i.rule <> 'wait' AND i.deadline <= clock_timestamp()
ORDER BY i.event_id;

-- name: no_deadline  what a replay's recording does not have is waited for
UPDATE inbox SET rule = 'wait', seconds = NULL, deadline = NULL WHERE event_id = ANY($1::bigint[]);

-- name: anew  everybody whom a run waits for has their whole time again
UPDATE inbox SET deadline = clock_timestamp() + make_interval(secs => seconds)
WHERE run_id = $1 AND ended IS NULL AND seconds > 0;

-- name: cancelled  nobody is waited for any more
UPDATE inbox i SET ended = 'cancelled', ended_at = clock_timestamp(), ended_no = q.lease_no
FROM queue q WHERE q.id = i.event_id AND i.run_id = $1 AND i.ended IS NULL;

-- name: remarks  what was sent back to the model of an event
SELECT remarks FROM inbox WHERE event_id = $1;

-- name: one  how the waiting for a person stands, or was over
SELECT i.event_id, i.run_id, i.seat, i.kind, i.rule, i.deadline, i.proposed, i.ended, i.ended_by, i.ended_at, i.ended_no,
  o.result, q.lease_no, q.state FROM inbox i
LEFT JOIN outcomes o ON o.event_id = i.event_id LEFT JOIN queue q ON q.id = i.event_id
WHERE i.event_id = $1;
