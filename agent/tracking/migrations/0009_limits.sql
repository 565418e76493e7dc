-- +goose Up

-- When all of an order was asked for anew, in microseconds: what it imported before
-- that does not count. Part of a fileset's key.
ALTER TABLE importer.orders ADD COLUMN round BIGINT NOT NULL DEFAULT 0;
ALTER TABLE importer.repository_filesets ADD COLUMN round BIGINT NOT NULL DEFAULT 0;

-- Where to orders import: how many of one destination are carried out at the same
-- time may be limited. A parked row that is held waits for one of these to end; any
-- other waits for its own order's end.
ALTER TABLE importer.inbox
    ADD COLUMN destination TEXT COLLATE "C" NOT NULL DEFAULT '',
    ADD COLUMN held BOOLEAN NOT NULL DEFAULT false;
UPDATE importer.inbox i SET destination = left(p.destination_type, 20) || ' ' || left(p.destination_id, 40)
FROM public.imports p WHERE p.id = i.import_id;
CREATE INDEX inbox_held ON importer.inbox (destination, rank, group_name, user_name, id) WHERE held;
ALTER TABLE importer.orders ADD COLUMN destination TEXT COLLATE "C" NOT NULL DEFAULT '';
UPDATE importer.orders o SET destination = left(p.destination_type, 20) || ' ' || left(p.destination_id, 40)
FROM public.imports p WHERE p.id = o.import_id AND o.state IN ('queued', 'running');

-- +goose StatementBegin
CREATE OR REPLACE FUNCTION importer.announce_pending() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    INSERT INTO importer.inbox (import_id, uuid, inserted, rank, group_name, user_name, destination)
    VALUES (NEW.id, NEW.uuid, TG_OP = 'INSERT',
            -coalesce((SELECT priority FROM importer.requests r WHERE r.uuid = NEW.uuid), 0),
            left(NEW.group_name, 100), left(NEW.user_name, 100),
            left(NEW.destination_type, 20) || ' ' || left(NEW.destination_id, 40));
    PERFORM pg_notify('importer_orders', '');
    RETURN NULL;
END
$$;
-- +goose StatementEnd

CREATE OR REPLACE VIEW importer.orders_now AS
SELECT o.uuid, o.state, p.group_name, p.user_name, p.destination_type, p.destination_id,
       o.queued_at AS since, o.started_at, o.due_at AS next_try_at, o.tries, o.agent, o.cancelled,
       g.step, g.files_done, g.files_total, g.bytes_done, g.bytes_total,
       CASE WHEN g.bytes_done > 0 THEN g.updated_at + (g.updated_at - g.began_at) * ((g.bytes_total - g.bytes_done)::float8 / g.bytes_done) END
           AS expected_at,
       coalesce(r.priority, 0)::int AS priority
FROM importer.orders o
LEFT JOIN public.imports p ON p.id = o.import_id AND p.uuid = o.uuid
LEFT JOIN importer.progress g ON g.uuid = o.uuid AND g.run = o.run AND o.state = 'running'
LEFT JOIN importer.requests r ON r.uuid = o.uuid
WHERE o.state IN ('queued', 'running')
UNION ALL
SELECT i.uuid, CASE WHEN i.held THEN 'held' WHEN i.parked THEN 'parked' ELSE 'pending' END,
       p.group_name, p.user_name, p.destination_type, p.destination_id,
       p."timestamp", NULL, NULL, 0, '', false, NULL, NULL, NULL, NULL, NULL, NULL, -i.rank::int
FROM importer.inbox i
LEFT JOIN public.imports p ON p.id = i.import_id;

-- An order that was forgotten is known again, without an attempt, once all of it is asked for anew.
CREATE OR REPLACE VIEW importer.recent_attempts AS
SELECT o.uuid, o.attempt, o.state, p.group_name, p.user_name, p.destination_type, p.destination_id,
       o.queued_at, o.started_at, o.ended_at,
       extract(epoch FROM o.started_at - o.queued_at) AS wait_seconds,
       extract(epoch FROM o.ended_at - o.started_at) AS run_seconds,
       o.tries, o.crashes, o.reason
FROM importer.orders o
LEFT JOIN public.imports p ON p.id = o.import_id AND p.uuid = o.uuid
WHERE o.queued_at > now() - interval '31 days' AND o.attempt > 0;
