package inbound

import (
	"cmp"
	"context"
	"slices"

	"github.com/lanyard-id/lanyard/internal/directory"
	"github.com/lanyard-id/lanyard/internal/fault"
)

// Assignments compares the two applications of an Okta org that one connection
// needs: the one by which people sign in and the one that provisions them. The
// same people and groups have to be assigned to both.
type Assignments struct {
	SignOn      Application `json:"signOn"`
	Provisioner Application `json:"provisioner"`

	SignOnOnly      []Assigned `json:"signOnOnly"`      // can sign in and are not provisioned
	ProvisionerOnly []Assigned `json:"provisionerOnly"` // are provisioned and cannot sign in
	Both            int        `json:"both"`            // people and groups

	// BrokerMode says that the sign-on application lets everybody in, assigned or
	// not: Federation Broker Mode.
	BrokerMode bool `json:"brokerMode"`
}

// Agree reports whether there is nothing to put right.
func (a Assignments) Agree() bool {
	return len(a.SignOnOnly) == 0 && len(a.ProvisionerOnly) == 0 && !a.BrokerMode
}

// Application is an application of the Okta org.
type Application struct {
	ID    string `json:"id"`
	Label string `json:"label"`
}

// Assigned is a person or group that is assigned to one of the applications only.
type Assigned struct {
	Kind string `json:"kind"` // "user" or "group"
	ID   string `json:"id"`
	Name string `json:"name"`
}

// CompareAssignments compares two applications of an Okta realm, named by id or
// label. The first has to be one that people sign in to by OpenID Connect.
func CompareAssignments(ctx context.Context, d *directory.Directory, realm, signOn, provisioner string) (out Assignments, err error) {
	first, err := application(ctx, d, realm, signOn)
	if err != nil {
		return out, err
	}
	second, err := application(ctx, d, realm, provisioner)
	if err != nil {
		return out, err
	}
	if first.Client == nil {
		return out, fault.New(fault.Invalid, "%s is no OpenID Connect application", first.Label)
	}
	out.SignOn, out.Provisioner = Application{first.ID, first.Label}, Application{second.ID, second.Label}
	settings, _ := first.Document["settings"].(map[string]any)
	out.BrokerMode = settings["implicitAssignment"] == true
	left, err := assigned(ctx, d, realm, first.ID)
	if err != nil {
		return out, err
	}
	right, err := assigned(ctx, d, realm, second.ID)
	if err != nil {
		return out, err
	}
	out.SignOnOnly, out.Both = without(left, right)
	out.ProvisionerOnly, _ = without(right, left)
	return out, nil
}

// application finds an application by its id, or by a label that no other has.
func application(ctx context.Context, d *directory.Directory, realm, ref string) (*directory.App, error) {
	app, err := d.App(ctx, realm, ref)
	if !fault.Is(err, fault.NotFound) {
		return app, err
	}
	found, err := d.Apps(ctx, directory.AppQuery{Realm: realm}, 2, func(a *directory.App) bool { return a.Label == ref })
	switch {
	case err != nil:
		return nil, err
	case len(found) == 0:
		return nil, directory.NotFound(directory.AppNoun, ref)
	case len(found) > 1:
		return nil, fault.New(fault.Conflict, "several applications have the label %q", ref).Fix("name one by its id")
	}
	return found[0], nil
}

// assigned lists who is assigned to an application, ordered by kind and id.
func assigned(ctx context.Context, d *directory.Directory, realm, app string) ([]Assigned, error) {
	users, err := d.AppUsers(ctx, realm, app, "", "", 0)
	if err != nil {
		return nil, err
	}
	groups, err := d.AppGroups(ctx, realm, app, "")
	if err != nil {
		return nil, err
	}
	out := make([]Assigned, 0, len(users)+len(groups))
	for _, g := range groups {
		out = append(out, Assigned{"group", g.Of.ID, g.Of.Name()})
	}
	for _, u := range users {
		out = append(out, Assigned{"user", u.Of.ID, u.Of.Login()})
	}
	slices.SortFunc(out, func(a, b Assigned) int { return cmp.Or(cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.ID, b.ID)) })
	return out, nil
}

// without returns those of a list who are not in another, and how many are.
func without(list, other []Assigned) (only []Assigned, both int) {
	there := make(map[string]bool, len(other))
	for _, o := range other {
		there[o.Kind+o.ID] = true
	}
	only = []Assigned{}
	for _, a := range list {
		if there[a.Kind+a.ID] {
			both++
			continue
		}
		only = append(only, a)
	}
	return only, both
}
