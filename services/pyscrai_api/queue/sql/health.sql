-- How queue and database are, for operators. Catalogs and statistics only, and bounded looks at the queue. Nothing here
-- needs an extension or a superuser, and sizes are those of the last vacuum: asking for them now waits for locks on the
-- tables, of all things to wait for in a report on locks. What a role may not see is NULL, or not there.

-- name: tables  the hot tables ($1): rows, sizes, vacuum. `expected`: bytes that the rows need at the table's fill factor
SELECT c.relname AS name, s.n_live_tup AS live, s.n_dead_tup AS dead,
  c.relpages::bigint * current_setting('block_size')::int AS bytes,
  extract(epoch FROM now() - greatest(s.last_vacuum, s.last_autovacuum))::float8 AS vacuumed,
  NOT coalesce(c.reloptions && ARRAY['autovacuum_enabled=false', 'autovacuum_enabled=off'], false) AS autovacuum,
  EXISTS (SELECT FROM pg_stat_progress_vacuum v WHERE v.relid = c.oid) AS vacuuming,
  (greatest(c.reltuples, 0) * (28 + coalesce((
    SELECT sum(t.avg_width * (1 - t.null_frac)) FROM pg_stats t
    WHERE t.schemaname = n.nspname AND t.tablename = c.relname), 0)) / 0.8)::float8 AS expected
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace JOIN pg_stat_user_tables s ON s.relid = c.oid
WHERE n.nspname = current_schema() AND c.relname = ANY($1::text[]) ORDER BY c.relname;

-- name: indexes  the indexes of those tables. `expected`: bytes that their entries need
SELECT i.relname AS name, i.relpages::bigint * current_setting('block_size')::int AS bytes,
  (greatest(i.reltuples, 0) * (12 + coalesce((
    SELECT sum(ceil(t.avg_width / 8.0) * 8) FROM pg_attribute a JOIN pg_stats t
      ON t.schemaname = n.nspname AND t.tablename = c.relname AND t.attname = a.attname
    WHERE a.attrelid = c.oid AND a.attnum = ANY(x.indkey::smallint[])), 8)) / 0.9 + 8192)::float8 AS expected
FROM pg_index x JOIN pg_class i ON i.oid = x.indexrelid JOIN pg_class c ON c.oid = x.indrelid
  JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = current_schema() AND c.relname = ANY($1::text[]) ORDER BY i.relname;

-- name: server  what the server has been told, and how far it is from trouble
SELECT current_setting('autovacuum')::bool AND current_setting('track_counts')::bool AS autovacuum,
  current_setting('max_connections')::int AS connections_most,
  (SELECT sum(numbackends)::int FROM pg_stat_database) AS connections,
  (SELECT max(age(datfrozenxid))::bigint FROM pg_database) AS oldest_xid,
  current_setting('autovacuum_freeze_max_age')::bigint AS freeze_age,
  pg_has_role(current_user, 'pg_read_all_stats', 'USAGE') AS sees_all;

-- name: transactions  transactions that are open for more than a second, the longest first; of others' only as much as may be seen
SELECT a.pid, coalesce(nullif(a.application_name, ''), '?') AS application, a.usename AS role, a.state,
  extract(epoch FROM clock_timestamp() - a.xact_start)::float8 AS seconds,
  CASE WHEN a.backend_xmin IS NOT NULL THEN age(a.backend_xmin) END AS xids
FROM pg_stat_activity a
WHERE a.pid <> pg_backend_pid() AND a.xact_start < clock_timestamp() - interval '1 s' AND a.datname = current_database()
  AND coalesce(a.backend_type, '') <> 'autovacuum worker'
ORDER BY a.xact_start LIMIT 20;

-- name: holders  replication slots and prepared transactions that keep dead rows from being removed
SELECT 'replication slot ' || s.slot_name AS name, greatest(age(s.xmin), age(s.catalog_xmin))::bigint AS xids,
  NULL::float8 AS seconds
FROM pg_replication_slots s WHERE s.xmin IS NOT NULL OR s.catalog_xmin IS NOT NULL
UNION ALL
SELECT 'prepared transaction ' || p.gid, age(p.transaction)::bigint, extract(epoch FROM now() - p.prepared)::float8
FROM pg_prepared_xacts p
ORDER BY 2 DESC LIMIT 20;

-- name: locks  how many wait for locks, and for how long the first of them
SELECT count(*) AS waiting, coalesce(extract(epoch FROM clock_timestamp() - min(l.waitstart)), 0)::float8 AS seconds
FROM pg_locks l WHERE NOT l.granted;

-- name: hidden  how many sessions of this database show nothing of themselves
SELECT count(*) FROM pg_stat_activity a
WHERE a.datname = current_database() AND a.state IS NULL AND a.backend_type IS NULL;

-- name: leases  of those that end first, up to 5,000: how many are over, how many have less than a quarter left
SELECT count(*) AS leased, count(*) FILTER (WHERE q.lease_until < now()) AS overdue,
  count(*) FILTER (WHERE q.lease_until < now() + make_interval(secs => e.lease_seconds::float8 / 4)) AS near
FROM (SELECT lease_until, engine_id FROM queue WHERE state = 3 ORDER BY lease_until, id LIMIT 5000) AS q
  LEFT JOIN engines e ON e.id = q.engine_id;

-- name: heartbeats  engines that live, and those of them that have missed two heartbeats
SELECT count(*) AS engines,
  count(*) FILTER (WHERE last_heartbeat < now() - make_interval(secs => 2 * heartbeat_seconds::float8)) AS silent
FROM engines WHERE status <> 'gone';
