// Package egress owns the one HTTP client of the product. Whatever leaves the
// machine leaves through it.
//
// A [Client] sends a [Request] only to the hosts that the request allows, and
// connects only to addresses that may be connected to. The address is checked
// after name resolution, on the very socket that is dialled, so a name that
// resolves to a private address, or to another address the second time, does
// not get around it. Redirects are not followed: a 3xx is the answer (A21).
// Bodies, headers and times are bounded.
//
// When a request fails, [SendError] tells whether it may have reached the
// server. Callers rely on that to decide what may be sent again: "never sent"
// is safe to repeat, "sent, no answer" is in doubt.
//
// The package leaves credentials, pacing and the repetition of requests to
// connector. It never repeats a request itself, and keeps net/http from doing
// so when bytes may have left.
package egress
