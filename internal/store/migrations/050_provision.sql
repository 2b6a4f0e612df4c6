-- What is known of people and groups in applications that are provisioned, and
-- what is to be looked at.

-- +goose Up
CREATE TABLE provision_links (
    realm       TEXT NOT NULL,
    app         TEXT NOT NULL,
    account     TEXT NOT NULL,
    remote_id   TEXT,             -- NULL for none yet
    active      INTEGER NOT NULL, -- 1: there, and able to sign in
    deactivated INTEGER NOT NULL,
    body        TEXT NOT NULL,    -- JSON: provision.Link
    PRIMARY KEY (realm, app, account)
);
CREATE UNIQUE INDEX provision_links_remote ON provision_links (realm, app, remote_id);
CREATE INDEX provision_links_deactivated ON provision_links (realm, app, deactivated);

CREATE TABLE provision_groups (
    realm    TEXT NOT NULL,
    app      TEXT NOT NULL,
    group_id TEXT NOT NULL,
    body     TEXT NOT NULL, -- JSON: provision.GroupLink
    PRIMARY KEY (realm, app, group_id)
);

CREATE TABLE provision_members (
    realm     TEXT NOT NULL,
    app       TEXT NOT NULL,
    group_id  TEXT NOT NULL,
    remote_id TEXT NOT NULL,
    PRIMARY KEY (realm, app, group_id, remote_id)
) WITHOUT ROWID;

CREATE TABLE provision_jobs (
    realm    TEXT NOT NULL,
    app      TEXT NOT NULL,
    kind     TEXT NOT NULL,
    subject  TEXT NOT NULL,
    state    TEXT NOT NULL,
    attempts INTEGER NOT NULL,
    due      INTEGER NOT NULL,
    queued   INTEGER NOT NULL,
    assign   INTEGER NOT NULL,
    remove   INTEGER NOT NULL,
    weight   TEXT NOT NULL,
    approved INTEGER NOT NULL,
    error    TEXT NOT NULL,
    status   INTEGER NOT NULL,
    renewed  INTEGER NOT NULL,
    PRIMARY KEY (realm, app, kind, subject)
);
CREATE INDEX provision_jobs_due ON provision_jobs (realm, app, state, due);

CREATE TABLE provision_conditions (
    realm TEXT NOT NULL,
    app   TEXT NOT NULL,
    body  TEXT NOT NULL, -- JSON: provision.Condition
    PRIMARY KEY (realm, app)
);

CREATE TABLE provision_cursor (
    id  INTEGER PRIMARY KEY, -- 1
    seq INTEGER NOT NULL
);

-- +goose Down
DROP TABLE provision_cursor;
DROP TABLE provision_conditions;
DROP TABLE provision_jobs;
DROP TABLE provision_members;
DROP TABLE provision_groups;
DROP TABLE provision_links;
