// Package provision owns outbound SCIM: it keeps the people and groups of
// applications of an Okta realm equal to their assignments, with the requests
// that Okta sends (scim-auth0.md 1.2).
//
// The package leaves assignments, people and groups to directory, expressions
// to compute, the network to egress and the request log to wirelog.
package provision
