// Package sources finds the descriptions that an Arazzo document names, pins
// them, and says what happened to those that moved or changed.
//
// Most published documents name descriptions that are no longer where they
// were, or no longer what they were. Three cases are kept apart, because the
// remedy differs: a source that cannot be read (and perhaps a file of its name
// lies near), one that was read and lacks an operation (package openapi names
// the nearest), and one that changed since it was pinned.
//
// [Loader.Load] looks in this order: a location that the operator gave for the
// source, the content that the lock file pins, the URL of the document, and
// last, when allowed, a description built into the program. What the user
// should know about the choice is the source's Notice.
//
// # Files
//
//	lanyard.lock              beside the documents: which bytes each source is
//	<cache>/sources/<sha256>  copies of pinned content, so that a moved URL keeps working
//	<cache>/index/<sha256>.idx  operation indexes by content, made again when missing or damaged
//
// Left to others: HTTP and its guards (a Fetcher), reading the descriptions
// (openapi), what a document needs of them (plan), and the built-in ones
// (connector's catalogue).
package sources
