-- What tells that somebody came or went in a connection, for places in its list
-- that are remembered.

-- +goose Up
ALTER TABLE directory_tallies ADD COLUMN version BIGINT NOT NULL DEFAULT 0;

-- +goose Down
ALTER TABLE directory_tallies DROP COLUMN version;
