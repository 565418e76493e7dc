-- +goose Up

-- What every order writes is checked once, by who writes it and by the audit, and
-- not again row by row: these rows are written together and never changed.
ALTER TABLE importer.files DROP CONSTRAINT files_order_uuid_fkey;
ALTER TABLE importer.repository_filesets DROP COLUMN prefix_id;
ALTER TABLE importer.repository_prefixes DROP COLUMN id;
ALTER TABLE importer.repository_prefixes DROP CONSTRAINT repository_prefixes_prefix_key,
    ADD CONSTRAINT repository_prefixes_pkey PRIMARY KEY (prefix);
ALTER TABLE importer.repository_images DROP CONSTRAINT repository_images_pkey, DROP CONSTRAINT repository_images_fileset_id_fkey,
    ADD CONSTRAINT repository_images_pkey PRIMARY KEY (fileset_id, id);
DROP INDEX importer.repository_images_fileset;
ALTER TABLE importer.repository_plates DROP CONSTRAINT repository_plates_pkey, DROP CONSTRAINT repository_plates_fileset_id_fkey,
    ADD CONSTRAINT repository_plates_pkey PRIMARY KEY (fileset_id, id);
DROP INDEX importer.repository_plates_fileset;

-- What ended long ago was queued long ago.
DROP INDEX importer.orders_ended_at;

-- One sequence numbers filesets, images and plates: numbers are taken ahead.
CREATE SEQUENCE importer.repository_ids;
SELECT setval('importer.repository_ids', greatest(
    (SELECT max(id) FROM importer.repository_filesets),
    (SELECT max(id) FROM importer.repository_images),
    (SELECT max(id) FROM importer.repository_plates), 0) + 1, false);
ALTER TABLE importer.repository_filesets ALTER COLUMN id DROP DEFAULT;
ALTER TABLE importer.repository_images ALTER COLUMN id DROP DEFAULT;
ALTER TABLE importer.repository_plates ALTER COLUMN id DROP DEFAULT;
DROP SEQUENCE importer.repository_filesets_id_seq, importer.repository_images_id_seq, importer.repository_plates_id_seq;

-- What waits comes and goes: its table has to be tidied by how much of it went, not
-- by how long the queue is.
ALTER TABLE importer.inbox SET (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000);
