-- +goose Up

-- How far orders are that take longer than a moment. Written now and then by the
-- run that it names; what another run left is of no meaning.
CREATE TABLE importer.progress (
    uuid        TEXT PRIMARY KEY REFERENCES importer.orders (uuid) ON DELETE CASCADE,
    run         BIGINT NOT NULL,
    step        TEXT NOT NULL,
    files_done  INTEGER NOT NULL,
    files_total INTEGER NOT NULL,
    bytes_done  BIGINT NOT NULL,
    bytes_total BIGINT NOT NULL,
    began_at    TIMESTAMPTZ NOT NULL,  -- the run
    updated_at  TIMESTAMPTZ NOT NULL
);

-- For dashboards and psql; see agent/tracking/README.md. Each looks at no more than
-- what has not ended, or at what was asked for in the last 31 days.
CREATE VIEW importer.recent_attempts AS
SELECT o.uuid, o.attempt, o.state, p.group_name, p.user_name, p.destination_type, p.destination_id,
       o.queued_at, o.started_at, o.ended_at,
       extract(epoch FROM o.started_at - o.queued_at) AS wait_seconds,
       extract(epoch FROM o.ended_at - o.started_at) AS run_seconds,
       o.tries, o.crashes, o.reason
FROM importer.orders o
LEFT JOIN public.imports p ON p.id = o.import_id AND p.uuid = o.uuid
WHERE o.queued_at > now() - interval '31 days';

CREATE VIEW importer.orders_now AS
SELECT o.uuid, o.state, p.group_name, p.user_name, p.destination_type, p.destination_id,
       o.queued_at AS since, o.started_at, o.due_at AS next_try_at, o.tries, o.agent, o.cancelled,
       g.step, g.files_done, g.files_total, g.bytes_done, g.bytes_total,
       CASE WHEN g.bytes_done > 0 THEN g.updated_at + (g.updated_at - g.began_at) * ((g.bytes_total - g.bytes_done)::float8 / g.bytes_done) END
           AS expected_at
FROM importer.orders o
LEFT JOIN public.imports p ON p.id = o.import_id AND p.uuid = o.uuid
LEFT JOIN importer.progress g ON g.uuid = o.uuid AND g.run = o.run AND o.state = 'running'
WHERE o.state IN ('queued', 'running')
UNION ALL
SELECT i.uuid, CASE WHEN i.parked THEN 'parked' ELSE 'pending' END, p.group_name, p.user_name, p.destination_type, p.destination_id,
       p."timestamp", NULL, NULL, 0, '', false, NULL, NULL, NULL, NULL, NULL, NULL
FROM importer.inbox i
LEFT JOIN public.imports p ON p.id = i.import_id;

CREATE VIEW importer.throughput_by_hour AS
SELECT date_trunc('hour', ended_at) AS hour,
       count(*) FILTER (WHERE state = 'completed') AS completed,
       count(*) FILTER (WHERE state = 'failed') AS failed,
       round(avg(wait_seconds)::numeric, 3) AS mean_wait_seconds,
       round(avg(run_seconds)::numeric, 3) AS mean_run_seconds
FROM importer.recent_attempts WHERE ended_at IS NOT NULL GROUP BY 1;

-- Without what differs from order to order: numbers, and names in quotes.
CREATE VIEW importer.failures_by_reason AS
SELECT regexp_replace(regexp_replace(reason, '"[^"]*"', '"…"', 'g'), '[0-9]+', 'N', 'g') AS reason,
       count(*) AS orders, count(DISTINCT user_name) AS users, max(ended_at) AS last_at,
       (array_agg(uuid ORDER BY ended_at DESC))[1] AS last_order
FROM importer.recent_attempts WHERE state = 'failed' GROUP BY 1;

CREATE VIEW importer.times_by_user AS
SELECT group_name, user_name, count(*) AS orders,
       percentile_cont(0.5) WITHIN GROUP (ORDER BY wait_seconds) AS median_wait_seconds,
       percentile_cont(0.95) WITHIN GROUP (ORDER BY wait_seconds) AS p95_wait_seconds,
       percentile_cont(0.5) WITHIN GROUP (ORDER BY run_seconds) AS median_run_seconds,
       percentile_cont(0.95) WITHIN GROUP (ORDER BY run_seconds) AS p95_run_seconds
FROM importer.recent_attempts WHERE started_at IS NOT NULL GROUP BY 1, 2;

-- What retention looks for.
CREATE INDEX orders_ended_at ON importer.orders (ended_at) WHERE state IN ('completed', 'failed');
