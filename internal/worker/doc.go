// Package worker is the embedded driver: it runs the machine of package engine
// durably in one process that owns a data folder.
//
// Every turn of a run becomes one journal record, holding the event, what the
// machine derived from it, and the calls it is about to make. Records of all
// runs go through one writer that commits them in groups; a call leaves only
// after the record with its intent is on disk, and the next turn is taken only
// after the record with its answer is. After a crash a run is its records,
// folded again; the call that was under way is handed to the machine as
// interrupted. When the worker is stopped in good order, the intent of a call
// that has not left is not written, so that it is not in doubt afterwards.
//
// Secrets never enter a record. What masking changes is kept sealed beside it
// while the run may go on, and wiped when it ends (seal.go).
//
// A run takes its place among the concurrent ones before the intent of its first
// call is written. One that has to wait for a place has no intent meanwhile, so
// that its call is not in doubt after a crash.
//
// A goroutine drives each run that is moving; one that waits for a timer keeps
// its goroutine but no place among the concurrent ones; one that waits for a
// person has none. Serve owns them all.
//
// Where records are kept is the Store's business, how a call is made the
// Executor's.
package worker
