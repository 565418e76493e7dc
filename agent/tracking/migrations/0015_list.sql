-- +goose Up

-- Agents lock both tables, in either order. Whoever cannot have both soon lets go of the
-- one it has, before the server takes the two for a deadlock and ends one of them.
-- +goose StatementBegin
DO $$
BEGIN
    FOR try IN 1..20 LOOP
        BEGIN
            SET LOCAL lock_timeout = '500ms';
            LOCK TABLE importer.orders, importer.inbox IN ACCESS EXCLUSIVE MODE;
            EXIT;
        EXCEPTION WHEN lock_not_available THEN
            IF try = 20 THEN
                RAISE;
            END IF;
            PERFORM pg_sleep(0.1);
        END;
    END LOOP;
    SET LOCAL lock_timeout = '10s';
END
$$;
-- +goose StatementEnd
-- All rows of two tables are read, which sessions of the program are kept from.
SET LOCAL enable_seqscan = on;
SET LOCAL enable_hashjoin = on;

-- Whose an order is, to list it by: as in the inbox.
ALTER TABLE importer.orders
    ADD COLUMN group_name TEXT COLLATE "C" NOT NULL DEFAULT '',
    ADD COLUMN user_name  TEXT COLLATE "C" NOT NULL DEFAULT '';
UPDATE importer.orders o SET group_name = left(p.group_name, 100), user_name = left(p.user_name, 100)
FROM public.imports p WHERE p.id = o.import_id AND p.uuid = o.uuid;

-- Agents of the version before do not write these.
-- +goose StatementBegin
CREATE FUNCTION importer.name_order() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    row RECORD;
BEGIN
    SELECT left(p.group_name, 100) AS group_name, left(p.user_name, 100) AS user_name INTO row
    FROM public.imports p WHERE p.id = NEW.import_id AND p.uuid = NEW.uuid;
    IF FOUND THEN
        NEW.group_name = row.group_name;
        NEW.user_name = row.user_name;
    END IF;
    RETURN NEW;
END
$$;
-- +goose StatementEnd
CREATE TRIGGER importer_name_order BEFORE INSERT ON importer.orders
    FOR EACH ROW WHEN (NEW.user_name = '') EXECUTE FUNCTION importer.name_order();

-- The newest of all, of a user and of a group. Only lists say what is after WHERE, and each
-- only what is of its index: whoever takes orders up is not to be led along these instead
-- of the index of its turn, nor a list of one user past the orders of all others.
CREATE INDEX orders_list ON importer.orders (state, (coalesce(ended_at, queued_at))) WHERE attempt >= 0;
CREATE INDEX orders_list_user ON importer.orders (user_name, state, (coalesce(ended_at, queued_at))) WHERE import_id > 0;
CREATE INDEX orders_list_group ON importer.orders (group_name, state, (coalesce(ended_at, queued_at))) WHERE import_id > 0;
CREATE INDEX inbox_list ON importer.inbox (placed_at) WHERE id > 0;
CREATE INDEX inbox_list_user ON importer.inbox (user_name, placed_at) WHERE import_id > 0;
CREATE INDEX inbox_list_group ON importer.inbox (group_name, placed_at) WHERE import_id > 0;
