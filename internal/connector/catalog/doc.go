// Package catalog owns what Lanyard knows of providers beforehand: one folder
// for each, with
//
//   - profile.yaml: how a source is recognised, how it wants to be
//     authenticated, how it limits rates, and how a connection is tested ([Entry]);
//   - openapi.yaml: a small description, in our own words, of the operations
//     that workflows use most ([Entry.Description]);
//   - actions: Arazzo documents, each workflow one thing that the provider can be
//     asked to do, with typed inputs and outputs ([Action]).
//
// A new provider is a new folder. The list of folders is read from the embedded
// files, and no code here names a provider.
//
// The catalogue is data. Left to others: binding a connection, obtaining tokens,
// pacing and probing (package connector), deciding when the built-in
// description stands in for a published one (package sources), serving the
// sandbox (packages below web).
package catalog
