// Package reconcile decides what an import does to people: a pure function from
// what a source of truth says, what was linked before and who is in the directory
// to the difference, and to the reasons to hold it.
//
//	Shape     a row, in the source's words        -> a Person
//	Decide    a Person, its Link, candidates      -> a Decision
//	Guard     all decisions of a session, counted -> reasons to hold it
//
// There is no I/O, clock or randomness in it: times come in as arguments, and
// whoever drives it (package importer) reads rows, looks candidates up and
// carries decisions out. The same inputs always give the same decisions, which is
// why a plan can be made, shown, and carried out later if nothing has changed.
//
// The package leaves reading sources to extract, sessions, durability and the
// directory to importer, and the language of expressions to compute.
package reconcile
