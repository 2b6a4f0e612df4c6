-- Runs of the items of lists, and what has come of each item.

-- +goose Up
ALTER TABLE journal_runs ADD COLUMN parent TEXT NOT NULL DEFAULT '';
DROP INDEX journal_runs_by_created;
CREATE INDEX journal_runs_by_created ON journal_runs (parent, created);

CREATE TABLE journal_items (
    run      TEXT NOT NULL, -- the one that works through the list
    loop     INTEGER NOT NULL,
    position INTEGER NOT NULL,
    step     TEXT NOT NULL,
    status   TEXT NOT NULL,
    try      INTEGER NOT NULL,
    child    TEXT NOT NULL,
    result   TEXT NOT NULL, -- masked
    sealed   BLOB,          -- as in journal_records
    PRIMARY KEY (run, loop, position)
);

-- +goose Down
DROP TABLE journal_items;
DROP INDEX journal_runs_by_created;
CREATE INDEX journal_runs_by_created ON journal_runs (created);
ALTER TABLE journal_runs DROP COLUMN parent;
