-- The request log of provisioning.

-- +goose Up
CREATE TABLE wirelog_exchanges (
    seq       INTEGER PRIMARY KEY, -- in the order of arrival
    id        TEXT NOT NULL,
    at        BIGINT NOT NULL,
    scope     TEXT NOT NULL,
    direction TEXT NOT NULL,
    method    TEXT NOT NULL, -- upper case
    status    INTEGER NOT NULL,
    subject   TEXT NOT NULL,
    body      TEXT NOT NULL -- wirelog.Exchange as JSON, masked
);
CREATE UNIQUE INDEX wirelog_exchanges_id ON wirelog_exchanges (id);
CREATE INDEX wirelog_exchanges_scope ON wirelog_exchanges (scope, seq);
CREATE INDEX wirelog_exchanges_at ON wirelog_exchanges (at);

-- +goose Down
DROP TABLE wirelog_exchanges;
