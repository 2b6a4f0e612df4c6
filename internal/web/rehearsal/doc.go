// Package rehearsal makes the sandbox misbehave on purpose, and moves its time.
//
// # Faults
//
// A Setting is a list of rules, read from YAML or JSON (Parse, with every
// mistake at its line and column). A rule says which requests it is for, when
// it fires (always, on some of them, or by a seeded chance) and what then
// happens: an error of the provider's, an HTML page, a slow answer, a lost
// request, a lost answer. Faults holds the setting in force and wraps the
// handlers of façades; it can be changed while requests are answered.
//
// The first rule that fires decides. A rule counts the requests that reach it:
// those it matches and for which no rule above it fired. So "first: 1" with 429
// above "first: 1" with 500 gives a caller a 429, then a 500, then the answer.
//
// # Time
//
// Clock is the time that everything the façades show is on: timestamps, the
// Date header, rate limits, lives of tokens. The time of the machine stays what
// journals, certificates and waits of this package go by.
//
// The package leaves error bodies to the façades (Facade), limits too (Limits
// only carries what the setting says of them), and the API that changes both to
// web/api.
package rehearsal
