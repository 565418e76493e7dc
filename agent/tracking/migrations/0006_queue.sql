-- +goose Up

-- The inbox is the queue: whose a pending order is and how urgent decide on its
-- turn, so that nothing has to be moved before an agent can choose.
ALTER TABLE importer.inbox
    ADD COLUMN rank       SMALLINT NOT NULL DEFAULT 0,                 -- lower goes first: the priority, negated
    ADD COLUMN group_name TEXT COLLATE "C" NOT NULL DEFAULT '',        -- the first characters: an index entry is bounded
    ADD COLUMN user_name  TEXT COLLATE "C" NOT NULL DEFAULT '',
    ADD COLUMN parked     BOOLEAN NOT NULL DEFAULT false,              -- an attempt at its order has yet to end
    ADD COLUMN placed_at  TIMESTAMPTZ NOT NULL DEFAULT clock_timestamp();
UPDATE importer.inbox i SET group_name = left(p.group_name, 100), user_name = left(p.user_name, 100)
FROM public.imports p WHERE p.id = i.import_id;
CREATE INDEX inbox_turn ON importer.inbox (rank, group_name, user_name, id) WHERE NOT parked;

-- What an order asks for beyond the columns that clients share: also how urgent it is.
ALTER TABLE importer.requests
    ADD COLUMN priority SMALLINT NOT NULL DEFAULT 0 CHECK (priority BETWEEN -100 AND 100),
    ALTER COLUMN metadata SET DEFAULT '{}';

-- +goose StatementBegin
CREATE OR REPLACE FUNCTION importer.announce_pending() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    INSERT INTO importer.inbox (import_id, uuid, inserted, rank, group_name, user_name)
    VALUES (NEW.id, NEW.uuid, TG_OP = 'INSERT',
            -coalesce((SELECT priority FROM importer.requests r WHERE r.uuid = NEW.uuid), 0),
            left(NEW.group_name, 100), left(NEW.user_name, 100));
    PERFORM pg_notify('importer_orders', '');
    RETURN NULL;
END
$$;
-- +goose StatementEnd

-- An order is carried out by the agent that took it up, until that ends it or
-- loses its lock. What is to be taken up again waits for its time.
ALTER TABLE importer.orders
    DROP COLUMN job_id,
    ADD COLUMN agent  TEXT NOT NULL DEFAULT '',     -- who carries it out
    ADD COLUMN run    BIGINT NOT NULL DEFAULT 0,    -- counts how often it was taken up: tells a run from earlier ones
    ADD COLUMN tries  INTEGER NOT NULL DEFAULT 0,   -- of this attempt, that met a fault that may pass
    ADD COLUMN due_at TIMESTAMPTZ,                  -- of a queued one
    ADD COLUMN cancelled BOOLEAN NOT NULL DEFAULT false;  -- to be ended by whoever carries it out
DROP INDEX importer.orders_active;
UPDATE importer.orders SET state = 'queued', due_at = clock_timestamp() WHERE state IN ('queued', 'running');
CREATE INDEX orders_due ON importer.orders (due_at) WHERE state = 'queued';
CREATE INDEX orders_running ON importer.orders (agent) WHERE state = 'running';

-- What is not taken up for now: of a group, of a user, or, with empty names, of all.
CREATE TABLE importer.pauses (
    group_name TEXT COLLATE "C" NOT NULL,
    user_name  TEXT COLLATE "C" NOT NULL,
    since      TIMESTAMPTZ NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (group_name, user_name)
);

-- The job queue of before.
DROP TABLE IF EXISTS importer.river_job, importer.river_leader, importer.river_queue, importer.river_client,
    importer.river_client_queue, importer.river_migration, importer.river_notification CASCADE;
DROP FUNCTION IF EXISTS importer.river_job_notify, importer.river_job_state_in_bitmask;
DROP TYPE IF EXISTS importer.river_job_state;
