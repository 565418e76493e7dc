-- +goose Up

-- Everything found in a watched folder, refused drops included. The key is a
-- hash because a path may be longer than an index entry and need not be UTF-8.
CREATE TABLE importer.drops (
    key        BYTEA PRIMARY KEY,  -- SHA-256 of the path's bytes
    path       TEXT NOT NULL,      -- for people: bytes that are no UTF-8 are replaced
    kind       TEXT NOT NULL CHECK (kind IN ('file', 'folder', 'manifest', 'legacy')),
    size       BIGINT NOT NULL,
    mtime      BIGINT NOT NULL,    -- nanoseconds since 1970
    inode      BIGINT NOT NULL,
    digest     BYTEA NOT NULL DEFAULT '',  -- SHA-256 of a manifest's content
    state      TEXT NOT NULL CHECK (state IN ('waiting', 'held', 'taken', 'refused', 'gone')),
    reason     TEXT NOT NULL DEFAULT '',
    holder     TEXT NOT NULL DEFAULT '',   -- of a held file: the manifest that it waits for
    uuid       TEXT NOT NULL DEFAULT '',   -- the order that it became, or is part of
    version    INTEGER NOT NULL,           -- counts changes, so that none is overwritten unseen
    first_seen TIMESTAMPTZ NOT NULL DEFAULT clock_timestamp(),
    changed_at TIMESTAMPTZ NOT NULL DEFAULT clock_timestamp()
);
CREATE INDEX drops_manifest_uuid ON importer.drops (uuid) WHERE kind IN ('manifest', 'legacy');
CREATE INDEX drops_changed_at ON importer.drops (changed_at);

-- Receipts and rejections still to be written beside a manifest. Inserted in
-- the transaction that changes what they say.
CREATE TABLE importer.reports (
    id       BIGSERIAL PRIMARY KEY,
    drop_key BYTEA NOT NULL REFERENCES importer.drops (key) ON DELETE CASCADE,
    tries    INTEGER NOT NULL DEFAULT 0,
    due_at   TIMESTAMPTZ NOT NULL DEFAULT now()
);
CREATE INDEX reports_due_at ON importer.reports (due_at);

-- What orders ask for beyond the columns that clients share.
CREATE TABLE importer.requests (
    uuid          TEXT PRIMARY KEY,
    metadata      JSONB NOT NULL,         -- key-value pairs for every imported object
    metadata_file TEXT NOT NULL DEFAULT ''
);
