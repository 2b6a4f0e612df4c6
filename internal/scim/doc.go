// Package scim is the SCIM protocol without HTTP and without storage: RFC 7643
// (schemas), RFC 7644 (reading, replacing and patching resources, filters,
// projection, sorting, errors) and the discovery documents of RFC 9865.
//
// One tree of attributes, built from the schemas of a resource type, drives
// all of it. Types is the registry of resource types, Standard the one of RFC
// 7643. Everything is a pure function over values: nothing given to this
// package is ever changed by it, and results share the parts of the input that
// did not change.
//
// What clients send outside the RFCs is accepted only where a Leniency says so,
// and every use of it is reported as a Note.
//
// The package leaves routes, headers, status lines and bulk to internal/web/scim,
// and what a resource does to a directory to internal/inbound.
package scim
