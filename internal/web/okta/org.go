package okta

import (
	"context"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/lanyard-id/lanyard/internal/directory"
	"github.com/lanyard-id/lanyard/internal/web"
)

const (
	readOrgs      = "okta.orgs.read"
	manageOrgs    = "okta.orgs.manage"
	readRoles     = "okta.roles.read"
	manageRoles   = "okta.roles.manage"
	readOrigins   = "okta.trustedOrigins.read"
	manageOrigins = "okta.trustedOrigins.manage"
)

// orgRoutes lists the paths of the org itself.
func (a *API) orgRoutes() {
	a.mux.Handle("GET /.well-known/okta-organization", a.front.Handle(a.wellKnownOrg))
	a.mux.Handle("GET "+descriptionPath, a.front.Handle(a.describe))
	a.route(basePath+"/org",
		method{"GET", readOrgs, a.getOrg},
		method{"POST", manageOrgs, a.updateOrg(false)},
		method{"PUT", manageOrgs, a.updateOrg(true)})
	a.route(basePath+"/org/contacts", method{"GET", readOrgs, a.listContacts})
	a.route(basePath+"/org/contacts/{type}",
		method{"GET", readOrgs, a.getContact},
		method{"PUT", manageOrgs, a.replaceContact})
	for path, s := range orgSwitches {
		a.route(basePath+"/org/"+path, method{"GET", readOrgs, a.orgSwitch(s, nil)})
		for name, change := range s.operations {
			a.route(basePath+"/org/"+path+"/"+name, method{"POST", manageOrgs, a.orgSwitch(s, change)})
		}
	}
	a.originRoutes()
	a.subscriptionRoutes()
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

// orgFields are the general settings that can be changed.
var orgFields = []string{
	"address1", "address2", "city", "state", "country", "postalCode", "phoneNumber",
	"supportPhoneNumber", "endUserSupportHelpURL", "website",
}

func (a *API) getOrg(w http.ResponseWriter, r *http.Request) error {
	s, err := a.Directory.OrgSettings(r.Context(), a.Realm)
	if err != nil {
		return err
	}
	return a.answerOrg(w, r, s)
}

// updateOrg is POST and PUT /org: the latter empties what the body leaves out.
func (a *API) updateOrg(replace bool) web.Handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		body, err := readObject(r)
		if err != nil {
			return err
		}
		given := map[string]string{}
		for _, name := range append([]string{"companyName"}, orgFields...) {
			if _, ok := body[name]; !ok && !replace {
				continue
			}
			if given[name], err = body.text(name); err != nil {
				return err
			}
		}
		s, err := a.Directory.ChangeOrgSettings(r.Context(), a.Realm, func(s *directory.OrgSettings) {
			maps.Copy(s.General, given)
		})
		if err != nil {
			return err
		}
		return a.answerOrg(w, r, s)
	}
}

// answerOrg writes the org (Okta OpenAPI 2026.06.3, OrgSetting).
func (a *API) answerOrg(w http.ResponseWriter, r *http.Request, s *directory.OrgSettings) error {
	realm, err := a.realm(r.Context())
	if err != nil {
		return err
	}
	self := a.base(r) + "/api/v1/org"
	o := web.Object{
		{Key: "id", Value: orgID(a.Realm)}, {Key: "companyName", Value: orDefault(s.General["companyName"], realm.Name)},
		{Key: "status", Value: "ACTIVE"}, {Key: "subdomain", Value: a.Realm},
	}
	for _, name := range orgFields {
		o = append(o, web.Field{Key: name, Value: orNull(s.General[name])})
	}
	return web.WriteJSON(w, http.StatusOK, append(o, web.Object{
		{Key: "created", Value: date(s.Created)}, {Key: "lastUpdated", Value: date(s.Updated)}, {Key: "expiresAt"},
		{Key: "_links", Value: web.Object{
			link("preferences", self+"/preferences", ""), link("oktaCommunication", self+"/privacy/oktaCommunication", ""),
			link("contacts", self+"/contacts", ""), link("oktaSupport", self+"/privacy/oktaSupport", ""),
		}},
	}...))
}

func (a *API) listContacts(w http.ResponseWriter, r *http.Request) error {
	out := make([]web.Object, len(directory.ContactTypes))
	for i, typ := range directory.ContactTypes {
		self := a.base(r) + "/api/v1/org/contacts/" + typ
		out[i] = web.Object{{Key: "contactType", Value: typ}, {Key: "_links", Value: web.Object{link(strings.ToLower(typ), self, "")}}}
	}
	return web.WriteJSON(w, http.StatusOK, out)
}

// contactType returns the type that a path names.
func contactType(r *http.Request) (string, error) {
	typ := r.PathValue("type")
	if !slices.Contains(directory.ContactTypes, typ) {
		return "", missing(typ, "OrgContactType")
	}
	return typ, nil
}

// getContact is GET /org/contacts/{type}; the owner of the org until another is named.
func (a *API) getContact(w http.ResponseWriter, r *http.Request) error {
	typ, err := contactType(r)
	if err != nil {
		return err
	}
	s, err := a.Directory.OrgSettings(r.Context(), a.Realm)
	if err != nil {
		return err
	}
	return a.answerContact(w, r, orDefault(s.Contacts[typ], actor(r).ID))
}

func (a *API) replaceContact(w http.ResponseWriter, r *http.Request) error {
	typ, err := contactType(r)
	if err != nil {
		return err
	}
	body, err := readObject(r)
	if err != nil {
		return err
	}
	user, err := body.text("userId")
	if err != nil {
		return err
	}
	if user == "" {
		return invalid("userId", "userId: The field cannot be left blank")
	}
	_, err = a.Directory.ChangeOrgSettings(r.Context(), a.Realm, func(s *directory.OrgSettings) { s.Contacts[typ] = user })
	if err != nil {
		return err
	}
	return a.answerContact(w, r, user)
}

func (a *API) answerContact(w http.ResponseWriter, r *http.Request, user string) error {
	return web.WriteJSON(w, http.StatusOK, web.Object{
		{Key: "userId", Value: user}, {Key: "_links", Value: web.Object{link("user", a.base(r)+"/api/v1/users/"+user, "")}},
	})
}

// orgSwitch is a setting with operations of its own: those that make sense now
// are its links.
type orgSwitch struct {
	operations map[string]func(s *directory.OrgSettings, now time.Time)
	show       func(s *directory.OrgSettings, now time.Time) (body web.Object, links []string)
}

// supportTime is how long Okta's people may look into an org that lets them.
const supportTime = 24 * time.Hour

var orgSwitches = map[string]orgSwitch{
	"preferences": {
		operations: map[string]func(*directory.OrgSettings, time.Time){
			"showEndUserFooter": func(s *directory.OrgSettings, _ time.Time) { s.FooterHidden = false },
			"hideEndUserFooter": func(s *directory.OrgSettings, _ time.Time) { s.FooterHidden = true },
		},
		show: func(s *directory.OrgSettings, _ time.Time) (web.Object, []string) {
			o := web.Object{{Key: "showEndUserFooter", Value: !s.FooterHidden}}
			if s.FooterHidden {
				return o, []string{"showEndUserFooter"}
			}
			return o, []string{"hideEndUserFooter"}
		},
	},
	"privacy/oktaCommunication": {
		operations: map[string]func(*directory.OrgSettings, time.Time){
			"optIn":  func(s *directory.OrgSettings, _ time.Time) { s.EmailOptOut = false },
			"optOut": func(s *directory.OrgSettings, _ time.Time) { s.EmailOptOut = true },
		},
		show: func(s *directory.OrgSettings, _ time.Time) (web.Object, []string) {
			o := web.Object{{Key: "optOutEmailUsers", Value: s.EmailOptOut}}
			if s.EmailOptOut {
				return o, []string{"optIn"}
			}
			return o, []string{"optOut"}
		},
	},
	"privacy/oktaSupport": {
		operations: map[string]func(*directory.OrgSettings, time.Time){
			"grant": func(s *directory.OrgSettings, now time.Time) { s.SupportUntil = now.Add(supportTime) },
			"extend": func(s *directory.OrgSettings, now time.Time) {
				s.SupportUntil = later(s.SupportUntil, now).Add(supportTime)
			},
			"revoke": func(s *directory.OrgSettings, _ time.Time) { s.SupportUntil = time.Time{} },
		},
		show: func(s *directory.OrgSettings, now time.Time) (web.Object, []string) {
			if !now.Before(s.SupportUntil) {
				return web.Object{{Key: "support", Value: "DISABLED"}, {Key: "expiration"}}, []string{"grant"}
			}
			return web.Object{{Key: "support", Value: "ENABLED"}, {Key: "expiration", Value: date(s.SupportUntil)}}, []string{"extend", "revoke"}
		},
	},
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// orgSwitch answers a setting, after a change unless that is nil.
func (a *API) orgSwitch(s orgSwitch, change func(*directory.OrgSettings, time.Time)) web.Handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		current, err := a.Directory.OrgSettings(r.Context(), a.Realm)
		if change != nil {
			current, err = a.Directory.ChangeOrgSettings(r.Context(), a.Realm, func(o *directory.OrgSettings) { change(o, a.now()) })
		}
		if err != nil {
			return err
		}
		self := a.base(r) + r.URL.Path
		if change != nil {
			self = self[:strings.LastIndexByte(self, '/')]
		}
		body, operations := s.show(current, a.now())
		var links web.Object
		for _, name := range operations {
			links = append(links, allowing(name, self+"/"+name, "POST"))
		}
		return web.WriteJSON(w, http.StatusOK, append(body, web.Field{Key: "_links", Value: links}))
	}
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
