-- Import sessions with their records, what they do to whom, and who of an
-- identity source is which account.

-- +goose Up
CREATE TABLE import_sessions (
    id      TEXT PRIMARY KEY, -- grows with time
    realm   TEXT NOT NULL,
    source  TEXT NOT NULL,
    state   TEXT NOT NULL,
    version BIGINT NOT NULL,
    body    TEXT NOT NULL -- JSON: importer.Session
);
CREATE INDEX import_sessions_source ON import_sessions (realm, source, id);
CREATE INDEX import_sessions_state ON import_sessions (realm, state, id);

-- The records of a session, many in a row, compressed by the importer.
CREATE TABLE import_blocks (
    session TEXT NOT NULL,
    seq     INTEGER NOT NULL, -- from 1; figures of the session below
    body    BLOB NOT NULL,
    PRIMARY KEY (session, seq)
);

CREATE TABLE import_entities (
    session     TEXT NOT NULL,
    seq         INTEGER NOT NULL, -- from 1, in the order in which they are carried out
    kind        TEXT NOT NULL,
    action      TEXT NOT NULL,
    external_id TEXT NOT NULL,
    account     TEXT NOT NULL,
    search      TEXT NOT NULL, -- lower case: name and externalId
    body        TEXT NOT NULL, -- JSON: importer.Entity
    PRIMARY KEY (session, seq)
);
CREATE INDEX import_entities_action ON import_entities (session, action, seq);

-- One row for each person and group that a source has told of. Small, because
-- there may be millions: what only few have is in the body.
CREATE TABLE import_links (
    source      TEXT NOT NULL,
    kind        TEXT NOT NULL,
    external_id TEXT NOT NULL,
    account     TEXT NOT NULL, -- or group; '' for none
    state       TEXT NOT NULL,
    fingerprint BLOB NOT NULL,
    due         BIGINT NOT NULL, -- 0: never
    body        TEXT,            -- JSON: who waits to be confirmed, or whose dates are to come
    PRIMARY KEY (source, kind, external_id)
) WITHOUT ROWID;
CREATE INDEX import_links_account ON import_links (account) WHERE account <> '';
CREATE INDEX import_links_due ON import_links (due) WHERE due > 0;
CREATE INDEX import_links_state ON import_links (source, kind, state, external_id) WHERE state <> 'linked';

-- First and last name, to find people by; NULL where it was not yet noted.
ALTER TABLE directory_accounts ADD COLUMN name_key TEXT;
CREATE INDEX directory_accounts_name ON directory_accounts (realm, name_key);

-- +goose Down
DROP INDEX directory_accounts_name;
ALTER TABLE directory_accounts DROP COLUMN name_key;
DROP TABLE import_links;
DROP TABLE import_entities;
DROP TABLE import_blocks;
DROP TABLE import_sessions;
