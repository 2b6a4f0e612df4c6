-- The directory: realms, accounts, groups, memberships, change log.
-- Times are microseconds since 1970 UTC, 0 for never. WITHOUT ROWID only where
-- rows are small: long ones would spill to overflow pages.

-- +goose Up
CREATE TABLE directory_realms (
    id      TEXT PRIMARY KEY,
    kind    TEXT NOT NULL,
    name    TEXT NOT NULL,
    created BIGINT NOT NULL
) WITHOUT ROWID;

CREATE TABLE directory_accounts (
    realm     TEXT NOT NULL REFERENCES directory_realms (id),
    id        TEXT NOT NULL,
    email_key TEXT NOT NULL, -- folded primary e-mail address, '' for none
    version   BIGINT NOT NULL,
    body      TEXT NOT NULL, -- JSON: everything else
    PRIMARY KEY (realm, id)
);

CREATE INDEX directory_accounts_email ON directory_accounts (email_key, realm, id);

-- What must be unique: the login in an Okta realm; e-mail and user name per
-- connection (scope) in an Auth0 realm.
CREATE TABLE directory_keys (
    realm   TEXT NOT NULL,
    name    TEXT NOT NULL,
    scope   TEXT NOT NULL,
    value   TEXT NOT NULL,
    account TEXT NOT NULL,
    PRIMARY KEY (realm, name, scope, value),
    FOREIGN KEY (realm, account) REFERENCES directory_accounts (realm, id) ON DELETE CASCADE
) WITHOUT ROWID;

CREATE INDEX directory_keys_account ON directory_keys (realm, account);

-- Hashed credentials, apart from the accounts so that no list or log can show them.
CREATE TABLE directory_secrets (
    realm    TEXT NOT NULL,
    account  TEXT NOT NULL,
    password TEXT NOT NULL, -- '' for none
    answer   TEXT NOT NULL, -- to the recovery question, '' for none
    PRIMARY KEY (realm, account),
    FOREIGN KEY (realm, account) REFERENCES directory_accounts (realm, id) ON DELETE CASCADE
) WITHOUT ROWID;

CREATE TABLE directory_groups (
    realm              TEXT NOT NULL REFERENCES directory_realms (id),
    id                 TEXT NOT NULL,
    type               TEXT NOT NULL,
    name_key           TEXT NOT NULL, -- folded name
    unique_key         TEXT,          -- the same, or NULL when the name may be taken
    membership_updated BIGINT NOT NULL,
    version            BIGINT NOT NULL,
    body               TEXT NOT NULL, -- JSON: everything else
    PRIMARY KEY (realm, id)
);

CREATE UNIQUE INDEX directory_groups_unique ON directory_groups (realm, unique_key);
CREATE INDEX directory_groups_name ON directory_groups (realm, name_key);

CREATE TABLE directory_members (
    realm    TEXT NOT NULL,
    group_id TEXT NOT NULL,
    account  TEXT NOT NULL,
    added    BIGINT NOT NULL,
    PRIMARY KEY (realm, group_id, account),
    FOREIGN KEY (realm, group_id) REFERENCES directory_groups (realm, id) ON DELETE CASCADE,
    FOREIGN KEY (realm, account) REFERENCES directory_accounts (realm, id) ON DELETE CASCADE
) WITHOUT ROWID;

CREATE INDEX directory_members_account ON directory_members (realm, account, group_id);

-- The ordered change log. Numbers come from directory_counters, not from the
-- database's own sequence: a row lock on the counter makes their order the
-- order of commits, so readers with a cursor miss nothing.
CREATE TABLE directory_changes (
    seq    INTEGER PRIMARY KEY,
    at     BIGINT NOT NULL,
    actor  TEXT NOT NULL,
    kind   TEXT NOT NULL,
    realm  TEXT NOT NULL,
    target TEXT NOT NULL,
    before TEXT, -- JSON, NULL when the object did not exist
    after  TEXT  -- JSON, NULL when the object is gone
);

CREATE TABLE directory_counters (
    name  TEXT PRIMARY KEY,
    value BIGINT NOT NULL
) WITHOUT ROWID;

INSERT INTO directory_counters (name, value) VALUES ('change', 0);

-- +goose Down
DROP TABLE directory_counters;
DROP TABLE directory_changes;
DROP TABLE directory_members;
DROP TABLE directory_groups;
DROP TABLE directory_secrets;
DROP TABLE directory_keys;
DROP TABLE directory_accounts;
DROP TABLE directory_realms;
