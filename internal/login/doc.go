// Package login signs people in to an Auth0 tenant through the enterprise
// connection that they come from: it sends them to the identity provider of the
// connection, checks what that says of them, brings their account up to date as
// the connection's option set_user_root_attributes says, and gives the tenant's
// client a code, and tokens for it.
//
// Who signs in and who is provisioned by SCIM is the same account: both make
// strategy|connection|id of the provider's id of the person (scim-auth0.md 5.1).
// What browsers and clients hold of an account are records about it, so that
// they end when package directory ends them: when SCIM deactivates somebody.
//
// The protocol with the provider is left to go-oidc, the network to package
// egress, connections and clients to package tenant, HTTP and pages to
// internal/web/auth0.
package login
