-- +goose Up

-- What each end of an order looks for, and hardly ever finds. In a migration of its own, as
-- is the next: who waits for one table at a time, and holds no other, is in nobody's way.
CREATE INDEX inbox_parked ON importer.inbox (uuid) WHERE parked;
