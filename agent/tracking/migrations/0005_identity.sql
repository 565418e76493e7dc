-- +goose Up

-- By what a drop is recognised over restarts, and by what its content is.
-- NULL is unknown: of rows from before, for one. Marks are only kept of files
-- and folders that need not be looked at again.
ALTER TABLE importer.drops
    ADD COLUMN folder       BIGINT,  -- of the folder that it lies in: the first 8 bytes of its path's SHA-256
    ADD COLUMN mark         BIGINT,  -- condensed name, size and time, as the watcher makes it
    ADD COLUMN fingerprint  BIGINT,  -- condensed size and samples of the content
    ADD COLUMN duplicate_of TEXT NOT NULL DEFAULT '',         -- path of the earliest drop with the same content
    ADD COLUMN changed      BOOLEAN NOT NULL DEFAULT false;   -- after it was taken, and not imported again

CREATE INDEX drops_folder ON importer.drops (folder) WHERE mark IS NOT NULL;
-- The earliest of a thousand copies is found without looking at the others.
CREATE INDEX drops_fingerprint ON importer.drops (fingerprint, first_seen) WHERE fingerprint IS NOT NULL;

-- No query uses it, and each row paid for it.
DROP INDEX importer.drops_changed_at;
