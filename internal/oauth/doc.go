// Package oauth owns the rules by which programs get access to an org: API
// tokens, and the org authorization server with its clients' authentication,
// grants, codes, tokens, proofs of possession and keys. The rules are Okta's
// (okta.md 4) over the standards: RFC 6749 and 7636 (codes and PKCE), 7521 and
// 7523 (assertions), 9449 (DPoP), 7662 and 7009 (introspection, revocation),
// 9068 in spirit (access tokens are JWTs).
//
// The way through the package:
//
//	server.go     the Server and what it needs of others
//	errors.go     every refusal, in one table with Okta's status and text
//	apitoken.go   API tokens (the scheme SSWS)
//	client.go     how a client proves who it is; assertion.go: by private_key_jwt
//	dpop.go       proofs of possession and their nonces
//	scope.go      which scopes exist and what they contain
//	authorize.go  the authorization request, up to the code
//	browser.go    who is signed in in a browser, and what was consented to
//	token.go      the token endpoint: one file for what each grant gives
//	refresh.go    grants that can be refreshed, and the end of their family
//	jwt.go        access and ID tokens as they are written and read
//	access.go     who makes a call of the API
//	introspect.go what is said of a token; revocation; user info
//	directory.go  applications of the directory as clients
//	key.go        the keys that sign, sealed in the store
//
// # What is kept
//
// All of it is kept as directory records of the org's realm, so that a restart
// forgets nothing. Tokens, codes and cookies are kept as digests only:
//
//	noun                 id              parent   subject   key
//	token                00T...                   account   digest of the token
//	signing key          kid                                "current" for one
//	dpop secret          "dpop"
//	oauth grant          oar...          client   account
//	refresh token        digest          grant    account
//	authorization code   digest          client   account
//	revoked token        jti
//	used jti             digest
//	browser session      digest                   account
//	consent              client + user   client   account
//
// Proofs of possession that were seen are remembered in memory only: they live
// for minutes, and one comes with every call. A restart is no way to replay them,
// because proofs that are older than the process are refused.
//
// The package leaves HTTP and pages to internal/web/okta, applications and
// roles to the directory, and passwords to whoever signs people in.
package oauth
