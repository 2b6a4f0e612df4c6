// Package connector turns an operation into an exchange with the server that
// the operator bound to its source. It owns binding, credentials, pacing and
// the re-sending that pacing needs.
//
// A call moves like this:
//
//	environment.go  lanyard.yaml, connections added by command, variables such as OKTA_API_TOKEN
//	bind.go         Bind: source + choices of the run + lanyard.yaml = Connection
//	do.go           Do: one call, from the rendered request to an Exchange
//	pace.go         wait for a place: rate, concurrency, the provider's own limits
//	auth.go         put the credential where the operation's security scheme wants it
//	token.go        OAuth 2.0 token endpoint: ask once for all who wait
//	grant.go        tokens of somebody who signed in: kept in the vault, refreshed
//	dpop.go         proofs that we hold the key that a token is bound to
//	shared.go       what the runs of one connection share: budget, tokens, secrets
//	probe.go        Probe: does this connection work, for whom, and what is missing
//	scopes.go       what workflows need, and what of it a token lacks
//	authorize.go    SignIn: authorization code with PKCE; loopback.go waits for the browser
//
// Two promises shape the code. A credential leaves only for the server that the
// operator bound, never for one that a description names. And a request is sent
// again only when its first sending had no effect: after a 429, after a 401
// with an access token that was renewed since or that asks for a nonce, and after a 503 with
// Retry-After when the method is idempotent. Everything else is reported, with
// whether it may have reached the server, and left to the engine.
//
// What is known of providers is data, in package catalog below. HTTP itself,
// with the guard of addresses, is left to egress; what an answer means, to the
// engine; masking, to secret, which is given Connection.Secrets.
package connector
