-- Triggers that were added by command, what was switched, how far they have
-- looked, and everything that they took notice of.

-- +goose Up
CREATE TABLE trigger_definitions (
    name TEXT PRIMARY KEY,
    body TEXT NOT NULL -- JSON: trigger.Definition
);

CREATE TABLE trigger_switches (
    what TEXT NOT NULL,
    name TEXT NOT NULL,
    body TEXT NOT NULL, -- JSON: trigger.Switch
    PRIMARY KEY (what, name)
);

CREATE TABLE trigger_cursors (
    name TEXT PRIMARY KEY,
    seen BIGINT NOT NULL, -- due times up to here were decided
    seq  BIGINT NOT NULL  -- entries of the change log up to here were read
);

CREATE TABLE trigger_firings (
    id         TEXT PRIMARY KEY,
    name       TEXT NOT NULL,   -- of the trigger
    state      TEXT NOT NULL,
    at         BIGINT NOT NULL,
    due        BIGINT NOT NULL,
    open       INTEGER NOT NULL, -- 1: its run is not known to have ended
    many       INTEGER NOT NULL, -- how many it stands for
    duplicates INTEGER NOT NULL,
    proof      TEXT,             -- a signature; NULL for none
    body       TEXT NOT NULL,    -- JSON: trigger.Firing
    sealed     BLOB              -- its inputs, encrypted, while it waits
);
CREATE UNIQUE INDEX trigger_firings_proof ON trigger_firings (name, proof);
CREATE INDEX trigger_firings_at ON trigger_firings (at, id);
CREATE INDEX trigger_firings_of ON trigger_firings (name, at);
CREATE INDEX trigger_firings_state ON trigger_firings (state, due);
CREATE INDEX trigger_firings_open ON trigger_firings (open);

-- +goose Down
DROP TABLE trigger_firings;
DROP TABLE trigger_cursors;
DROP TABLE trigger_switches;
DROP TABLE trigger_definitions;
