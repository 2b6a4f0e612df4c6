-- Objects of the directory that are read and written whole: applications,
-- assignments, roles, factors, rules ... And who was behind a change.

-- +goose Up
CREATE TABLE directory_records (
    realm      TEXT NOT NULL REFERENCES directory_realms (id),
    noun       TEXT NOT NULL,
    id         TEXT NOT NULL,
    parent     TEXT NOT NULL, -- id of the object it belongs to, '' for none
    subject    TEXT NOT NULL, -- id of the account or group it is about, '' for none
    unique_key TEXT,          -- NULL for none
    version    BIGINT NOT NULL,
    body       TEXT NOT NULL, -- JSON: the object
    PRIMARY KEY (realm, noun, id)
);

CREATE UNIQUE INDEX directory_records_key ON directory_records (realm, noun, unique_key);
CREATE INDEX directory_records_parent ON directory_records (realm, noun, parent, id);
CREATE INDEX directory_records_subject ON directory_records (realm, noun, subject, id);

-- JSON: the actor, more targets and the outcome. NULL in entries of old.
ALTER TABLE directory_changes ADD COLUMN detail TEXT;
CREATE INDEX directory_changes_at ON directory_changes (realm, at, seq);
CREATE INDEX directory_changes_target ON directory_changes (target, seq);

-- +goose Down
DROP INDEX directory_changes_target;
DROP INDEX directory_changes_at;
ALTER TABLE directory_changes DROP COLUMN detail;
DROP TABLE directory_records;
