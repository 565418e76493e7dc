-- +goose Up

-- Who is told of orders that end, as the agents that carry them out have it in their
-- settings. One that no running agent has goes, with what is due for it.
CREATE TABLE importer.notify_targets (
    name    TEXT PRIMARY KEY,           -- without secrets
    stages  TEXT[] NOT NULL,            -- that it is told of
    gather  INTERVAL NOT NULL,          -- how long what ends is waited with, so that more can go along
    seen_at TIMESTAMPTZ NOT NULL
);

-- What is told to whom: of each attempt as it was when it ended, since a retry changes the
-- order. Who ends orders writes here in the same transaction, and nothing where there are
-- no targets; agents of the release before tell of nothing.
CREATE TABLE importer.deliveries (
    id               UUID PRIMARY KEY DEFAULT gen_random_uuid(),
    target           TEXT NOT NULL,
    uuid             TEXT NOT NULL,
    attempt          INTEGER NOT NULL,
    stage            TEXT NOT NULL,
    group_name       TEXT NOT NULL,
    user_name        TEXT NOT NULL,
    destination_type TEXT NOT NULL,
    destination_id   TEXT NOT NULL,
    reason           TEXT NOT NULL,
    files_imported   BIGINT NOT NULL,
    files_failed     BIGINT NOT NULL,
    queued_at        TIMESTAMPTZ NOT NULL,
    started_at       TIMESTAMPTZ,
    ended_at         TIMESTAMPTZ NOT NULL,
    state            TEXT NOT NULL DEFAULT 'due' CHECK (state IN ('due', 'delivered', 'given_up')),
    message          UUID,              -- what is delivered together, once it was tried
    tries            INTEGER NOT NULL DEFAULT 0,
    due_at           TIMESTAMPTZ,       -- the next try; while one is made, when it counts as lost
    settled_at       TIMESTAMPTZ,       -- when it was delivered or given up
    error            TEXT NOT NULL DEFAULT '', -- of the last try
    UNIQUE (uuid, attempt, target)
);
CREATE INDEX deliveries_due ON importer.deliveries (target, due_at) WHERE state = 'due';
CREATE INDEX deliveries_user ON importer.deliveries (target, user_name, ended_at) WHERE state = 'due';
CREATE INDEX deliveries_ended ON importer.deliveries (ended_at);
CREATE INDEX deliveries_open ON importer.deliveries (ended_at) WHERE state <> 'delivered';
