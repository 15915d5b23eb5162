-- New events with their queue rows, in one statement. Identities are drawn first, because the queue row needs them.
-- pass = max(lowest ready pass of the lane and priority, the key's last) + 1: fairness is decided here, so that a
-- claim stays one index range scan.

-- name: step  the events of one step of a run; $1 run, $2 step, $3 the run's last pass, $4 owner
WITH item AS MATERIALIZED (
  SELECT nextval(pg_get_serial_sequence('events', 'id')) AS id, i.*
  FROM unnest($5::int[], $6::text[], $7::text[], $8::text[], $9::int[], $10::text[], $11::text[], $12::smallint[],
              $13::smallint[])
    AS i (ordinal, event_type, lane, seat, turn, phase, payload, priority, state)
), low AS MATERIALIZED (
  SELECT place.lane, place.priority, coalesce((
    SELECT q.pass FROM queue q WHERE q.lane = place.lane AND q.state = 2 AND q.rank = (9 - place.priority)::smallint
    ORDER BY q.pass LIMIT 1), 0) AS pass
  FROM (SELECT DISTINCT lane, priority FROM item) AS place
), made AS (
  INSERT INTO events (id, run_id, step, ordinal, event_type, turn, phase, seat, priority, payload, owner, created_by)
  OVERRIDING SYSTEM VALUE
  SELECT id, $1, $2, ordinal, event_type, turn, phase, seat, priority, payload, $4, $4 FROM item
), queued AS (
  INSERT INTO queue (id, run_id, lane, event_type, state, rank, pass, max_failures, max_losses)
  SELECT item.id, $1, item.lane, item.event_type, item.state, 9 - item.priority,
    greatest(low.pass, $3) + row_number() OVER (ORDER BY item.ordinal), $14, $15
  FROM item JOIN low ON low.lane = item.lane AND low.priority = item.priority
  RETURNING id, pass
)
SELECT queued.id, queued.pass FROM queued JOIN item ON item.id = queued.id ORDER BY item.ordinal;

-- name: loose  events without a run; $1 owner. A dedupe_key that is taken makes nothing: `deduped` finds what is there
WITH item AS MATERIALIZED (
  SELECT nextval(pg_get_serial_sequence('events', 'id')) AS id, i.*
  FROM unnest($2::text[], $3::text[], $4::smallint[], $5::text[], $6::text[], $7::text[], $8::timestamptz[], $9::int[])
    WITH ORDINALITY AS i (event_type, lane, priority, payload, model, dedupe_key, run_at, max_failures, place)
), low AS MATERIALIZED (
  SELECT place.lane, place.priority, coalesce((
    SELECT q.pass FROM queue q WHERE q.lane = place.lane AND q.state = 2 AND q.rank = (9 - place.priority)::smallint
    ORDER BY q.pass LIMIT 1), 0) AS pass
  FROM (SELECT DISTINCT lane, priority FROM item) AS place
), made AS (
  INSERT INTO events (id, event_type, priority, payload, model, dedupe_key, owner, created_by)
  OVERRIDING SYSTEM VALUE
  SELECT id, event_type, priority, payload, model, dedupe_key, $1, $1 FROM item
  ON CONFLICT (owner, dedupe_key) WHERE dedupe_key IS NOT NULL DO NOTHING
  RETURNING id
), queued AS (
  INSERT INTO queue (id, lane, event_type, state, rank, pass, run_at, max_failures)
  SELECT item.id, item.lane, item.event_type, CASE WHEN item.run_at > now() THEN 1 ELSE 2 END, 9 - item.priority,
    low.pass + 1, item.run_at, item.max_failures
  FROM made JOIN item ON item.id = made.id JOIN low ON low.lane = item.lane AND low.priority = item.priority
  RETURNING id, lane, state, rank, pass
)
SELECT item.place, queued.id, queued.lane, queued.state, queued.rank, queued.pass
FROM queued JOIN item ON item.id = queued.id ORDER BY item.place;

-- name: deduped  what is there under dedupe keys
SELECT dedupe_key, id FROM events WHERE owner = $1 AND dedupe_key = ANY($2::text[]);
