-- +goose Up

-- Apart from what changes importer.orders: agents lock both tables, in either order.
-- The index inbox_held serves agents of the version before.
CREATE INDEX inbox_waiting ON importer.inbox (destination, rank, group_name, user_name, id) WHERE held AND parked;
CREATE INDEX inbox_released ON importer.inbox (destination) WHERE held AND NOT parked;
UPDATE importer.inbox i SET destination = importer.destination_of(p.destination_type, p.destination_id)
FROM public.imports p WHERE p.id = i.import_id;

-- +goose StatementBegin
CREATE OR REPLACE FUNCTION importer.announce_pending() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    INSERT INTO importer.inbox (import_id, uuid, inserted, rank, group_name, user_name, destination)
    VALUES (NEW.id, NEW.uuid, TG_OP = 'INSERT',
            -coalesce((SELECT priority FROM importer.requests r WHERE r.uuid = NEW.uuid), 0),
            left(NEW.group_name, 100), left(NEW.user_name, 100),
            importer.destination_of(NEW.destination_type, NEW.destination_id));
    PERFORM pg_notify('importer_orders', '');
    RETURN NULL;
END
$$;
-- +goose StatementEnd

-- Of a row that is held, parked tells whether it waits for room at its destination, or
-- has it, and waits for a worker. Who got room at a destination last:
CREATE TABLE importer.held_turns (
    destination TEXT COLLATE "C" PRIMARY KEY,
    group_name  TEXT COLLATE "C" NOT NULL,
    user_name   TEXT COLLATE "C" NOT NULL
);
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
SELECT i.uuid, CASE WHEN NOT i.parked THEN 'pending' WHEN i.held THEN 'held' ELSE 'parked' END,
       p.group_name, p.user_name, p.destination_type, p.destination_id,
       p."timestamp", NULL, NULL, 0, '', false, NULL, NULL, NULL, NULL, NULL, NULL, -i.rank::int
FROM importer.inbox i
LEFT JOIN public.imports p ON p.id = i.import_id;
