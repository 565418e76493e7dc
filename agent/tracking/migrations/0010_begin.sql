-- +goose Up

-- Whether a worker has begun with the present run: an agent that dies may have died of
-- such an order, not of one that only waited.
ALTER TABLE importer.orders ADD COLUMN begun BOOLEAN NOT NULL DEFAULT false;
UPDATE importer.orders SET begun = true WHERE state = 'running';
CREATE INDEX orders_suspect ON importer.orders (due_at) WHERE state = 'queued' AND crashes >= 2;

-- One destination has one name, however a client writes its number.
-- +goose StatementBegin
CREATE FUNCTION importer.destination_of(type TEXT, id TEXT) RETURNS TEXT LANGUAGE sql IMMUTABLE
    RETURN left(type, 20) || ' ' || left(ltrim(btrim(id, E' \t\n\r'), '0'), 40);
-- +goose StatementEnd
UPDATE importer.orders o SET destination = importer.destination_of(p.destination_type, p.destination_id)
FROM public.imports p WHERE p.id = o.import_id AND o.state IN ('queued', 'running');
