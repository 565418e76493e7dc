-- +goose Up

-- Each for what says what is after WHERE: what is due was looked for along the indexes of
-- lists too, past all that was given up and all that is due for others. Agents of the version
-- before look further than these until they are replaced.
DROP INDEX importer.deliveries_user, importer.deliveries_ended, importer.deliveries_open;
CREATE INDEX deliveries_user ON importer.deliveries (target, user_name, ended_at) WHERE state = 'due' AND tries >= 0;
CREATE INDEX deliveries_ended ON importer.deliveries (ended_at) WHERE attempt >= 0;
CREATE INDEX deliveries_open ON importer.deliveries (ended_at) WHERE attempt >= 0 AND state <> 'delivered';
