// Package webtest holds the façades to published facts. It is imported by tests
// only.
//
// A [Checker] compares answers with a provider's OpenAPI description: is the
// operation described, the status declared, does the body fit the schema. Where
// the description itself is wrong, a list of known errors says so, each with
// the recorded answer that shows it. [Okta] returns the checker of Okta's
// management and OAuth descriptions; [Checker.Handler] and [Checker.Transport]
// put it around a server or a client.
//
// [Recordings] reads conversations with the real Okta, for tests that replay
// them, and for those that look for the description's own errors.
//
// The descriptions and recordings are test data beside the repository. Without
// them nothing is checked, unless CI is set: then their absence is an error.
// What an answer must say beyond its form is left to the façades' own tests.
package webtest
