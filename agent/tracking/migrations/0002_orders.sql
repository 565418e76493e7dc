-- +goose Up

-- Pending rows that no attempt has consumed. The trigger writes here in the
-- client's own transaction, so a row is seen when its writer commits, in
-- whatever order writers commit, and work is proportional to what is due.
CREATE TABLE importer.inbox (
    id        BIGSERIAL PRIMARY KEY,
    import_id BIGINT NOT NULL,  -- public.imports.id
    uuid      TEXT NOT NULL,
    inserted  BOOLEAN NOT NULL  -- false: an UPDATE set an existing row back to pending
);
CREATE INDEX inbox_uuid ON importer.inbox (uuid);

-- One row per order; the attempt counts up each time somebody asks again.
CREATE TABLE importer.orders (
    uuid       TEXT PRIMARY KEY,
    import_id  BIGINT NOT NULL,  -- the pending row that this attempt was made from
    attempt    INTEGER NOT NULL,
    state      TEXT NOT NULL CHECK (state IN ('queued', 'running', 'completed', 'failed')),
    job_id     BIGINT NOT NULL,  -- river_job.id
    reason     TEXT NOT NULL DEFAULT '',
    crashes    INTEGER NOT NULL DEFAULT 0,  -- how often this attempt's agent died while at it
    queued_at  TIMESTAMPTZ NOT NULL DEFAULT clock_timestamp(),
    started_at TIMESTAMPTZ,
    ended_at   TIMESTAMPTZ
);
CREATE INDEX orders_active ON importer.orders (uuid) WHERE state IN ('queued', 'running');
CREATE INDEX orders_queued_at ON importer.orders (queued_at);

-- The state of each file or folder that an order names. A retry leaves the
-- imported ones alone.
CREATE TABLE importer.files (
    order_uuid TEXT NOT NULL REFERENCES importer.orders (uuid) ON DELETE CASCADE,
    ordinal    INTEGER NOT NULL,  -- place in the order's list, from 0
    path       TEXT NOT NULL,
    state      TEXT NOT NULL CHECK (state IN ('pending', 'imported', 'failed')),
    reason     TEXT NOT NULL DEFAULT '',
    filesets   BIGINT[] NOT NULL DEFAULT '{}',
    images     BIGINT[] NOT NULL DEFAULT '{}',
    plates     BIGINT[] NOT NULL DEFAULT '{}',
    target     TEXT NOT NULL DEFAULT '',  -- for whom and where to the attempt imports
    PRIMARY KEY (order_uuid, ordinal)
);

-- SECURITY DEFINER: clients hold rights on public.imports and on nothing here.
-- +goose StatementBegin
CREATE FUNCTION importer.announce_pending() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    INSERT INTO importer.inbox (import_id, uuid, inserted) VALUES (NEW.id, NEW.uuid, TG_OP = 'INSERT');
    PERFORM pg_notify('importer_orders', '');
    RETURN NULL;
END
$$;
-- +goose StatementEnd

CREATE TRIGGER importer_announce_pending
    AFTER INSERT OR UPDATE OF stage ON public.imports
    FOR EACH ROW WHEN (NEW.stage = 'Import Pending')
    EXECUTE FUNCTION importer.announce_pending();
-- Also for rows that arrive by logical replication.
ALTER TABLE public.imports ENABLE ALWAYS TRIGGER importer_announce_pending;

-- Orders whose newest row waits for an importer. Those that another service
-- left between start and end are not ours to judge.
INSERT INTO importer.inbox (import_id, uuid, inserted)
SELECT id, uuid, true
FROM (SELECT DISTINCT ON (uuid) id, uuid, stage FROM public.imports
      ORDER BY uuid, id DESC) newest -- a client may have left a date out
WHERE stage = 'Import Pending'
ORDER BY id;
