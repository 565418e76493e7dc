-- +goose Up

-- What somebody has to look at: manifests that wait, and what was refused.
CREATE INDEX drops_attention ON importer.drops (changed_at) WHERE state IN ('waiting', 'refused');

-- Who is there. Each agent says so now and then; what decides on orders is its lock.
CREATE TABLE importer.agents (
    name       TEXT PRIMARY KEY,
    roles      TEXT[] NOT NULL,
    version    TEXT NOT NULL,
    started_at TIMESTAMPTZ NOT NULL DEFAULT clock_timestamp(),
    seen_at    TIMESTAMPTZ NOT NULL DEFAULT clock_timestamp()
);
