-- +goose Up

-- The oldest version of the tables whose program still works beside these. A migration
-- that older ones cannot live with raises it to its own number; see README.md.
CREATE TABLE importer.serves (
    one     BOOLEAN PRIMARY KEY DEFAULT true CHECK (one),
    version INTEGER NOT NULL
);
INSERT INTO importer.serves (version) VALUES (9);

-- Up to version 5 a file that was not decided on had a row, which the audit takes for
-- wrong, and runs were not counted: that there was one says where to look for files.
DELETE FROM importer.files WHERE state = 'pending';
UPDATE importer.orders SET run = 1 WHERE run = 0;
