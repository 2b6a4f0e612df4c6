// Package extract reads sources of truth: files of CSV and JSON, HTTP APIs,
// PostgreSQL and SQLite, DynamoDB, SCIM, LDAP and tables of Lanyard.
//
//	from.go    the section "from" of an import, read strictly
//	open.go    Open: from it to a Reader
//	file.go    bytes of a file: digest, gzip; encoding.go makes them UTF-8
//	csv.go     a file of records, which records.go reads; json.go one of objects
//	api.go     HTTP APIs page by page; pages.go says how they go on; scim.go is one of them
//	sql.go     one query in a transaction that only reads: postgres.go, sqlite.go
//	ldap.go    searches page by page; entry.go makes rows of entries
//	dynamo.go, table.go
//
// Two promises shape the code. Memory does not grow with the source: a row is
// handed on before the next one is read. And a source that stops in the middle
// ends with an error, never as if it had come to its end: people who were not
// read would look like people who left.
//
// What a row means is left to reconcile, and what becomes of it to importer.
// HTTP, with credentials, limits and the guard of addresses, is left to
// connector and egress.
package extract
