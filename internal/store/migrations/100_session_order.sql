-- The order in which import sessions were begun: whoever starts one may choose its
-- id, so that ids do not tell.

-- +goose Up
ALTER TABLE import_sessions ADD COLUMN begun BIGINT NOT NULL DEFAULT 0;
UPDATE import_sessions SET begun = (SELECT COUNT(*) FROM import_sessions AS older WHERE older.id <= import_sessions.id);
DROP INDEX import_sessions_source;
DROP INDEX import_sessions_state;
CREATE INDEX import_sessions_begun ON import_sessions (begun, id);
CREATE INDEX import_sessions_source ON import_sessions (realm, source, begun, id);
CREATE INDEX import_sessions_state ON import_sessions (realm, state, begun, id);

-- +goose Down
DROP INDEX import_sessions_begun;
DROP INDEX import_sessions_source;
DROP INDEX import_sessions_state;
CREATE INDEX import_sessions_source ON import_sessions (realm, source, id);
CREATE INDEX import_sessions_state ON import_sessions (realm, state, id);
ALTER TABLE import_sessions DROP COLUMN begun;
