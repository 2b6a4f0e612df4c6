-- The name that a group shows a member by, where whoever fills the group gave one.

-- +goose Up
ALTER TABLE directory_members ADD COLUMN display TEXT NOT NULL DEFAULT '';

-- +goose Down
ALTER TABLE directory_members DROP COLUMN display;
