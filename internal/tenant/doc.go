// Package tenant owns the objects of an Auth0 tenant beside its users and
// groups: connections with their SCIM configuration and tokens, clients and their
// grants, resource servers, roles, permissions, organizations ... with the rules
// by which they change. They are objects of the directory (directory.Object), of
// a realm of kind directory.Auth0; each has a file of its own.
//
// Users and groups are the directory's. What a SCIM call does to them is left to
// internal/inbound, wire forms, scopes and error bodies to internal/web/auth0.
package tenant
