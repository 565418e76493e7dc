-- +goose Up

-- What one statement places goes to the inbox together, for half of what it costs row by
-- row. Rows that arrive by logical replication come with no statement.
-- +goose StatementBegin
CREATE FUNCTION importer.announce_placed() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    INSERT INTO importer.inbox (import_id, uuid, inserted, rank, group_name, user_name, destination)
    SELECT p.id, p.uuid, true,
           -coalesce((SELECT priority FROM importer.requests r WHERE r.uuid = p.uuid), 0),
           left(p.group_name, 100), left(p.user_name, 100),
           importer.destination_of(p.destination_type, p.destination_id)
    FROM placed p WHERE p.stage = 'Import Pending';
    IF FOUND THEN
        PERFORM pg_notify('importer_orders', '');
    END IF;
    RETURN NULL;
END
$$;
-- +goose StatementEnd

-- Whoever drops a trigger has the table alone: no row is placed between two of these.
DROP TRIGGER importer_announce_pending ON public.imports;
CREATE TRIGGER importer_announce_pending
    AFTER UPDATE OF stage ON public.imports
    FOR EACH ROW WHEN (NEW.stage = 'Import Pending')
    EXECUTE FUNCTION importer.announce_pending();
ALTER TABLE public.imports ENABLE ALWAYS TRIGGER importer_announce_pending;
CREATE TRIGGER importer_announce_placed
    AFTER INSERT ON public.imports REFERENCING NEW TABLE AS placed
    FOR EACH STATEMENT EXECUTE FUNCTION importer.announce_placed();
CREATE TRIGGER importer_announce_replicated
    AFTER INSERT ON public.imports
    FOR EACH ROW WHEN (NEW.stage = 'Import Pending')
    EXECUTE FUNCTION importer.announce_pending();
ALTER TABLE public.imports ENABLE REPLICA TRIGGER importer_announce_replicated;
