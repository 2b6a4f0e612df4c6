// Package importer brings people from sources of truth into the directory, or
// into an Okta tenant, in sessions: raw records are kept, matched, compared,
// guarded, applied and reported, phase after phase. Every phase is durable: a
// session goes on where it was when the process ended.
//
// An identity source is an application of an Okta realm with Settings. It is
// loaded through the identity source API (web/okta), by a command or a trigger
// that reads a source (package extract), or by a flow.
//
// # A session
//
//	loaded     rows are shaped and compared with an index of fingerprints: of those
//	           of whom nothing is new only a hash is kept, all others go into blocks
//	matching   the delta: for each record an Entity, decided by package reconcile
//	guard      the delta as a whole is held, or may be applied
//	applying   some hundred people in a transaction, with their links, the change
//	           log, and how far the session has come
//
// Matching that is cut off begins again; nothing was changed yet. Applying goes on
// behind the last person. While nobody else changes the directory, the delta stands;
// else each person is decided about once more before anything is done to them, and
// whoever comes out otherwise is left to the next session.
//
// A Plan is a delta with its records that was never stored: it lies in a file without
// a name. Applying it makes the delta again and refuses where that is another one.
//
// # What a person costs
//
// Somebody who is linked has an account, an assignment (directory.AppUser), which
// keeps what the source says, and a Link of about 100 bytes with its fingerprint.
// While a source is read, the index of its links takes between 53 and 107 bytes of
// memory for each person.
//
// # Where things are
//
//	importer.go, due.go          Serve and Settle: the queue, expiry; people who are due
//	source.go, session.go        identity sources; sessions and their figures
//	sessions.go, load.go         what is asked of sessions, and loaded by requests
//	run.go, block.go             reading a source; how records are kept
//	drive.go, delta.go           the phases; the delta
//	decide.go                    what becomes of records: candidates, claims
//	apply.go, groups.go          carrying it out; groups and memberships
//	ahead.go                     what goes on beside the transaction of the moment
//	preview.go, plan.go          plans: made and applied
//	planfile.go, spool.go        plans as documents; what lies on disk for a while
//	single.go, confirm.go        one person at once; who waits to be confirmed
//	send.go, draft.go            people who go to a tenant; sources that are not stored
//	explain.go, download.go      how it came to that; reports as files
//	desk.go, store.go            what administrators ask for; what is kept
//
// The package owns sessions and their states, links between people of a source
// and accounts, plans, holds and their approval, and what was done to whom. What
// is decided about one person, and when a session is held, is package reconcile;
// it leaves reading sources to extract, wire formats to web/okta and web/api, and
// storage to whoever implements Store.
package importer
