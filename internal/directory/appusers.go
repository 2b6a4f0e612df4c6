package directory

import (
	"context"
	"regexp"
	"strings"
	"time"

	"github.com/lanyard-id/lanyard/internal/fault"
)

// AppUser is the assignment of an account to an application, and what the
// application knows of that person. Passwords for the application are not
// kept: nothing here signs in to it.
type AppUser struct {
	Meta              // the id orders the users of an application by account
	App        string `json:"app"`
	Account    string `json:"account"`
	Assignment string `json:"assignment"`           // 0ua…, as the system log names it
	ExternalID string `json:"externalId,omitempty"` // of the person in an identity source

	Scope           AppUserScope   `json:"scope"`
	Group           string         `json:"group,omitempty"` // that brought the assignment, with GroupScope
	Status          AppUserStatus  `json:"status"`
	StatusChanged   time.Time      `json:"statusChanged"`
	PasswordChanged time.Time      `json:"passwordChanged,omitzero"`
	SyncState       string         `json:"syncState"` // DISABLED: people are not provisioned to it
	UserName        string         `json:"userName,omitempty"`
	HasPassword     bool           `json:"hasPassword,omitempty"`
	Profile         map[string]any `json:"profile"`
}

func (u *AppUser) Place() Place {
	return Place{Noun: AppUserNoun, Parent: u.App, Subject: u.Account}
}

// assignmentID is the id of the record that ties something to an application.
// It orders by application, then by what is assigned, so that pages follow the
// ids that callers know.
func assignmentID(app, subject string) string { return app + "/" + subject }

func (u *AppUser) target(a *Account) Target {
	return Target{Type: "AppUser", ID: u.Assignment, AlternateID: u.UserName, DisplayName: a.target().DisplayName}
}

// targets are what the system log names for a change of an assignment.
func (u *AppUser) targets(app *App, a *Account) []Target {
	return []Target{u.target(a), app.target(), a.target()}
}

// AppUserScope says whether an assignment was made for one person or follows
// from a group.
type AppUserScope string

// The scopes.
const (
	UserScope  AppUserScope = "USER"
	GroupScope AppUserScope = "GROUP"
)

// AppUserStatus is where an assignment stands.
type AppUserStatus string

// The statuses that assignments get here. Okta has more, for provisioning.
const (
	AppUserActive AppUserStatus = "ACTIVE"
	AppUserStaged AppUserStatus = "STAGED" // waits to be provisioned to the application

	AppUserProvisioned AppUserStatus = "PROVISIONED" // internal/provision has done so
)

// AppUserDraft is an assignment, or a change of one, as asked for. Nil fields
// stay as they are.
type AppUserDraft struct {
	UserName *string // nil for a new one: by the application's template
	Password bool    // one was given
	Profile  map[string]any
	Personal bool // turns a group's assignment into a personal one
}

// AssignUser assigns an application to the account that ref names as in
// FindAccount. An assignment that follows from a group becomes a personal one;
// a personal one that exists already is refused with AlreadyAssigned.
func (d *Directory) AssignUser(ctx context.Context, actor Actor, realm, appID, ref string, draft AppUserDraft) (u *AppUser, err error) {
	err = d.Store.Update(ctx, func(tx Tx) error {
		app, a, err := appAndAccount(tx, realm, appID, ref)
		if err != nil {
			return err
		}
		if err := assignable(app, a, draft); err != nil {
			return err
		}
		now := d.now()
		before, err := appUser(tx, app, a)
		switch {
		case fault.Is(err, fault.NotFound):
			u = d.newAppUser(app, a, UserScope)
			u.apply(draft, now)
			return d.addAppUser(tx, actor, app, a, u, now)
		case err != nil:
			return err
		case before.Scope == UserScope:
			return AlreadyAssigned.fault("user %q has application %q already", a.Login(), app.Label)
		}
		draft.Personal = true
		u, err = d.editAppUser(tx, actor, app, a, before, draft, now)
		return err
	})
	if err != nil {
		return nil, err
	}
	return u, nil
}

func appAndAccount(r Reader, realm, appID, ref string) (*App, *Account, error) {
	app, err := get[App](r, realm, appID)
	if err != nil {
		return nil, nil, err
	}
	a, err := find(r, realm, ref)
	return app, a, err
}

// assignable refuses what an application or account rules out.
func assignable(app *App, a *Account, draft AppUserDraft) error {
	if a.Status == Deprovisioned {
		return InactiveUser.fault("user %q is deactivated and can have no applications", a.Login())
	}
	if draft.Password && !app.takesPassword() || draft.UserName != nil && app.Scheme() == "SHARED_USERNAME_AND_PASSWORD" {
		return SchemeCredentials.fault("the scheme of application %q leaves no room for these credentials", app.Label)
	}
	return nil
}

// takesPassword reports whether administrators may set the password that a
// person has in the application.
func (a *App) takesPassword() bool {
	switch a.Scheme() {
	case "", "SHARED_USERNAME_AND_PASSWORD", "EXTERNAL_PASSWORD_SYNC":
		return false
	}
	return true
}

func (d *Directory) newAppUser(app *App, a *Account, scope AppUserScope) *AppUser {
	u := &AppUser{
		Meta: Meta{ID: assignmentID(app.ID, a.ID), Realm: app.Realm},
		App:  app.ID, Account: a.ID, Assignment: d.IDs.Okta("0ua"),
		Scope: scope, Status: AppUserActive, SyncState: "DISABLED",
		UserName: app.userName(a), Profile: map[string]any{},
	}
	if app.has("PUSH_NEW_USERS") {
		u.Status, u.SyncState = AppUserStaged, "OUT_OF_SYNC"
	}
	return u
}

// sourceField is a reference to an attribute of the account in a template.
var sourceField = regexp.MustCompile(`\$\{(?:source|user)\.([A-Za-z0-9_]+)\}`)

// userName is what a person is called in the application, by its template
// (Okta: user name template). Functions in templates are not evaluated: the
// login stands for them.
func (a *App) userName(account *Account) string {
	if a.Scheme() == "SHARED_USERNAME_AND_PASSWORD" {
		return a.text("credentials", "userName")
	}
	template := a.text("credentials", "userNameTemplate", "template")
	if template == "" || strings.Contains(template, "${fn:") || a.text("credentials", "userNameTemplate", "type") == "NONE" {
		return account.Login()
	}
	return sourceField.ReplaceAllStringFunc(template, func(m string) string {
		return account.Text(sourceField.FindStringSubmatch(m)[1])
	})
}

// renamesUsers reports whether an application follows when its template gives
// somebody another name. Administrators choose "Create only", too
// (help.okta.com: Update application username on).
func (a *App) renamesUsers() bool {
	return a.text("credentials", "userNameTemplate", "pushStatus") != "DONT_PUSH"
}

// renameAppUsers gives somebody whose profile has changed the name in each
// application that its template gives now. A name that the template had not given
// before was set by hand, and stays.
func (d *Directory) renameAppUsers(tx Tx, actor Actor, before, after *Account, at time.Time) error {
	users, err := all[AppUser](tx, RecordQuery{Realm: after.Realm, Subject: after.ID}, 0, nil)
	if err != nil {
		return err
	}
	for _, u := range users {
		app, err := get[App](tx, after.Realm, u.App)
		if err != nil {
			return err
		}
		name := app.userName(after)
		if name == u.UserName || u.UserName != app.userName(before) || !app.renamesUsers() {
			continue
		}
		renamed, err := cloneObject(u)
		if err != nil {
			return err
		}
		renamed.UserName = name
		err = d.updateObject(tx, u, renamed, change{
			at: at, actor: actor, kind: "application.user_membership.change_username", target: after.ID, targets: renamed.targets(app, after),
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// apply changes an assignment as asked for.
func (u *AppUser) apply(draft AppUserDraft, now time.Time) {
	if draft.UserName != nil {
		u.UserName = *draft.UserName
	}
	if draft.Password {
		u.HasPassword, u.PasswordChanged = true, now
	}
	u.Profile = merged(u.Profile, draft.Profile)
	if draft.Personal {
		u.Scope, u.Group = UserScope, ""
	}
}

func (d *Directory) addAppUser(tx Tx, actor Actor, app *App, a *Account, u *AppUser, now time.Time) error {
	u.StatusChanged = now
	return d.insertObject(tx, u, change{
		at: now, actor: actor, kind: "application.user_membership.add", target: a.ID, targets: u.targets(app, a),
	})
}

func (d *Directory) updateAppUser(tx Tx, actor Actor, app *App, a *Account, before, after *AppUser, now time.Time) error {
	return d.updateObject(tx, before, after, change{
		at: now, actor: actor, kind: "application.user_membership.update", target: a.ID, targets: after.targets(app, a),
	})
}

func (d *Directory) removeAppUser(tx Tx, actor Actor, app *App, a *Account, u *AppUser, now time.Time) error {
	return d.deleteObject(tx, u, change{
		at: now, actor: actor, kind: "application.user_membership.remove", target: a.ID, targets: u.targets(app, a),
	})
}

// appUser returns the assignment of an application to an account.
func appUser(r Reader, app *App, a *Account) (*AppUser, error) {
	u, err := get[AppUser](r, app.Realm, assignmentID(app.ID, a.ID))
	if fault.Is(err, fault.NotFound) {
		return nil, NotFound(AppUserNoun, a.ID)
	}
	return u, err
}

// EditAppUser changes an assignment. The application refuses with
// MasteredElsewhere when it is the source of its users' profiles.
func (d *Directory) EditAppUser(ctx context.Context, actor Actor, realm, appID, ref string, draft AppUserDraft) (u *AppUser, err error) {
	err = d.Store.Update(ctx, func(tx Tx) error {
		app, a, before, err := assignment(tx, realm, appID, ref)
		if err != nil {
			return err
		}
		if err := assignable(app, a, draft); err != nil {
			return err
		}
		if app.SourcesProfiles() {
			return MasteredElsewhere.fault("application %q is the source of its users' profiles", app.Label)
		}
		u, err = d.editAppUser(tx, actor, app, a, before, draft, d.now())
		return err
	})
	if err != nil {
		return nil, err
	}
	return u, nil
}

func (d *Directory) editAppUser(tx Tx, actor Actor, app *App, a *Account, before *AppUser, draft AppUserDraft, now time.Time) (*AppUser, error) {
	after, err := cloneObject(before)
	if err != nil {
		return nil, err
	}
	after.apply(draft, now) // which may change what the log calls it
	return after, d.updateAppUser(tx, actor, app, a, before, after, now)
}

func assignment(r Reader, realm, appID, ref string) (*App, *Account, *AppUser, error) {
	app, a, err := appAndAccount(r, realm, appID, ref)
	if err != nil {
		return nil, nil, nil, err
	}
	u, err := appUser(r, app, a)
	return app, a, u, err
}

// UnassignUser takes an application from an account. Someone whose groups have
// the application gets it back at once, with GroupScope.
func (d *Directory) UnassignUser(ctx context.Context, actor Actor, realm, appID, ref string) error {
	return d.Store.Update(ctx, func(tx Tx) error {
		app, a, u, err := assignment(tx, realm, appID, ref)
		if err != nil {
			return err
		}
		now := d.now()
		if err := d.removeAppUser(tx, actor, app, a, u, now); err != nil {
			return err
		}
		group, err := coveringGroup(tx, app, a)
		if err != nil || group == "" {
			return err
		}
		return d.cover(tx, actor, app, a, group, now)
	})
}

// Assignment is an app user together with the account it is of.
type Assignment struct {
	*AppUser
	Of *Account
}

// AppUser returns the assignment of an application to the account that ref
// names as in FindAccount. An account without one is *Missing with AppUserNoun.
func (d *Directory) AppUser(ctx context.Context, realm, appID, ref string) (out Assignment, err error) {
	err = d.Store.View(ctx, func(r Reader) error {
		_, a, u, err := assignment(r, realm, appID, ref)
		out = Assignment{u, a}
		return err
	})
	return out, err
}

// pageOfUsers is how many people are read at once where all of a large group
// or application have to be gone through.
const pageOfUsers = 500

// AppUsers returns the users of an application behind the account with the id
// after, at most limit (0: all) of those whose user name, first name, last name
// or e-mail address begins with term.
func (d *Directory) AppUsers(ctx context.Context, realm, appID, after, term string, limit int) (out []Assignment, err error) {
	err = d.Store.View(ctx, func(r Reader) error {
		if _, err := get[App](r, realm, appID); err != nil {
			return err
		}
		out = nil
		for {
			page, err := all[AppUser](r, RecordQuery{Realm: realm, Parent: appID, After: cursorID(appID, after)}, pageSize(limit), nil)
			if err != nil {
				return err
			}
			for _, u := range page {
				a, err := r.Account(realm, u.Account)
				if err != nil {
					return err
				}
				after = u.Account
				if !u.startsWith(a, term) {
					continue
				}
				if out = append(out, Assignment{u, a}); len(out) == limit {
					return nil
				}
			}
			if len(page) < pageSize(limit) {
				return nil
			}
		}
	})
	return out, err
}

func pageSize(limit int) int {
	if limit > 0 && limit < pageOfUsers {
		return limit
	}
	return pageOfUsers
}

// cursorID is the record id that stands for an account or group in the list of
// an application.
func cursorID(app, after string) string {
	if after == "" {
		return ""
	}
	return assignmentID(app, after)
}

func (u *AppUser) startsWith(a *Account, term string) bool {
	if term == "" {
		return true
	}
	term = strings.ToLower(term)
	for _, text := range []string{u.UserName, a.Text("firstName"), a.Text("lastName"), a.Email()} {
		if strings.HasPrefix(strings.ToLower(text), term) {
			return true
		}
	}
	return false
}

// AppLink is an application on the dashboard of an account.
type AppLink struct {
	App  *App
	User *AppUser
}

// AppLinks returns the active applications assigned to an account, in the
// order of their ids.
func (d *Directory) AppLinks(ctx context.Context, a *Account) (out []AppLink, err error) {
	err = d.Store.View(ctx, func(r Reader) error {
		users, err := all[AppUser](r, RecordQuery{Realm: a.Realm, Subject: a.ID}, 0, nil)
		if err != nil {
			return err
		}
		for _, u := range users {
			app, err := get[App](r, a.Realm, u.App)
			if err != nil {
				return err
			}
			if app.Status == On {
				out = append(out, AppLink{app, u})
			}
		}
		return nil
	})
	return out, err
}

// dropApps takes all applications from an account that was deactivated.
func (d *Directory) dropApps(tx Tx, actor Actor, a *Account, now time.Time) error {
	users, err := all[AppUser](tx, RecordQuery{Realm: a.Realm, Subject: a.ID}, 0, nil)
	if err != nil {
		return err
	}
	for _, u := range users {
		app, err := get[App](tx, a.Realm, u.App)
		if err != nil {
			return err
		}
		if err := d.removeAppUser(tx, actor, app, a, u, now); err != nil {
			return err
		}
	}
	return nil
}
