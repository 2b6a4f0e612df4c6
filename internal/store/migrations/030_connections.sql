-- Accounts and groups that an enterprise connection owns, and how many there are.

-- +goose Up
ALTER TABLE directory_accounts ADD COLUMN connection TEXT NOT NULL DEFAULT '';
CREATE INDEX directory_accounts_connection ON directory_accounts (realm, connection, id) WHERE connection <> '';

ALTER TABLE directory_groups ADD COLUMN connection TEXT NOT NULL DEFAULT '';
ALTER TABLE directory_groups ADD COLUMN members BIGINT NOT NULL DEFAULT 0;
CREATE INDEX directory_groups_connection ON directory_groups (realm, connection, id) WHERE connection <> '';
UPDATE directory_groups SET members = (
    SELECT count(*) FROM directory_members m WHERE m.realm = directory_groups.realm AND m.group_id = directory_groups.id
);

CREATE TABLE directory_tallies (
    realm      TEXT NOT NULL,
    connection TEXT NOT NULL,
    accounts   BIGINT NOT NULL,
    PRIMARY KEY (realm, connection)
) WITHOUT ROWID;

-- +goose Down
DROP TABLE directory_tallies;
DROP INDEX directory_groups_connection;
ALTER TABLE directory_groups DROP COLUMN members;
ALTER TABLE directory_groups DROP COLUMN connection;
DROP INDEX directory_accounts_connection;
ALTER TABLE directory_accounts DROP COLUMN connection;
