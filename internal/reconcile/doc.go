// Package reconcile decides what an import does to people: a pure function from
// what a source of truth says, what was linked before and who is in the directory
// to the difference, and to the reasons to hold it.
//
//	Complete  settings and headings               -> settings     guess.go
//	Compile   settings and the directory's schema -> Rules        rules.go
//	Shape     a row, in the source's words        -> a Person     shape.go, dates.go
//	Quick     a Person and its Link               -> a Decision, if nothing else matters
//	Keys      a Person                            -> what finds candidates
//	Decide    a Person, its Link, candidates      -> a Decision   decide.go, keys.go, mapping.go
//	Absent    a Link of who is not there any more -> a Decision
//	Again     a Link whose day has come           -> a Person     link.go
//	Relink    all of it, carried out              -> the next Link
//	Guard     all decisions of a session, counted -> reasons to hold it   guard.go, tally.go, sketch.go
//
// There is no I/O, clock or randomness in it: times come in as arguments, and
// whoever drives it (package importer) reads rows, looks candidates up and
// carries decisions out. The same inputs always give the same decisions, which is
// why a plan can be made, shown, and carried out later if nothing has changed.
//
// # Order
//
// Decisions about one person do not depend on those about others, but for two
// things that whoever drives the rules has to say: who gets a user name already
// (Candidates.Rival), and whose account somebody else wants (Candidate.Wanted).
// That is why those who leave are decided about after all others.
//
// # Texts
//
// Values are compared and kept without blanks around them and in NFC. Logins are
// compared as the directory keeps them apart, without case and accents; other
// attributes, and names of partial matches, without case.
//
// The package leaves reading sources to extract, sessions, durability and the
// directory to importer, and the language of expressions to compute.
package reconcile
