// Package provision owns outbound SCIM: it keeps the people and groups of
// applications of an Okta realm equal to their assignments, with the requests
// that Okta sends (scim-auth0.md 1.2).
//
// A Target (target.go, settings.go) says where an application is provisioned to
// and what may be done there, a mapping (mapping.go) what people look like. The
// feed (feed.go) reads the directory's change log and queues a Job for everybody
// whom a change is about. A lane (lane.go) for each target takes what is due;
// person.go and group.go make the requests, client.go sends them. What failed
// waits, is held by the brake (brake.go), or is dead until somebody replays it
// (docs/states.md). plan.go is the same without writing; import.go reads the
// target back; desk.go is behind the commands.
//
// The package leaves assignments, people and groups to directory, expressions
// to compute, the network to egress and the request log to wirelog.
package provision
