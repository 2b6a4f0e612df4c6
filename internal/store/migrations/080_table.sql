-- Tables of the operator's own.

-- +goose Up
CREATE TABLE table_tables (
    id       TEXT PRIMARY KEY,
    name_key TEXT NOT NULL, -- folded name
    sheet    TEXT NOT NULL, -- where its rows are
    next     BIGINT NOT NULL, -- number of the next row
    size     BIGINT NOT NULL, -- rows
    version  BIGINT NOT NULL,
    body     TEXT NOT NULL  -- JSON: everything else
);
CREATE UNIQUE INDEX table_tables_name ON table_tables (name_key);

-- With rowids: rows are long.
CREATE TABLE table_rows (
    sheet   TEXT NOT NULL,
    number  BIGINT NOT NULL,
    row_key TEXT, -- NULL: the table has no key column
    once    TEXT, -- idempotency key of its insertion, NULL for none
    version BIGINT NOT NULL,
    body    TEXT NOT NULL, -- JSON: the cells, by slot
    PRIMARY KEY (sheet, number)
);
CREATE UNIQUE INDEX table_rows_key ON table_rows (sheet, row_key) WHERE row_key IS NOT NULL;
CREATE UNIQUE INDEX table_rows_once ON table_rows (sheet, once) WHERE once IS NOT NULL;

-- Sheets that no table shows: being filled, or to be emptied.
CREATE TABLE table_sheets (
    sheet TEXT PRIMARY KEY,
    at    BIGINT NOT NULL
);

CREATE TABLE table_changes (
    tbl    TEXT NOT NULL,
    seq    BIGINT NOT NULL,
    at     BIGINT NOT NULL,
    actor  TEXT NOT NULL,
    what   TEXT NOT NULL,
    size   BIGINT NOT NULL, -- rows
    detail TEXT NOT NULL,
    PRIMARY KEY (tbl, seq)
);

-- +goose Down
DROP TABLE table_changes;
DROP TABLE table_sheets;
DROP TABLE table_rows;
DROP TABLE table_tables;
