// Package app builds Lanyard out of its parts and starts and stops it. It is
// the one place that knows them all, and holds no rules of its own.
//
// # The story of a run
//
// lanyard run FILE (cli/run.go) asks for a plan: sources.Loader finds the
// descriptions that the document names, plan.Build resolves and compiles
// everything, and a document that cannot run ends here, with every reason.
// Then the data folder is opened (Open): its lock is taken, or the process that
// holds it is reached over its API. worker.Start checks the inputs and writes
// the first record; the machine of package engine says which call comes next;
// the call's intent is in the journal before connector makes it through egress,
// its outcome before the machine goes on. report reads the journal for people.
//
// # The story of a connection
//
// lanyard connections add (connections_change.go) puts the credential into the
// vault (secret.FileVault), then the connection into the list of the data folder
// (config.Book); authorize takes a person through a sign-in. A connector.Connector
// joins that list with lanyard.yaml and the environment. These commands need no
// data folder that is held: list, vault and tokens are files that processes
// share, under locks.
//
// # The story of a person
//
// Somebody is assigned to an application of the sandbox's Okta org: web/okta and
// directory write the assignment and a line of the change log. provision reads
// that log (provision/feed.go), queues a job, and the lane of the application's target sends
// Okta's requests through egress; what it sent and why is in the request log
// (wirelog). The command line does the same one at a time: cli/provision.go, and
// provision.Desk, here or over the API of the process that holds the folder.
//
// When the target is a connection of the Auth0 tenant, the request arrives at
// web/scim, which checks the form and hands it to inbound: token, scope, mapping,
// policies, then one transaction on directory. tenant has the connection, its
// token and its configuration. Later the person signs in at web/auth0 (login.go)
// through the same connection, and login finds the account that SCIM made. scim.go,
// provision.go and login.go of this package join these parts.
//
// # The story of an import
//
// lanyard import run (cli/import.go) or a trigger asks the importer.Desk, here or
// over the API of the process that holds the folder. extract opens what lanyard.yaml
// says (imports_written.go) and yields rows; reconcile makes a person of each; importer
// keeps in blocks those of whom something is new. Sessions of web/okta's identity
// source API come in behind that, as people already. Then importer makes the delta:
// it looks accounts and links up, reconcile decides about one person at a time and
// counts for the guards, which hold the session or let it go. What is applied is
// written with its links, its lines of the change log and the session's position in
// one transaction. identitysource does the same to a real tenant, by its plan.
//
// # The story of a trigger
//
// lanyard serve arms what lanyard.yaml and lanyard triggers add say (trigger.go).
// trigger.Engine looks at the directory's clock and its change log, and web/hooks
// hands it what is called. What it takes notice of is a firing on disk before
// anybody is answered; then the starter of this package starts a run of worker or
// an import under the firing's id, once.
//
// # Who owns what
//
// A Folder owns one data folder: lock, key, vault, database, directory, worker.
// The database is a SQLite file in it, or a PostgreSQL server (openDatabase). It
// is opened by the commands (product.go) and by lanyard serve (serve.go), which
// adds listeners. The sandbox (sandbox.go) is the folder's directory behind its
// façades; runs reach it inside the process, other programs over the ports of
// serve. Both pass its stage (stage.go), which moves time and makes calls fail when
// a rehearsal asks for it.
package app
