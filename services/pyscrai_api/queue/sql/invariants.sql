-- What must always be true: each query returns the rows that break it. Read by tests and GET /health/invariants.

-- name: claims_of_live  claims = failures + losses + hand-backs + the lease it is under
SELECT id, state, claims, failures, losses, handbacks FROM queue
WHERE claims <> failures + losses + handbacks + (state = 3)::int;

-- name: claims_of_ended  claims = failures + losses + hand-backs + the lease that its end closed
SELECT event_id, state, claims, failures, losses, handbacks, closing FROM outcomes
WHERE claims <> failures + losses + handbacks + closing;

-- name: attempts_of_live  each failure, loss and hand-back left its attempt
SELECT q.id, q.failures, q.losses, q.handbacks, a.failed, a.lost, a.back FROM queue q
LEFT JOIN LATERAL (
  SELECT count(*) FILTER (WHERE kind = 1) AS failed, count(*) FILTER (WHERE kind = 2) AS lost,
    count(*) FILTER (WHERE kind = 3) AS back FROM attempts WHERE event_id = q.id
) a ON true
WHERE (q.failures, q.losses, q.handbacks) <> (a.failed, a.lost, a.back);

-- name: attempts_of_ended  the same for events that are over
SELECT o.event_id, o.failures, o.losses, o.handbacks, a.failed, a.lost, a.back FROM outcomes o
LEFT JOIN LATERAL (
  SELECT count(*) FILTER (WHERE kind = 1) AS failed, count(*) FILTER (WHERE kind = 2) AS lost,
    count(*) FILTER (WHERE kind = 3) AS back FROM attempts WHERE event_id = o.event_id
) a ON true
WHERE (o.failures, o.losses, o.handbacks) <> (a.failed, a.lost, a.back);

-- name: attempts_below_number  no attempt has a number that was not given out yet
SELECT a.event_id, a.lease_no FROM attempts a JOIN queue q ON q.id = a.event_id WHERE a.lease_no > q.lease_no;

-- name: live_or_ended  an event is in the queue or has an outcome, never both, never neither
SELECT e.id, q.id IS NOT NULL AS live, o.event_id IS NOT NULL AS ended
FROM events e LEFT JOIN queue q ON q.id = e.id LEFT JOIN outcomes o ON o.event_id = e.id
WHERE (q.id IS NOT NULL) = (o.event_id IS NOT NULL);

-- name: rows_have_an_event  queue rows, outcomes and attempts are of an event that there is
SELECT x.id FROM (SELECT id FROM queue UNION ALL SELECT event_id FROM outcomes UNION ALL SELECT event_id FROM attempts) x
WHERE NOT EXISTS (SELECT FROM events e WHERE e.id = x.id);

-- name: run_of_rows  queue rows and outcomes belong to the run that their event belongs to
SELECT e.id FROM events e LEFT JOIN queue q ON q.id = e.id LEFT JOIN outcomes o ON o.event_id = e.id
WHERE e.run_id IS DISTINCT FROM CASE WHEN q.id IS NULL THEN o.run_id ELSE q.run_id END;

-- name: open_counter  a run's counter of open events is the number of its live events
SELECT r.id, r.status, r.step, r.open, count(q.id) AS live
FROM runs r LEFT JOIN queue q ON q.run_id = r.id GROUP BY r.id HAVING r.open <> count(q.id);

-- name: waiting_counter  a run's counter of events that wait for people is the number of those
SELECT r.id, r.status, r.waiting, count(q.id) AS live
FROM runs r LEFT JOIN queue q ON q.run_id = r.id AND q.state = 4 GROUP BY r.id HAVING r.waiting <> count(q.id);

-- name: waiting_runs_wait  a run that plays is waiting where all that is open waits for people, and only there
SELECT id, status, open, waiting FROM runs
WHERE (status = 'waiting' AND waiting <> open) OR (status = 'running' AND open > 0 AND waiting = open);

-- name: who_waits_is_asked  an event waits for a person if and only if it is in an inbox, open, at its own seat
SELECT coalesce(q.id, i.event_id) AS event_id, q.state, i.ended FROM (SELECT * FROM queue WHERE state = 4) q
FULL JOIN (SELECT i.*, e.seat AS of_event FROM inbox i JOIN events e ON e.id = i.event_id WHERE i.ended IS NULL) i
  ON i.event_id = q.id
WHERE q.id IS NULL OR i.event_id IS NULL OR i.seat <> i.of_event OR i.run_id <> q.run_id;

-- name: one_open_step  what is live belongs to the run's present step
SELECT q.id, r.id AS run_id, r.step, e.step AS of_step
FROM queue q JOIN runs r ON r.id = q.run_id JOIN events e ON e.id = q.id WHERE e.step <> r.step;

-- name: terminal_runs_are_empty  a run that is over has nothing live
SELECT r.id, r.status, q.id AS event_id FROM runs r JOIN queue q ON q.run_id = r.id
WHERE r.status IN ('completed', 'failed', 'cancelled');

-- name: running_runs_go_on  a run that runs has something open: else nobody would ever advance it
SELECT id, step FROM runs WHERE status IN ('running', 'waiting') AND open = 0;

-- name: running_runs_have_no_dead_letters  a dead letter blocks its run or fails it
SELECT r.id, q.id AS event_id FROM runs r JOIN queue q ON q.run_id = r.id AND q.state = 6
WHERE r.status IN ('running', 'waiting');

-- name: money_is_waited_for  who waits for money in a run that runs waits for a call that is open, or could go on
SELECT r.id, min(q.need) AS need FROM runs r JOIN queue q ON q.run_id = r.id AND q.state = 5 AND q.need IS NOT NULL
WHERE r.status = 'running' AND r.open_calls = 0
GROUP BY r.id HAVING NOT EXISTS (SELECT FROM queue o WHERE o.run_id = r.id AND o.state IN (1, 2, 3, 4));

-- name: steps_are_whole  the ordinals of a step begin at one number and leave none out
SELECT run_id, step, count(*), min(ordinal), max(ordinal) FROM events WHERE run_id IS NOT NULL
GROUP BY run_id, step HAVING max(ordinal) - min(ordinal) + 1 <> count(*) OR min(ordinal) NOT IN (0, 1);

-- name: entries_are_contiguous  a log is numbered 1, 2, 3 … up to the run's last number
SELECT r.id, r.last_seq, count(n.seq) AS entries, min(n.seq) AS first, max(n.seq) AS last
FROM runs r LEFT JOIN entries n ON n.run_id = r.id GROUP BY r.id
HAVING count(n.seq) <> r.last_seq OR (count(n.seq) > 0 AND (min(n.seq) <> 1 OR max(n.seq) <> r.last_seq));

-- name: branches_share_their_story  what a branch begins with is its parent's story, entry by entry
WITH told AS (
  SELECT run_id, row_number() OVER (PARTITION BY run_id ORDER BY seq) AS place, canonical FROM entries
  WHERE track = 'story' AND run_id IN (SELECT parent_id FROM runs)
)
SELECT b.id, b.parent_id, s.seq FROM runs b JOIN entries s ON s.run_id = b.id AND s.seq <= b.branch_seq
LEFT JOIN told t ON t.run_id = b.parent_id AND t.place = s.seq
WHERE b.parent_id IS NOT NULL AND (t.canonical IS DISTINCT FROM s.canonical OR s.track <> 'story');

-- name: inputs_enter_the_log  nothing that was put into a run is left when its story is over
SELECT i.id, r.id AS run_id FROM inputs i JOIN runs r ON r.id = i.run_id WHERE r.status = 'completed';

-- name: reserved_of_runs  what a run has reserved is the sum of its open calls
SELECT r.id, r.reserved, r.open_calls, coalesce(sum(c.reserved), 0) AS of_calls, count(c.event_id) AS calls
FROM runs r LEFT JOIN calls c ON c.run_id = r.id AND c.state = 1 GROUP BY r.id
HAVING r.reserved <> coalesce(sum(c.reserved), 0) OR r.open_calls <> count(c.event_id);

-- name: spent_of_runs  what a run has spent is the sum of what its calls cost
SELECT r.id, r.spent, coalesce(sum(c.cost), 0) AS of_calls
FROM runs r LEFT JOIN calls c ON c.run_id = r.id GROUP BY r.id HAVING r.spent <> coalesce(sum(c.cost), 0);

-- name: given_answers_are_free  an answer of a recording or of the cache costs nothing
SELECT event_id, lease_no, call, source, reserved, cost FROM calls
WHERE source IS NOT NULL AND (reserved <> 0 OR cost <> 0);

-- name: reserved_of_budgets  what an owner has reserved is the sum of the open calls of events without a run
SELECT b.owner, b.reserved, b.open_calls, coalesce(sum(c.reserved), 0) AS of_calls, count(c.event_id) AS calls
FROM budgets b LEFT JOIN calls c ON c.owner = b.owner AND c.run_id IS NULL AND c.state = 1 GROUP BY b.owner
HAVING b.reserved <> coalesce(sum(c.reserved), 0) OR b.open_calls <> count(c.event_id);

-- name: spent_of_budgets  what an owner has spent is the sum of what such calls cost
SELECT b.owner, b.spent, coalesce(sum(c.cost), 0) AS of_calls
FROM budgets b LEFT JOIN calls c ON c.owner = b.owner AND c.run_id IS NULL GROUP BY b.owner
HAVING b.spent <> coalesce(sum(c.cost), 0);

-- name: calls_have_a_payer  a call that may cost something is on somebody's account
SELECT c.event_id, c.owner FROM calls c
WHERE c.run_id IS NULL AND (c.state = 1 OR c.cost > 0) AND NOT EXISTS (SELECT FROM budgets b WHERE b.owner = c.owner);

-- name: limits_of_runs  a limit is never exceeded, but by a call that cost more than its own upper bound
SELECT r.id, r.limit_usd, r.spent, r.reserved FROM runs r
WHERE r.spent + r.reserved > r.limit_usd
  AND NOT EXISTS (SELECT FROM calls c WHERE c.run_id = r.id AND c.cost > c.reserved)
  AND NOT EXISTS (SELECT FROM entries n WHERE n.run_id = r.id AND n.kind = 'limit_changed');

-- name: limits_of_budgets  the same for owners
SELECT b.owner, b.limit_usd, b.spent, b.reserved FROM budgets b
WHERE b.spent + b.reserved > b.limit_usd
  AND NOT EXISTS (SELECT FROM calls c WHERE c.owner = b.owner AND c.run_id IS NULL AND c.cost > c.reserved);

-- name: purses_hold_what_is_taken  a purse is the sum of tranches, of what open calls reserved and of what the others cost
WITH taken AS (
  SELECT owner, group_name, drawn_on, tranche AS amount FROM runs WHERE tranche > 0
  UNION ALL SELECT owner, NULL, drawn_on, tranche FROM budgets WHERE tranche > 0
  UNION ALL SELECT c.owner, r.group_name, c.drawn_on, CASE c.state WHEN 1 THEN c.reserved ELSE c.cost END
  FROM calls c LEFT JOIN runs r ON r.id = c.run_id WHERE c.drawn_on IS NOT NULL
), sums AS (
  SELECT 'group' AS scope, owner, group_name AS name, DATE '1970-01-01' AS period, sum(amount) AS amount
  FROM taken WHERE group_name IS NOT NULL GROUP BY owner, group_name
  UNION ALL SELECT 'day', owner, '', drawn_on, sum(amount) FROM taken GROUP BY owner, drawn_on
  UNION ALL SELECT 'week', owner, '', date_trunc('week', drawn_on)::date, sum(amount)
  FROM taken GROUP BY owner, date_trunc('week', drawn_on)
  UNION ALL SELECT 'installation', '', '', DATE '1970-01-01', sum(amount) FROM taken
)
SELECT scope, owner, name, period, p.taken, s.amount FROM purses p FULL JOIN sums s USING (scope, owner, name, period)
WHERE coalesce(p.taken, 0) <> coalesce(s.amount, 0);

-- name: limits_of_purses  a limit that somebody set is not exceeded, but by a call that cost more than its own upper bound,
-- or where more was taken already when it was set
SELECT p.scope, p.owner, p.name, p.period, p.taken, l.limit_usd FROM purses p
JOIN limits l ON l.scope = p.scope AND l.owner = p.owner AND (l.name = p.name OR (l.name = 'own' AND p.scope <> 'group'))
WHERE p.taken > l.limit_usd AND p.period >= l.period AND (p.period > l.period OR p.taken > l.taken)
  AND NOT EXISTS (SELECT FROM calls c LEFT JOIN runs r ON r.id = c.run_id
    WHERE c.cost > c.reserved AND (p.owner = '' OR c.owner = p.owner) AND (p.scope <> 'group' OR r.group_name = p.name)
      AND (p.scope <> 'day' OR c.drawn_on = p.period)
      AND (p.scope <> 'week' OR date_trunc('week', c.drawn_on)::date = p.period));

-- name: tranches_are_given_back  who does not run, or has nothing open without a run, keeps no money from others
SELECT r.id, r.status, r.tranche FROM runs r WHERE r.tranche > 0 AND r.status <> 'running'
UNION ALL SELECT NULL, b.owner, b.tranche FROM budgets b WHERE b.tranche > 0 AND b.open_calls = 0;

-- name: reservations_have_a_lease  no call is still reserved under a lease that is over, but shortly after it was handed
-- back: its usage is awaited
SELECT c.event_id, c.lease_no, c.call FROM calls c LEFT JOIN queue q ON q.id = c.event_id
WHERE c.state = 1 AND (q.id IS NULL OR q.state <> 3 OR q.lease_no <> c.lease_no)
  AND NOT EXISTS (SELECT FROM attempts a WHERE a.event_id = c.event_id AND a.lease_no = c.lease_no AND a.kind = 3
    AND a.ended_at > now() - interval '5 minutes');

-- name: open_calls_are_marked  a finish of an event without a run looks for open calls only where its row says so
SELECT q.id, q.lease_no, q.called FROM queue q JOIN calls c ON c.event_id = q.id AND c.lease_no = q.lease_no
WHERE q.run_id IS NULL AND q.state = 3 AND c.state = 1 AND q.called IS DISTINCT FROM q.lease_no;

-- name: calls_belong_to_their_run  a call is booked where its event belongs
SELECT c.event_id, c.run_id, e.run_id AS of_event FROM calls c JOIN events e ON e.id = c.event_id
WHERE c.run_id IS DISTINCT FROM e.run_id;

-- name: short_of_money_is_known  a run whose event waits for money knows that, or it would wait for ever
SELECT r.id, q.id AS event_id FROM runs r JOIN queue q ON q.run_id = r.id
WHERE q.need IS NOT NULL AND NOT r.short_of_money;

-- name: batches_start_each_run_once  a run of a batch has one place in it, and a place one run
SELECT r.id, r.batch_id, b.place FROM runs r LEFT JOIN batch_runs b ON b.run_id = r.id AND b.batch_id = r.batch_id
WHERE r.batch_id IS NOT NULL AND b.place IS NULL
UNION ALL
SELECT b.run_id, r.batch_id, b.place FROM batch_runs b JOIN runs r ON r.id = b.run_id
WHERE r.batch_id IS DISTINCT FROM b.batch_id;
