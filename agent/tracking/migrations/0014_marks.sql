-- +goose Up

-- What the backend said when a round of an order was prepared first. By it the backend tells
-- what the order made of what others did.
ALTER TABLE importer.orders ADD COLUMN mark TEXT NOT NULL DEFAULT '';

-- Where the links are of what was imported from temporary copies, in any round.
ALTER TABLE importer.conversions ADD COLUMN folders TEXT[] NOT NULL DEFAULT '{}';
