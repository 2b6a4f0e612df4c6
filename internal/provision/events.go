package provision

import (
	"context"
	"net/http"
	"slices"

	"github.com/lanyard-id/lanyard/internal/directory"
	"github.com/lanyard-id/lanyard/internal/fault"
)

// The entries of the System Log about what was done at a target (Okta: event
// types; scim-auth0.md 1.2).
const (
	userPushed      = "application.provision.user.push"
	profilePushed   = "application.provision.user.push_profile"
	userDeactivated = "application.provision.user.deactivate"
	userReactivated = "application.provision.user.reactivate"
	groupAdded      = "application.provision.group.add"
	groupPushed     = "application.provision.group_push.pushed"
	groupUpdated    = "application.provision.group_push.updated"
	groupDeleted    = "application.provision.group_push.delete_appgroup"
	pushFailed      = "application.provision.group_push.mapping.update.or.delete.failed.with.error"
)

// entries are the kinds of entries that tell of an outcome.
func (o *Outcome) entries(kind JobKind, dead bool) []string {
	switch {
	case dead && kind == GroupJob:
		return []string{pushFailed}
	case o.Err != nil:
		return nil
	}
	switch o.Op {
	case OpCreate, OpLink:
		return []string{userPushed}
	case OpUpdate:
		return []string{profilePushed}
	case OpDeactivate:
		return []string{userDeactivated}
	case OpReactivate:
		return []string{userReactivated}
	case OpPush:
		if slices.ContainsFunc(o.Calls, func(m Made) bool { return m.Method == http.MethodPost }) {
			return []string{groupAdded, groupPushed}
		}
		return []string{groupPushed}
	case OpMembers:
		return []string{groupUpdated}
	case OpDelete:
		return []string{groupDeleted}
	}
	return nil
}

// tell writes what became of a job to the System Log.
func (e *Engine) tell(ctx context.Context, j Job, o Outcome) error {
	kinds := o.entries(j.Kind, j.State == Dead)
	if len(kinds) == 0 {
		return nil
	}
	return e.Directory.Store.Update(ctx, func(tx directory.Tx) error {
		targets, err := toldOf(tx, j)
		if err != nil {
			return err
		}
		entry := directory.Event{At: e.Directory.Now(), Actor: directory.System("provisioning"), Target: j.App, Targets: targets}
		if o.Err != nil {
			entry.Outcome = directory.Outcome{Result: "FAILURE", Reason: j.Error}
		}
		for _, entry.Kind = range kinds {
			// Neither before nor after: nothing changed here that anybody follows.
			if err := e.Directory.Log(tx, j.Realm, entry, nil, nil); err != nil {
				return err
			}
		}
		return nil
	})
}

// toldOf are the application and the subject of a job. What is gone has its id
// only.
func toldOf(r directory.Reader, j Job) ([]directory.Target, error) {
	subject := directory.Target{Type: "User", ID: j.Subject}
	var err error
	if j.Kind == GroupJob {
		subject.Type = "UserGroup"
		var g *directory.Group
		if g, err = r.Group(j.Realm, j.Subject); err == nil {
			subject.DisplayName = g.Name()
		}
	} else {
		var a *directory.Account
		if a, err = r.Account(j.Realm, j.Subject); err == nil {
			subject.AlternateID, subject.DisplayName = a.Login(), a.Text("firstName")+" "+a.Text("lastName")
		}
	}
	if err != nil && !fault.Is(err, fault.NotFound) {
		return nil, err
	}
	app, err := directory.Get[directory.App](r, j.Realm, j.App)
	if fault.Is(err, fault.NotFound) {
		return []directory.Target{subject, {Type: "AppInstance", ID: j.App}}, nil
	}
	if err != nil {
		return nil, err
	}
	return []directory.Target{subject, {Type: "AppInstance", ID: app.ID, AlternateID: app.Label, DisplayName: app.Label}}, nil
}
