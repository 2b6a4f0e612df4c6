package okta

import (
	"context"
	"net/http"

	"github.com/lanyard-id/lanyard/internal/directory"
	"github.com/lanyard-id/lanyard/internal/web"
)

// orgRoutes lists the paths of the org itself.
func (a *API) orgRoutes() {
	a.route(basePath+"/org", method{"GET", "okta.orgs.read", a.getOrg})
	a.mux.Handle("GET /.well-known/okta-organization", a.front.Handle(a.wellKnownOrg))
}

// orgID is the id of an org: made of the realm's name, which does not change.
func orgID(realm string) string {
	return "00o" + directory.Digest(realm)[:14] + "1d7"
}

func (a *API) realm(ctx context.Context) (realm *directory.Realm, err error) {
	err = a.Directory.Store.View(ctx, func(r directory.Reader) error {
		realm, err = r.Realm(a.Realm)
		return err
	})
	return realm, err
}

// getOrg is GET /org (Okta OpenAPI 2026.06.3, OrgSetting).
func (a *API) getOrg(w http.ResponseWriter, r *http.Request) error {
	realm, err := a.realm(r.Context())
	if err != nil {
		return err
	}
	self := a.base(r) + "/api/v1/org"
	o := web.Object{
		{Key: "id", Value: orgID(a.Realm)}, {Key: "companyName", Value: realm.Name},
		{Key: "status", Value: "ACTIVE"}, {Key: "subdomain", Value: a.Realm},
	}
	for _, empty := range []string{
		"address1", "address2", "city", "state", "country", "postalCode", "phoneNumber",
		"supportPhoneNumber", "endUserSupportHelpURL", "website",
	} {
		o = append(o, web.Field{Key: empty})
	}
	return web.WriteJSON(w, http.StatusOK, append(o, web.Object{
		{Key: "created", Value: date(realm.Created)}, {Key: "lastUpdated", Value: date(realm.Created)}, {Key: "expiresAt"},
		{Key: "_links", Value: web.Object{
			link("preferences", self+"/preferences", ""), link("oktaCommunication", self+"/privacy/oktaCommunication", ""),
			link("contacts", self+"/contacts", ""), link("oktaSupport", self+"/privacy/oktaSupport", ""),
		}},
	}...))
}

// wellKnownOrg is GET /.well-known/okta-organization, which anybody may ask, as
// recorded.
func (a *API) wellKnownOrg(w http.ResponseWriter, r *http.Request) error {
	pipeline := "idx"
	if a.Engine == "classic" {
		pipeline = "v1"
	}
	return web.WriteJSON(w, http.StatusOK, web.Object{
		{Key: "id", Value: orgID(a.Realm)}, {Key: "cell", Value: "op3"},
		{Key: "_links", Value: web.Object{link("organization", a.base(r), "")}},
		{Key: "pipeline", Value: pipeline},
		{Key: "settings", Value: web.Object{
			{Key: "analyticsCollectionEnabled", Value: false}, {Key: "bugReportingEnabled", Value: true},
			{Key: "omEnabled", Value: false}, {Key: "pssoEnabled", Value: false},
			{Key: "desktopMFAEnabled", Value: false}, {Key: "itpEnabled", Value: false},
		}},
	})
}
