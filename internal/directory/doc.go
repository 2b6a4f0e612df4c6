// Package directory owns the people and groups that every identity API of the
// product shows, and the rules by which they change.
//
// # The model
//
// A Realm is one tenant: an Okta org or an Auth0 tenant. Every Account and
// Group belongs to exactly one realm. An Account is what Okta and Auth0 call a
// user. There is one account type behind all APIs:
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
// # How things change
//
// Each operation is one transaction of the Store: read, check the rule, write,
// append to the change log. A Change holds the object before and after as
// JSON; later features (system log, triggers, reconciliation) read the log in
// order from a cursor. Versions count the writes to an object, so a write
// against an outdated copy is refused (fault.Stale).
//
// Secrets (password and recovery answer) are hashed before the transaction
// starts, live in their own record, and are part of neither Account nor
// Change: they cannot be shown or logged by accident.
//
// Group rules put accounts into groups by expressions of package compute
// (rules.go, settle.go): they are evaluated in the transaction of whatever may
// change their result. Admin roles (roles.go) say who may do what; to enforce
// that is left to the façades.
//
// # Errors
//
// Failures are faults whose private cause says exactly what was wrong, so that
// each façade can word it as its provider does: *Missing, *StateError,
// *ReadOnlyGroup and Violations (errors.go).
//
// The package leaves storage to whoever implements Store, wire formats to the
// façades under internal/web, and search expressions to internal/filter.
package directory
