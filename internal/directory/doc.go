// Package directory owns the people of an organisation and all that an identity
// provider keeps about them, and the rules by which they change: every identity
// API of the product shows what is here.
//
// # The model
//
// A Realm is one tenant: an Okta org or an Auth0 tenant. Every object belongs to
// exactly one realm. An Account is what Okta and Auth0 call a user. There is one
// account type behind all APIs:
//
//   - its Profile uses one vocabulary of attribute names (Okta's base names,
//     profile.go); a façade with other names translates them. What an Okta realm
//     defines beside them is the Schema of the account's UserType (schemas.go);
//   - its Status is Okta's life cycle (lifecycle.go). An Auth0 user is ACTIVE,
//     or SUSPENDED when blocked;
//   - what is unique is a list of Keys computed from it: the login in an Okta
//     realm, with the attributes that its schema makes unique; e-mail address and
//     user name, per connection, in an Auth0 realm.
//
// The same human being may have an account in several realms. Nothing links
// them but the e-mail address, as in real life: a Person is a view over all
// accounts with one address, across realms (people.go).
//
// Accounts, groups and memberships have tables of their own, because searches
// look into them. Everything else is an object that is read and written whole:
// a struct that embeds Meta and says its place, kept as a Record (record.go).
//
// # How things change
//
// Each operation is one transaction of the Store: read, check the rule, write,
// append to the change log. What follows for others happens in the same
// transaction: consequences.go says what does, in which order. Only what concerns
// everybody in a realm goes in batches (sweep in settle.go, endRule in rules.go);
// what the end of the process cuts off there, ResumeRules finishes.
//
// A Change holds the object before and after as JSON, who was behind it, and
// what the log of the provider would name; later features (triggers,
// reconciliation) read the log in order from a cursor. Versions count the writes
// to an object, so a write against an outdated copy is refused (fault.Stale).
//
// Secrets (passwords, answers, seeds, client secrets, session tokens) are hashed
// where that is enough, live in records of their own, and are part of no object
// and no Change: they cannot be shown or logged by accident. What takes long,
// hashing and making keys, is done outside transactions.
//
// # Errors
//
// Failures are faults whose private cause says exactly what was wrong, so that
// each façade can word it as its provider does: *Missing, *StateError,
// *ReadOnlyGroup, *SystemObject and Violations (errors.go); *RuleError,
// *RoleError, *OwnerError, AppRefusal and WrongPassCode beside what they are of.
//
// # Where things are
//
//	objects.go                          the way for other packages to keep objects here
//	connected.go                        accounts and groups that an enterprise connection owns
//	sourced.go                          those that an identity source says everything of, many at once
//	directory.go, store.go, record.go   operations in general, the Store, objects kept whole
//	actor.go, id.go, errors.go          who acts, ids as the providers make them, causes of faults
//	consequences.go                     what follows from a change
//	realm.go, seed.go                   tenants, and what a sandbox begins with
//	account.go, profile.go, people.go   accounts, their attributes, people across realms
//	usertypes.go, schemas.go            sorts of users with their schemas
//	appschemas.go                       schemas of the people of applications
//	values.go                           single values checked as a write would
//	reshape.go                          what the change of a schema does to accounts and groups
//	create.go, find.go, edit.go         accounts made, found, changed
//	lifecycle.go, signin.go             statuses; signing in, and being locked out
//	password.go, foreignhash.go         passwords, and hashes that others made
//	credentials.go                      passwords changed, reset and recovered; one-time tokens
//	group.go, groups.go, owners.go      groups, their members, who owns them
//	rules.go, settle.go                 group rules, and their evaluation
//	roles.go, customroles.go            admin roles with their targets
//	apps.go, appclient.go, appkeys.go   applications, their OAuth clients and signing keys
//	appusers.go, appgroups.go           who has an application, by himself or by a group
//	appgrants.go                        scopes granted to an application
//	factors.go, sessions.go             further proofs of identity; sessions
//	policies.go, authenticators.go      kept and shown, carried out by nobody here
//	org.go, subscriptions.go            settings, trusted origins; mails and risk
//
// The package leaves storage to whoever implements Store, wire formats and what
// admin roles permit to the façades under internal/web, search expressions to
// internal/filter, and the language of group rules to internal/compute.
package directory
