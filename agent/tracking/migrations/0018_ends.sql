-- +goose Up

-- Few orders are carried out at a time, and every order is for a while: lists find these by
-- the index of what runs. In those of lists an order has its place once it does not run.
DROP INDEX importer.orders_list, importer.orders_list_user, importer.orders_list_group;
CREATE INDEX orders_list ON importer.orders (state, (coalesce(ended_at, queued_at))) WHERE attempt >= 0 AND state <> 'running';
CREATE INDEX orders_list_user ON importer.orders (user_name, state, (coalesce(ended_at, queued_at))) WHERE import_id > 0 AND state <> 'running';
CREATE INDEX orders_list_group ON importer.orders (group_name, state, (coalesce(ended_at, queued_at))) WHERE import_id > 0 AND state <> 'running';

-- Room for an order that a worker begins with: it stays on its page, and no index changes.
ALTER TABLE importer.orders SET (fillfactor = 60);
