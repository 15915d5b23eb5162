-- New events with their queue rows, in one statement. Identities are drawn first, because the queue row needs them.
-- pass = max(lowest ready pass of the lane and rank, the key's last) + stride: fairness is decided here, so that a claim
-- stays one index range scan (queue/fairness.py, docs/fairness.md). The look-up begins at a floor, so that it does not
-- walk dead entries. Where it finds nothing, the highest pass that this process knows stands for it, and where that
-- knows none, the furthest of the runs that play. `fair_by=owner`: each event advances its key by as many keys as its
-- owner has, so that an owner of many runs gets what an owner of one gets.
-- Arrays are (SELECT $n): else the planner counts them, finds a plan for so many cheaper, and plans each time anew.

-- name: step  the events of one step of a run: $1 run, $2 step, $3 the run's last pass, $4 owner, $16 lanes,
-- $17 ranks, $18 floors, $19 tops, $20 further keys of the owner, $21 whether owners share evenly
WITH item AS MATERIALIZED (
  SELECT nextval('events_id_seq'::regclass) AS id, i.*
  FROM unnest((SELECT $5::int[]), $6::text[], $7::text[], $8::text[], $9::int[], $10::text[], $11::text[],
              $12::smallint[], $13::smallint[])
    AS i (ordinal, event_type, lane, seat, turn, phase, payload, priority, state)
), low AS MATERIALIZED (
  SELECT seen.lane, seen.rank, seen.pass IS NOT NULL AS found,
    coalesce(seen.pass, seen.top, (SELECT max(r.last_pass) FROM runs r WHERE r.status = 'running'), 0) AS pass,
    CASE WHEN $21::bool THEN greatest(1, seen.more + (
      SELECT count(*) FROM (SELECT FROM runs r WHERE r.owner = $4 AND r.status = 'running' LIMIT 1000) AS running
    )) ELSE 1 END AS stride
  FROM (
    SELECT place.*, (
      SELECT q.pass FROM queue q
      WHERE q.lane = place.lane AND q.state = 2 AND q.rank = place.rank AND q.pass >= place.floor
      ORDER BY q.pass LIMIT 1) AS pass
    FROM unnest((SELECT $16::text[]), $17::smallint[], $18::bigint[], $19::bigint[], $20::int[])
      AS place (lane, rank, floor, top, more)
    OFFSET 0
  ) AS seen
), made AS (
  INSERT INTO events (id, run_id, step, ordinal, event_type, turn, phase, seat, priority, payload, owner, created_by)
  OVERRIDING SYSTEM VALUE
  SELECT id, $1, $2, ordinal, event_type, turn, phase, seat, priority, payload, $4, $4 FROM item
), queued AS (
  INSERT INTO queue (id, run_id, lane, event_type, state, rank, pass, max_failures, max_losses)
  SELECT item.id, $1, item.lane, item.event_type, item.state, 9 - item.priority,
    greatest(low.pass, $3) + low.stride * row_number() OVER (ORDER BY item.ordinal), $14, $15
  FROM item JOIN low ON low.lane = item.lane AND low.rank = 9 - item.priority
  RETURNING id, lane, state, rank, pass
)
SELECT queued.*, low.pass AS low, low.found
FROM queued JOIN item ON item.id = queued.id JOIN low ON low.lane = queued.lane AND low.rank = queued.rank
ORDER BY item.ordinal;

-- name: loose  events without a run that have in common: $1 owner, $2 lane, $3 rank, $4 event type, $5 model, $6
-- max_failures. Of the lane: $7 floor, $8 top. Of its owner there: $9 last pass, $10 that of those that have a time. $11
-- whether owners share evenly. Each: $12 its number, NULL where it is its place, $13 payloads with U+001E between them,
-- which no canonical text has, $14 run_at, NULL where none has one. Arrays cost the client more than all else that it
-- does here, and so do rows: one comes back, with the columns as arrays in the order of the events
WITH low AS MATERIALIZED (
  SELECT seen.pass IS NOT NULL AS found,
    coalesce(seen.pass, $8::bigint, (SELECT max(r.last_pass) FROM runs r WHERE r.status = 'running'), 0) AS pass,
    CASE WHEN $11::bool THEN 1 + (
      SELECT count(*) FROM (SELECT FROM runs r WHERE r.owner = $1 AND r.status = 'running' LIMIT 1000) AS running
    ) ELSE 1 END AS stride
  FROM (
    SELECT (
      SELECT q.pass FROM queue q WHERE q.lane = $2 AND q.state = 2 AND q.rank = $3::smallint AND q.pass >= $7::bigint
      ORDER BY q.pass LIMIT 1) AS pass
    OFFSET 0
  ) AS seen
), item AS MATERIALIZED (
  SELECT nextval('events_id_seq'::regclass) AS id, i.payload, coalesce(($12::int[])[i.place], i.place) AS number,
    ($14::timestamptz[])[i.place] AS run_at
  FROM string_to_table($13::text, U&'\001E') WITH ORDINALITY AS i (payload, place)
), made AS (
  INSERT INTO events (id, event_type, priority, payload, model, owner, created_by)
  OVERRIDING SYSTEM VALUE
  SELECT id, $4, 9 - $3, payload, $5, $1, $1 FROM item
), queued AS (
  INSERT INTO queue (id, lane, event_type, state, rank, pass, run_at, max_failures)
  SELECT item.id, $2, $4, CASE WHEN item.run_at > now() THEN 1 ELSE 2 END, $3,
    greatest(low.pass, CASE WHEN item.run_at IS NULL THEN $9::bigint ELSE $10::bigint END) + low.stride * item.number,
    item.run_at, $6
  FROM item CROSS JOIN low
  RETURNING id, state, pass
)
SELECT made.*, low.pass AS low, low.found, now() AS created_at FROM low CROSS JOIN (
  SELECT array_agg(id) AS ids, array_agg(state) AS states, array_agg(pass) AS passes
  FROM (SELECT * FROM queued ORDER BY id) AS in_order
) AS made;

-- name: once  as `loose`, where some have a dedupe_key ($15): one that is taken makes nothing, and `deduped` finds what is
-- there. Apart, because a conflict that may come costs every row more
WITH low AS MATERIALIZED (
  SELECT seen.pass IS NOT NULL AS found,
    coalesce(seen.pass, $8::bigint, (SELECT max(r.last_pass) FROM runs r WHERE r.status = 'running'), 0) AS pass,
    CASE WHEN $11::bool THEN 1 + (
      SELECT count(*) FROM (SELECT FROM runs r WHERE r.owner = $1 AND r.status = 'running' LIMIT 1000) AS running
    ) ELSE 1 END AS stride
  FROM (
    SELECT (
      SELECT q.pass FROM queue q WHERE q.lane = $2 AND q.state = 2 AND q.rank = $3::smallint AND q.pass >= $7::bigint
      ORDER BY q.pass LIMIT 1) AS pass
    OFFSET 0
  ) AS seen
), item AS MATERIALIZED (
  SELECT nextval('events_id_seq'::regclass) AS id, i.*
  FROM unnest((SELECT $12::int[]), $13::text[], $14::timestamptz[], $15::text[]) AS i (number, payload, run_at, dedupe_key)
), made AS (
  INSERT INTO events (id, event_type, priority, payload, model, owner, created_by, dedupe_key)
  OVERRIDING SYSTEM VALUE
  SELECT id, $4, 9 - $3, payload, $5, $1, $1, dedupe_key FROM item
  ORDER BY dedupe_key -- so that two that make the same never wait for each other
  ON CONFLICT (owner, dedupe_key) WHERE dedupe_key IS NOT NULL DO NOTHING
  RETURNING id
), queued AS (
  INSERT INTO queue (id, lane, event_type, state, rank, pass, run_at, max_failures)
  SELECT item.id, $2, $4, CASE WHEN item.run_at > now() THEN 1 ELSE 2 END, $3,
    greatest(low.pass, CASE WHEN item.run_at IS NULL THEN $9::bigint ELSE $10::bigint END) + low.stride * item.number,
    item.run_at, $6
  FROM made JOIN item ON item.id = made.id CROSS JOIN low
  RETURNING id, state, pass
)
SELECT made.*, low.pass AS low, low.found, now() AS created_at FROM low CROSS JOIN (
  SELECT array_agg(id) AS ids, array_agg(state) AS states, array_agg(pass) AS passes, array_agg(number) AS numbers,
    array_agg(timed) AS timed
  FROM (
    SELECT queued.*, item.number, item.run_at IS NOT NULL AS timed
    FROM queued JOIN item ON item.id = queued.id ORDER BY queued.id
  ) AS in_order
) AS made;

-- name: deduped  what is there under dedupe keys
SELECT dedupe_key, id FROM events WHERE owner = $1 AND dedupe_key = ANY($2::text[]);

-- name: depth  how much waits in a lane, counted up to $2 of each kind. A table of few pages says it without counting: a
-- row takes more than 80 bytes
SELECT CASE WHEN pg_relation_size('queue') / 80 * 2 < $2::bigint THEN pg_relation_size('queue') / 80 ELSE
  (SELECT count(*) FROM (SELECT FROM queue q WHERE q.lane = $1 AND q.state = 2 LIMIT $2 + 1) AS ready)
  + (SELECT count(*) FROM (SELECT FROM queue q WHERE q.state = 1 AND q.lane = $1 LIMIT $2 + 1) AS scheduled)
  + (SELECT count(*) FROM (SELECT FROM queue q WHERE q.state = 5 AND q.paused AND q.lane = $1 LIMIT $2 + 1) AS paused) END;
