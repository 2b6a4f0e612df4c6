// Package importer brings people from sources of truth into the directory, or
// into an Okta tenant, in sessions: raw records are kept, matched, compared,
// guarded, applied and reported, phase after phase. Every phase is durable: a
// session goes on where it was when the process ended.
//
// An identity source is an application of an Okta realm with Settings. It is
// loaded through the identity source API (web/okta), by a command or a trigger
// that reads a source (package extract), or by a flow.
//
// The package owns sessions and their states, links between people of a source
// and accounts, plans, holds and their approval, and what was done to whom. What
// is decided about one person, and when a session is held, is package reconcile;
// it leaves reading sources to extract, wire formats to web/okta and web/api, and
// storage to whoever implements Store.
package importer
