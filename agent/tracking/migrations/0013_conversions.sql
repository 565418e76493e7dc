-- +goose Up

-- The last attempt of which the stage of conversions was written. Before what follows: that
-- locks the table too, and less.
ALTER TABLE importer.orders ADD COLUMN preprocessed INTEGER NOT NULL DEFAULT 0;

-- What converters made of files.
CREATE TABLE importer.conversions (
    order_uuid TEXT NOT NULL REFERENCES importer.orders (uuid) ON DELETE CASCADE,
    ordinal    INTEGER NOT NULL,
    attempt    INTEGER NOT NULL,
    path       TEXT NOT NULL, -- of the file
    image      TEXT NOT NULL DEFAULT '',
    digest     TEXT NOT NULL DEFAULT '', -- of the image
    result     TEXT NOT NULL DEFAULT '', -- JSON
    refusal    TEXT NOT NULL DEFAULT '', -- why there is no result
    made_at    TIMESTAMPTZ NOT NULL DEFAULT now(),
    PRIMARY KEY (order_uuid, ordinal)
);

-- The end of what an order's converters wrote last.
CREATE TABLE importer.converter_output (
    uuid  TEXT PRIMARY KEY REFERENCES importer.orders (uuid) ON DELETE CASCADE,
    run   BIGINT NOT NULL,
    lines TEXT[] NOT NULL
);
