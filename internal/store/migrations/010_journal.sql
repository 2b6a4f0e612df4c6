-- +goose Up
CREATE TABLE journal_plans (
    digest TEXT PRIMARY KEY,
    data   BLOB NOT NULL
);

CREATE TABLE journal_runs (
    id       TEXT PRIMARY KEY,
    status   TEXT NOT NULL,
    workflow TEXT NOT NULL,
    created  INTEGER NOT NULL,
    ended    INTEGER NOT NULL,
    spec     TEXT NOT NULL, -- run.Spec, masked
    title    TEXT NOT NULL,
    reason   TEXT NOT NULL,
    outputs  TEXT           -- masked
);
CREATE INDEX journal_runs_by_created ON journal_runs (created);
CREATE INDEX journal_runs_by_status ON journal_runs (status, created);

-- With rowids: an answer takes kilobytes, and without rowids whatever exceeds a
-- quarter of a page goes to overflow pages of its own, which more than doubles
-- the bytes written for a run.
CREATE TABLE journal_records (
    run     TEXT NOT NULL,
    seq     INTEGER NOT NULL,
    at      INTEGER NOT NULL,
    event   TEXT NOT NULL, -- masked
    trace   TEXT,
    intents TEXT,
    sealed  BLOB,          -- the event as it was, encrypted; empty once the run has ended, NULL when nothing was masked
    PRIMARY KEY (run, seq)
);

-- +goose Down
DROP TABLE journal_records;
DROP TABLE journal_runs;
DROP TABLE journal_plans;
