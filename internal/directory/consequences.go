package directory

import "time"

// What follows from a change, in the same transaction: a rule puts people into
// a group, a group brings applications, the end of an account ends what it had.
// Operations call these at one place each; the features add their part here.

// joined follows when an account came into a group.
func (d *Directory) joined(tx Tx, actor Actor, g *Group, a *Account, at time.Time) error {
	if err := d.appsJoined(tx, actor, g.Realm, g.ID, a, at); err != nil {
		return err
	}
	return d.applyRules(tx, actor, a, at)
}

// left follows when an account went out of a group.
func (d *Directory) left(tx Tx, actor Actor, g *Group, a *Account, at time.Time) error {
	if err := d.exclude(tx, actor, g, a, at); err != nil {
		return err
	}
	if err := d.appsLeft(tx, actor, g.Realm, g.ID, a, at); err != nil {
		return err
	}
	return d.applyRules(tx, actor, a, at)
}

// profileChanged follows when an account is new or its profile has changed.
// before is nil for a new one.
func (d *Directory) profileChanged(tx Tx, actor Actor, before, after *Account, at time.Time) error {
	if before == nil { // nobody joins Everyone: new accounts are born into it
		if err := d.appsOfGroups(tx, actor, after, at); err != nil {
			return err
		}
	} else if err := d.renameAppUsers(tx, actor, before, after, at); err != nil {
		return err
	}
	return d.applyRules(tx, actor, after, at)
}

// deactivated follows when an account became DEPROVISIONED. Its tokens end, also
// those for the API (help.okta.com, API tokens): they are not good again when
// the account is.
func (d *Directory) deactivated(tx Tx, actor Actor, a *Account, at time.Time) error {
	if err := d.dropApps(tx, actor, a, at); err != nil {
		return err
	}
	if err := endRecords(tx, a.Realm, a.ID, sessionNouns); err != nil {
		return err
	}
	if err := endRecords(tx, a.Realm, a.ID, clientTokens); err != nil {
		return err
	}
	return endRecords(tx, a.Realm, a.ID, []Noun{TokenNoun})
}

// activated follows when an account was activated, for the first time or again.
func (d *Directory) activated(tx Tx, actor Actor, a *Account, at time.Time) error {
	if err := d.appsOfGroups(tx, actor, a, at); err != nil {
		return err
	}
	return d.applyRules(tx, actor, a, at)
}

// ending comes before an account is deleted.
func (d *Directory) ending(tx Tx, actor Actor, a *Account, at time.Time) error {
	return endFactors(tx, a)
}

// sessionsEnding follows when an operation ends the sessions of an account.
func (d *Directory) sessionsEnding(tx Tx, actor Actor, a *Account, at time.Time) error {
	return endRecords(tx, a.Realm, a.ID, sessionNouns)
}

// clientEnding follows when the OAuth client of an application is switched off
// or goes.
func clientEnding(tx Tx, app *App, nouns ...Noun) error {
	if app.Client == nil {
		return nil
	}
	for _, noun := range append(nouns, clientTokens...) {
		if _, err := tx.DeleteRecords(RecordQuery{Realm: app.Realm, Noun: noun, Parent: app.Client.ID}); err != nil {
			return err
		}
	}
	return nil
}

// sessionNouns are the sorts of records by which a person is signed in.
var sessionNouns = []Noun{SessionNoun, sessionTokenNoun, BrowserNoun}

// groupEnding comes before a group is deleted, while its members are still in it.
func (d *Directory) groupEnding(tx Tx, actor Actor, g *Group, at time.Time) error {
	if err := d.appsEnding(tx, actor, g, at); err != nil {
		return err
	}
	if err := d.invalidateRules(tx, actor, g, at); err != nil {
		return err
	}
	if err := d.dropRoleTarget(tx, actor, g, at); err != nil {
		return err
	}
	_, err := tx.DeleteRecords(RecordQuery{Realm: g.Realm, Noun: OwnerNoun, Parent: g.ID})
	return err
}

// aboutAccounts are the sorts of records that end with the account that they
// are about, aboutGroups those that end with the group.
var (
	aboutAccounts = []Noun{
		AppUserNoun, SessionNoun, sessionTokenNoun, oneTimeNoun, unsubscribedNoun, riskNoun,
		ruleClaimNoun, RoleNoun, OwnerNoun, TokenNoun, BrowserNoun, GrantNoun, RefreshTokenNoun, CodeNoun, ConsentNoun,
		RoleMemberNoun, UserPermissionNoun, OrgMemberNoun, OrgMemberRoleNoun, UserGrantNoun, AuthMethodNoun, LinkedNoun,
	}
	aboutGroups = []Noun{RoleNoun, OwnerNoun, GroupPushNoun}
)

// endRecords removes the records about an object that is gone.
func endRecords(tx Tx, realm, id string, nouns []Noun) error {
	for _, noun := range nouns {
		if _, err := tx.DeleteRecords(RecordQuery{Realm: realm, Noun: noun, Subject: id}); err != nil {
			return err
		}
	}
	return nil
}
