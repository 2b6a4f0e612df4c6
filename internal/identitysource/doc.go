// Package identitysource brings the changes of an import into an Okta tenant,
// through the identity source API of a Custom Identity Source application there.
//
//	send.go     Send: what an import session does here, brought into the tenant
//	changes.go  Changes: what a plan says, as entries of bulk requests
//	chunk.go    requests of at most 200 entries and 200 KB
//	push.go     Push: sessions one after the other, each loaded, triggered, awaited
//	session.go  opening a session: older ones, the five-minute rule, lost answers
//	find.go     Find: the identity source that a label names
//	files.go    Files: where a push stands, on disk
//	api.go      calls and what their answers mean; Over makes them on a connection
//
// A push can be killed at any moment and goes on where it was: where it is stands
// in a Progress, which is kept before anything is sent that depends on it. Loads
// are upserts and deletions by external id, so that one in doubt is sent again.
//
// What is done to whom is decided by package importer, and said to it by its
// plans. The package leaves credentials, pacing by the tenant's rate limits and the
// guard of addresses to connector.
package identitysource
