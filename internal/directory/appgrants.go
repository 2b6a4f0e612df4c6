package directory

import (
	"context"

	"github.com/lanyard-id/lanyard/internal/fault"
)

// AppGrant is the consent of an administrator that an application may ask the
// org authorization server for a scope.
type AppGrant struct {
	Meta
	App    string `json:"app"`
	Scope  string `json:"scope"`  // "okta.users.read"
	Issuer string `json:"issuer"` // as sent: the org's address
	By     Actor  `json:"by"`
}

func (g *AppGrant) Place() Place {
	return Place{Noun: AppGrantNoun, Parent: g.App, Key: g.App + " " + g.Scope}
}

// GrantScope lets an application ask for a scope. A scope that is granted
// already stays as it is.
func (d *Directory) GrantScope(ctx context.Context, actor Actor, realm, app, issuer, scope string) (g *AppGrant, err error) {
	err = d.Store.Update(ctx, func(tx Tx) error {
		a, err := get[App](tx, realm, app)
		if err != nil {
			return err
		}
		g, err = getByKey[AppGrant](tx, realm, app+" "+scope)
		if !fault.Is(err, fault.NotFound) {
			return err
		}
		g = &AppGrant{Meta: Meta{ID: d.IDs.Okta("oag"), Realm: realm}, App: app, Scope: scope, Issuer: issuer, By: Actor{ID: actor.ID, Type: actor.Type}}
		return d.insertObject(tx, g, change{
			at: d.now(), actor: actor, kind: "app.oauth2.admin.consent.grant", target: app, targets: []Target{a.target(), g.target()},
		})
	})
	if err != nil {
		return nil, err
	}
	return g, nil
}

func (g *AppGrant) target() Target { return Target{Type: "Scope", ID: g.Scope, DisplayName: g.Scope} }

// Grants returns the scopes granted to an application, in the order of granting.
func (d *Directory) Grants(ctx context.Context, realm, app string) (out []*AppGrant, err error) {
	err = d.Store.View(ctx, func(r Reader) error {
		if _, err := get[App](r, realm, app); err != nil {
			return err
		}
		out, err = all[AppGrant](r, RecordQuery{Realm: realm, Parent: app}, 0, nil)
		return err
	})
	return out, err
}

// GrantedScopes returns the names of the scopes that an application may ask for.
func (d *Directory) GrantedScopes(ctx context.Context, app *App) ([]string, error) {
	grants, err := d.Grants(ctx, app.Realm, app.ID)
	if err != nil {
		return nil, err
	}
	scopes := make([]string, len(grants))
	for i, g := range grants {
		scopes[i] = g.Scope
	}
	return scopes, nil
}

// Grant returns one grant of an application by its id.
func (d *Directory) Grant(ctx context.Context, realm, app, id string) (g *AppGrant, err error) {
	err = d.Store.View(ctx, func(r Reader) error {
		g, _, err = grantOf(r, realm, app, id)
		return err
	})
	return g, err
}

func grantOf(r Reader, realm, app, id string) (*AppGrant, *App, error) {
	a, err := get[App](r, realm, app)
	if err != nil {
		return nil, nil, err
	}
	g, err := get[AppGrant](r, realm, id)
	if err != nil {
		return nil, nil, err
	}
	if g.App != app {
		return nil, nil, NotFound(AppGrantNoun, id)
	}
	return g, a, nil
}

// RevokeGrant takes a scope from an application.
func (d *Directory) RevokeGrant(ctx context.Context, actor Actor, realm, app, id string) error {
	return d.Store.Update(ctx, func(tx Tx) error {
		g, a, err := grantOf(tx, realm, app, id)
		if err != nil {
			return err
		}
		return d.deleteObject(tx, g, change{
			at: d.now(), actor: actor, kind: "app.oauth2.admin.consent.revoke", target: app, targets: []Target{a.target(), g.target()},
		})
	})
}
