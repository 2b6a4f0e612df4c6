// Package bundle packs a folder of flows into one file, NAME.folder, and unpacks
// it elsewhere: documents with the descriptions they name, tables, and the
// sections of lanyard.yaml that go with them. It never packs a credential.
//
// The file is a zip: manifest.json says what is in it, with a SHA-256 of each
// entry; settings.yaml holds sections of lanyard.yaml; files/ and tables/ the
// rest. [Read] trusts nothing of it and verifies all before it returns.
//
// [Gather] collects, [Compare] says what importing would write, and [Plan.Apply]
// writes it, so that running it again after a crash completes what it began.
// What triggers, imports and tables mean is left to their packages; who may
// switch a trigger off, and the commands that bind connections, to package app.
package bundle
