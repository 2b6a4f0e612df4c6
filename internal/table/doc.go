// Package table keeps data of the operator's own in tables: typed columns, rows
// with ids and versions, CSV in and out. Flows hold there what they gather, and
// an import reads people from there.
//
//	table.go    tables, columns, limits
//	value.go    what a column takes, from JSON and from text
//	rows.go     rows: insert, update, upsert by key, delete
//	query.go    filter, order, pages
//	alter.go    a table's columns change
//	guess.go    the types of a text file's columns
//	csv.go      text files, safe against formulas
//	import.go   a text file becomes rows, or a list of bad lines: lines.go reads them,
//	            stage.go takes them into the table, merge.go over rows that are there
//	export.go   rows become a text file or JSON
//	desk.go     what administrators ask for
//
// Rows live on a sheet, and a table shows one sheet. What is imported is written to
// a sheet of its own first, a thousand rows at a time, and only takes its place when
// every line is good: readers see the old rows or the new ones.
//
// The package owns what a table is and promises. It leaves storage to whoever
// implements Store, HTTP to web/api, and what rows of people mean to importer.
package table
