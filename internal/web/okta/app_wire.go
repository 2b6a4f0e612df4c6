package okta

import (
	"crypto/sha256"
	"encoding/base64"
	"maps"
	"slices"

	"github.com/lanyard-id/lanyard/internal/directory"
	"github.com/lanyard-id/lanyard/internal/web"
)

// application is the wire form of an application, in the recorded order of
// keys. What was not set is there with its default. secret is the client
// secret where it is shown: in the answer that it is new in.
func (a *API) application(base string, app *directory.App, secret string) web.Object {
	doc := object(app.Document)
	o := web.Object{
		{Key: "id", Value: app.ID},
		{Key: "orn", Value: "orn:okta:idp:" + orgID(a.Realm) + ":apps:" + app.Name + ":" + app.ID},
		{Key: "name", Value: app.Name},
		{Key: "label", Value: app.Label},
		{Key: "status", Value: app.Status},
		{Key: "lastUpdated", Value: date(app.Updated)},
		{Key: "created", Value: date(app.Created)},
		{Key: "accessibility", Value: filled(accessibility, doc["accessibility"])},
		{Key: "visibility", Value: filled(appVisibility(app), doc["visibility"])},
		{Key: "features", Value: valueOr(doc["features"], []any{})},
		{Key: "signOnMode", Value: app.SignOnMode},
		{Key: "credentials", Value: a.appCredentials(app, secret)},
	}
	if a.universal(app) {
		o = append(o, web.Field{Key: "universalLogout", Value: nil})
	}
	o = append(o, web.Field{Key: "settings", Value: a.appSettings(app)})
	known := []string{"accessibility", "visibility", "features", "credentials", "settings"}
	for _, name := range slices.Sorted(maps.Keys(doc)) {
		if !slices.Contains(known, name) {
			o = append(o, web.Field{Key: name, Value: doc[name]})
		}
	}
	return append(o, web.Field{Key: "_links", Value: a.appLinks(base, app)})
}

// universal reports whether an application shows universalLogout: those of
// Identity Engine do, but for password forms (recorded).
func (a *API) universal(app *directory.App) bool {
	return a.Engine == "oie" && app.SignOnMode != directory.BrowserPlugin
}

// filled lays what was sent over a template, which gives the order and what is
// there by default. Other members follow in the order of their names.
func filled(template web.Object, sent any) web.Object {
	m, _ := sent.(map[string]any)
	out := make(web.Object, 0, len(template)+len(m))
	known := map[string]bool{}
	for _, f := range template {
		known[f.Key] = true
		switch inner, ok := f.Value.(web.Object); {
		case ok:
			f.Value = filled(inner, m[f.Key])
		case m[f.Key] != nil:
			f.Value = m[f.Key]
		}
		out = append(out, f)
	}
	for _, name := range slices.Sorted(maps.Keys(m)) {
		if !known[name] {
			out = append(out, web.Field{Key: name, Value: m[name]})
		}
	}
	return out
}

// valueOr returns v, or other when v is nil.
func valueOr(v, other any) any {
	if v != nil {
		return v
	}
	return other
}

var accessibility = web.Object{{Key: "selfService", Value: false}, {Key: "errorRedirectUrl"}, {Key: "loginRedirectUrl"}}

// appVisibility is the template of visibility. OpenID Connect clients are
// hidden from dashboards until they have an address to start at.
func appVisibility(app *directory.App) web.Object {
	hidden := app.Client != nil
	links := web.Object{{Key: linkName(app), Value: true}}
	if sent, _ := object(app.Document).object("visibility"); sent["appLinks"] != nil {
		links = web.Object{}
	}
	return web.Object{
		{Key: "autoLaunch", Value: false},
		{Key: "autoSubmitToolbar", Value: false},
		{Key: "hide", Value: web.Object{{Key: "iOS", Value: hidden}, {Key: "web", Value: hidden}}},
		{Key: "appLinks", Value: links},
	}
}

// kindForm is what the wire form of a kind of application has of its own.
type kindForm struct {
	settings web.Object // template of settings.app
	link     string     // the number in the address of its link
	logo     string     // file
}

// kindForms are recorded but for the basic authentication template, which
// is as documented.
var kindForms = map[string]kindForm{
	"bookmark": {web.Object{{Key: "requestIntegration", Value: false}, {Key: "url"}}, "2557", "bookmark-app.png"},
	"template_swa": {web.Object{
		{Key: "loginUrlRegex"}, {Key: "usernameField"}, {Key: "redirectUrl"}, {Key: "buttonField"},
		{Key: "checkbox"}, {Key: "passwordField"}, {Key: "url"},
	}, "2357", "default.png"},
	"template_basic_auth": {web.Object{{Key: "url"}, {Key: "authURL"}}, "2438", "default.png"},
	"oidc_client":         {nil, "aln177a159h7Zf52X0g8", "default.png"},
}

// linkName is what the link of an application is called.
func linkName(app *directory.App) string {
	if _, known := kindForms[app.Name]; known && app.Client == nil {
		return "login"
	}
	return app.Name + "_link"
}

// linkNumber is the last part of the address of an application's link.
func linkNumber(app *directory.App) string {
	if f, ok := kindForms[app.Name]; ok {
		return f.link
	}
	sum := sha256.Sum256([]byte(app.Name))
	return "aln" + base64.RawURLEncoding.EncodeToString(sum[:])[:14] + "0g8"
}

func (a *API) appCredentials(app *directory.App, secret string) web.Object {
	sent, _ := object(app.Document).object("credentials")
	userName := web.Field{Key: "userNameTemplate", Value: web.Object{
		{Key: "template", Value: "${source.login}"}, {Key: "type", Value: "BUILT_IN"},
	}}
	signing := web.Field{Key: "signing", Value: a.signing(app)}
	if scheme := app.Scheme(); scheme != "" {
		return filled(web.Object{{Key: "scheme", Value: scheme}, userName, {Key: "revealPassword", Value: false}, signing}, map[string]any(sent))
	}
	template := web.Object{userName, signing}
	if app.Client != nil {
		template = append(template, web.Field{Key: "oauthClient", Value: clientCredentials(app.Client, secret)})
	}
	return filled(template, map[string]any(sent))
}

// signing names the key that an application's statements are signed with: its
// own, or that of the org for OpenID Connect.
func (a *API) signing(app *directory.App) web.Object {
	switch kid := app.SignsWith(); {
	case kid != "":
		return web.Object{{Key: "kid", Value: kid}}
	case app.Client != nil:
		sum := sha256.Sum256([]byte("signing key of " + a.Realm))
		return web.Object{{Key: "kid", Value: base64.RawURLEncoding.EncodeToString(sum[:])}}
	}
	return web.Object{}
}

func clientCredentials(c *directory.Client, secret string) web.Object {
	o := web.Object{{Key: "autoKeyRotation", Value: c.AutoKeyRotation}, {Key: "client_id", Value: c.ID}}
	if secret != "" {
		o = append(o, web.Field{Key: "client_secret", Value: secret})
	}
	return append(o,
		web.Field{Key: "token_endpoint_auth_method", Value: c.AuthMethod},
		web.Field{Key: "pkce_required", Value: c.PKCE})
}

func (a *API) appSettings(app *directory.App) web.Object {
	sent, _ := object(app.Document).object("settings")
	template := web.Object{
		{Key: "app", Value: append(web.Object{}, kindForms[app.Name].settings...)},
		{Key: "notifications", Value: web.Object{{Key: "vpn", Value: web.Object{
			{Key: "network", Value: web.Object{{Key: "connection", Value: "DISABLED"}}}, {Key: "message"}, {Key: "helpUrl"},
		}}}},
		{Key: "manualProvisioning", Value: false},
		{Key: "implicitAssignment", Value: false},
	}
	if a.Engine == "oie" && app.Client != nil {
		template = append(template, web.Field{Key: "emOptInStatus", Value: "NONE"})
	}
	template = append(template, web.Field{Key: "notes", Value: web.Object{{Key: "admin"}, {Key: "enduser"}}})
	switch app.SignOnMode {
	case directory.OpenIDConnect:
		if app.Client != nil {
			template = append(template, web.Field{Key: "oauthClient", Value: clientSettings(app.Client)})
		}
	case directory.SAML2:
		template = append(template, web.Field{Key: "signOn", Value: samlSignOn})
	}
	return filled(template, map[string]any(sent))
}

// samlSignOn is what SAML applications of the catalogue show (recorded).
var samlSignOn = web.Object{
	{Key: "defaultRelayState"}, {Key: "ssoAcsUrlOverride"}, {Key: "audienceOverride"},
	{Key: "recipientOverride"}, {Key: "destinationOverride"}, {Key: "attributeStatements", Value: []any{}},
}

// clientSettings is settings.oauthClient.
func clientSettings(c *directory.Client) web.Object {
	o := web.Object{{Key: "client_uri"}, {Key: "logo_uri"}, {Key: "redirect_uris", Value: c.RedirectURIs}}
	add := func(present bool, key string, v any) {
		if present {
			o = append(o, web.Field{Key: key, Value: v})
		}
	}
	add(len(c.PostLogoutRedirectURIs) > 0, "post_logout_redirect_uris", c.PostLogoutRedirectURIs)
	add(true, "response_types", c.ResponseTypes)
	add(true, "grant_types", c.GrantTypes)
	add(true, "application_type", c.ApplicationType)
	add(c.JWKS != nil, "jwks", web.Object{{Key: "keys", Value: c.JWKS}})
	add(c.JWKSURI != "", "jwks_uri", c.JWKSURI)
	add(true, "consent_method", "TRUSTED")
	add(true, "issuer_mode", "ORG_URL")
	add(true, "idp_initiated_login", web.Object{{Key: "mode", Value: "DISABLED"}, {Key: "default_scope", Value: []any{}}})
	add(true, "wildcard_redirect", "DISABLED")
	add(true, "dpop_bound_access_tokens", c.DPoPBound)
	add(true, "participate_slo", false)
	return filled(o, c.Settings)
}

func appURL(base, id string) string { return base + basePath + "/apps/" + id }

// appLinks are the links of an application. Those to policies exist on
// Identity Engine only.
func (a *API) appLinks(base string, app *directory.App) web.Object {
	self := appURL(base, app.ID)
	var o web.Object
	if app.SignOnMode == directory.SAML2 {
		o = append(o, typedLink("metadata", self+"/sso/saml/metadata", "application/xml"))
	}
	o = append(o, hintedLink("uploadLogo", self+"/logo", "POST"), web.Field{Key: "appLinks", Value: startLinks(base, app)})
	if a.Engine == "oie" {
		o = append(o, link("profileEnrollment", base+basePath+"/policies/"+directory.DefaultPolicy("PROFILE_ENROLLMENT"), ""), hintedLink("policies", self+"/policies", "PUT"))
	}
	if app.Status == directory.Off {
		o = append(o, link("activate", self+"/lifecycle/activate", ""))
	}
	o = append(o, link("groups", self+"/groups", ""), web.Field{Key: "logo", Value: []web.Object{{
		{Key: "name", Value: "medium"}, {Key: "href", Value: logoURL(base, app)}, {Key: "type", Value: "image/png"},
	}}})
	if app.Client != nil {
		o = append(o, web.Field{Key: "clientCredentials", Value: []web.Object{{
			{Key: "name", Value: "secrets"}, {Key: "href", Value: self + "/credentials/secrets"},
		}}})
	}
	if a.Engine == "oie" {
		policy := app.AccessPolicy
		if policy == "" {
			policy = directory.DefaultPolicy("ACCESS_POLICY")
		}
		o = append(o, link("accessPolicy", base+basePath+"/policies/"+policy, ""))
	}
	o = append(o, link("users", self+"/users", ""))
	if app.Status == directory.On {
		o = append(o, link("deactivate", self+"/lifecycle/deactivate", ""))
	}
	return o
}

// startLinks are the addresses at which an application is started.
func startLinks(base string, app *directory.App) []web.Object {
	doc, _ := object(app.Document).object("visibility")
	out := []web.Object{}
	for _, f := range filled(appVisibility(app), map[string]any(doc)) {
		if f.Key != "appLinks" {
			continue
		}
		for _, l := range f.Value.(web.Object) {
			if l.Value == true {
				out = append(out, web.Object{
					{Key: "name", Value: l.Key}, {Key: "href", Value: startURL(base, app)}, {Key: "type", Value: "text/html"},
				})
			}
		}
	}
	return out
}

func startURL(base string, app *directory.App) string {
	return base + "/home/" + app.Name + "/" + app.ID + "/" + linkNumber(app)
}

func logoURL(base string, app *directory.App) string {
	file := "default.png"
	if f, ok := kindForms[app.Name]; ok {
		file = f.logo
	}
	return base + "/assets/img/logos/" + file
}

// hintedLink is a link that says with which methods it is followed.
func hintedLink(rel, href string, allow ...string) web.Field {
	return web.Field{Key: rel, Value: web.Object{
		{Key: "href", Value: href}, {Key: "hints", Value: web.Object{{Key: "allow", Value: allow}}},
	}}
}

func typedLink(rel, href, media string) web.Field {
	return web.Field{Key: rel, Value: web.Object{{Key: "href", Value: href}, {Key: "type", Value: media}}}
}

// appUser is the wire form of an assignment.
func appUser(base string, u *directory.AppUser) web.Object {
	credentials := web.Object{}
	if u.UserName != "" {
		credentials = append(credentials, web.Field{Key: "userName", Value: u.UserName})
	}
	if u.HasPassword {
		credentials = append(credentials, web.Field{Key: "password", Value: struct{}{}})
	}
	links := web.Object{link("app", appURL(base, u.App), ""), link("user", base+basePath+"/users/"+u.Account, "")}
	if u.Scope == directory.GroupScope {
		links = append(links, link("group", base+basePath+"/groups/"+u.Group, ""))
	}
	return web.Object{
		{Key: "id", Value: u.Account},
		{Key: "externalId", Value: orNull(u.ExternalID)},
		{Key: "created", Value: date(u.Created)},
		{Key: "lastUpdated", Value: date(u.Updated)},
		{Key: "scope", Value: u.Scope},
		{Key: "status", Value: u.Status},
		{Key: "statusChanged", Value: date(u.StatusChanged)},
		{Key: "passwordChanged", Value: date(u.PasswordChanged)},
		{Key: "syncState", Value: u.SyncState},
		{Key: "credentials", Value: credentials},
		{Key: "profile", Value: u.Profile},
		{Key: "_links", Value: links},
	}
}

// appGroup is the wire form of the assignment of a group.
func appGroup(base string, g *directory.AssignedGroup) web.Object {
	return web.Object{
		{Key: "id", Value: g.Group},
		{Key: "lastUpdated", Value: date(g.Updated)},
		{Key: "priority", Value: g.Priority},
		{Key: "profile", Value: g.Profile},
		{Key: "_links", Value: web.Object{
			link("app", appURL(base, g.App), ""),
			link("self", appURL(base, g.App)+"/groups/"+g.Group, ""),
			link("group", base+basePath+"/groups/"+g.Group, ""),
		}},
	}
}

// embedIn adds an expanded resource to an object.
func embedIn(o web.Object, name string, v any) web.Object {
	return append(o, web.Field{Key: "_embedded", Value: web.Object{{Key: name, Value: v}}})
}
