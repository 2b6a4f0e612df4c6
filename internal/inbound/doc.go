// Package inbound owns what a SCIM call on an enterprise connection does to the
// accounts and groups of an Auth0 tenant: who may call, how SCIM attributes and
// Auth0 attributes correspond, which user id a person gets, what becomes of
// somebody who is there already, of members who are not there yet, and the
// limits.
//
// Service.Open checks a token and returns an Endpoint, which web/scim serves.
// An account keeps the SCIM resource that the client sent, whole; what the
// mapping joins to Auth0 attributes is read back from those, so that a client
// sees what an administrator changed. Each call is one transaction.
//
// The protocol is left to package scim, configurations and tokens to package
// tenant, storage to package directory, HTTP, bulk and the request log to
// package web/scim.
package inbound
