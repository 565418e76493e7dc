-- +goose Up

CREATE TABLE importer.repository_users (
    id   BIGSERIAL PRIMARY KEY,
    name TEXT NOT NULL UNIQUE
);

-- Datasets and Screens that orders name instead of numbering.
CREATE TABLE importer.repository_containers (
    id         BIGSERIAL PRIMARY KEY,
    type       TEXT NOT NULL CHECK (type IN ('Dataset', 'Screen')),
    group_name TEXT NOT NULL,
    user_name  TEXT NOT NULL,
    project    TEXT NOT NULL,
    name       TEXT NOT NULL,
    UNIQUE (type, group_name, user_name, project, name)
);

-- One folder of links per import; UNIQUE keeps two imports of one millisecond
-- apart, on whatever machine they run.
CREATE TABLE importer.repository_prefixes (
    id     BIGSERIAL PRIMARY KEY,
    prefix TEXT NOT NULL UNIQUE
);

CREATE TABLE importer.repository_filesets (
    id             BIGSERIAL PRIMARY KEY,
    order_uuid     TEXT NOT NULL,
    source_key     BYTEA NOT NULL,  -- SHA-256 of source, user, group and container
    source         TEXT NOT NULL,   -- the original, which stays where it is
    prefix_id      BIGINT NOT NULL REFERENCES importer.repository_prefixes (id),
    link           TEXT NOT NULL,   -- below the repository's folder
    container_type TEXT NOT NULL,
    container_id   BIGINT NOT NULL,
    UNIQUE (order_uuid, source_key)
);

CREATE TABLE importer.repository_plates (
    id         BIGSERIAL PRIMARY KEY,
    fileset_id BIGINT NOT NULL REFERENCES importer.repository_filesets (id),
    name       TEXT NOT NULL
);
CREATE INDEX repository_plates_fileset ON importer.repository_plates (fileset_id);

CREATE TABLE importer.repository_images (
    id         BIGSERIAL PRIMARY KEY,
    fileset_id BIGINT NOT NULL REFERENCES importer.repository_filesets (id),
    name       TEXT NOT NULL
);
CREATE INDEX repository_images_fileset ON importer.repository_images (fileset_id);
