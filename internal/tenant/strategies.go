package tenant

import (
	"bytes"
	"crypto/sha1" //nolint:gosec // Auth0 names certificates by it; nothing is protected by it
	"crypto/x509"
	_ "embed"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"encoding/xml"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"
	"sync"

	"github.com/lanyard-id/lanyard/internal/value"
)

// Class is the kind of a strategy.
type Class string

// The classes.
const (
	Database     Class = "database"     // people of the tenant itself
	Passwordless Class = "passwordless" // a code by mail or text message
	Enterprise   Class = "enterprise"   // the identity provider of an organization
	Social       Class = "social"
)

// strategy is what the tenant knows of one way to sign in: the options that a
// connection has unless it says otherwise (recorded).
type strategy struct {
	Class  Class          `json:"class"`
	SCIM   bool           `json:"scim"`   // it can have a SCIM endpoint (scim-auth0.md 1.4)
	Keys   bool           `json:"keys"`   // it signs requests with keys of its own
	Ticket bool           `json:"ticket"` // a page helps the other side to set it up
	Named  bool           `json:"named"`  // the login page shows its name
	Create map[string]any `json:"create"` // only of new connections
	Update map[string]any `json:"update"` // only of changed ones
	Always map[string]any `json:"always"`
}

//go:embed strategies.json
var strategiesJSON []byte

// strategies are all strategies that Auth0 has, by name.
var strategies = sync.OnceValue(func() map[string]strategy {
	dec := json.NewDecoder(bytes.NewReader(strategiesJSON))
	dec.UseNumber()
	all := map[string]strategy{}
	_ = dec.Decode(&all) // a test reads it
	return all
})

// Strategies returns the names of all strategies, sorted.
func Strategies() []string { return slices.Sorted(maps.Keys(strategies())) }

// SCIM reports whether connections of the strategy can have a SCIM endpoint.
func (c *Connection) SCIM() bool { return strategies()[c.Strategy].SCIM }

// Class returns the class of the connection's strategy.
func (c *Connection) Class() Class { return strategies()[c.Strategy].Class }

// settle completes options as the strategy does.
func (c *Connection) settle(created bool) {
	s := strategies()[c.Strategy]
	if c.Options == nil {
		c.Options = map[string]any{}
	}
	said := maps.Clone(c.Options)
	if created {
		c.lacking(s.Create)
	} else {
		c.lacking(s.Update)
	}
	c.lacking(s.Always)
	c.settleScopes(said)
	c.settleStrategy(said)
}

// lacking adds options that there are not yet.
func (c *Connection) lacking(defaults map[string]any) {
	for name, v := range defaults {
		if _, ok := c.Options[name]; !ok {
			c.Options[name] = value.Clone(v)
		}
	}
}

// settleStrategy completes what only one strategy has.
func (c *Connection) settleStrategy(said map[string]any) {
	switch c.Strategy {
	case "auth0":
		c.settleDatabase(said)
	case "okta":
		c.settleOkta()
	case "oidc":
		c.settleOIDC()
	case "adfs":
		if endpoint := signInEndpoint(c.Options["fedMetadataXml"]); endpoint != "" {
			c.lacking(map[string]any{"signInEndpoint": endpoint})
		}
	case "samlp":
		c.settleCertificate()
	case "pingfederate":
		c.lacking(map[string]any{"signInEndpoint": c.Options["pingFederateBaseUrl"]})
		c.settleCertificate()
		delete(c.Options, "signingCert")
	}
}

// passwordOptions are the defaults of password_options.
func passwordOptions() map[string]any {
	return map[string]any{
		"complexity": map[string]any{
			"character_type_rule": "all", "identical_characters": "allow", "sequential_characters": "allow",
			"max_length_exceeded": "error", "min_length": json.Number("15"), "character_types": []any{},
		},
		"profile_data": map[string]any{
			"active": false,
			"blocked_fields": []any{
				"name", "username", "nickname", "email", "phone_number", "user_metadata.name", "user_metadata.first", "user_metadata.last",
			},
		},
		"history":    map[string]any{"active": false, "size": json.Number("3")},
		"dictionary": map[string]any{"active": false, "custom": []any{}, "default": "en_100k"},
	}
}

func (c *Connection) settleDatabase(said map[string]any) {
	if options, ok := c.Options["password_options"].(map[string]any); ok {
		complete(options, passwordOptions())
		if said["passwordPolicy"] == nil { // the new options stand for it
			delete(c.Options, "passwordPolicy")
		}
	}
	attributes, _ := c.Options["attributes"].(map[string]any)
	if email, ok := attributes["email"].(map[string]any); ok {
		complete(email, map[string]any{"verification_method": "link", "unique": true})
	}
}

// complete adds members that an object lacks, at every depth.
func complete(o, defaults map[string]any) {
	for name, v := range defaults {
		have, ok := o[name]
		if !ok {
			o[name] = value.Clone(v)
			continue
		}
		inner, isObject := have.(map[string]any)
		if more, ok := v.(map[string]any); ok && isObject {
			complete(inner, more)
		}
	}
}

// settleScopes derives the scopes that social providers are asked for from the
// switches of the connection.
func (c *Connection) settleScopes(said map[string]any) {
	modern := fmt.Sprint(said["strategy_version"]) == "2"
	on := func(name string) bool { return c.Options[name] == true }
	var scope []any
	switch c.Strategy {
	case "google-oauth2":
		for _, one := range []struct{ name, scope string }{
			{"profile", "profile"}, {"calendar", "https://www.googleapis.com/auth/calendar"},
			{"youtube", "https://www.googleapis.com/auth/youtube"}, {"contacts", "https://www.google.com/m8/feeds"},
		} {
			if said[one.name] == true {
				scope = append(scope, one.scope)
			}
		}
		if scope == nil {
			return
		}
		if on("email") {
			scope = append(scope, "email")
		}
	case "linkedin":
		if !modern {
			return
		}
		scope = []any{"r_liteprofile"}
		if said["email"] == true {
			scope = append(scope, "r_emailaddress")
		}
	case "windowslive":
		if !modern {
			return
		}
		scope = []any{}
	case "line":
		scope = []any{"openid"}
		for _, name := range []string{"email", "profile"} {
			if on(name) {
				scope = append(scope, name)
			}
		}
	case "wordpress":
		scope = []any{"profile"}
	default:
		return
	}
	c.Options["scope"] = scope
}

// oktaEndpoints are the addresses of an Okta org's authorization server, by the
// option that holds each.
var oktaEndpoints = map[string]string{
	"authorization_endpoint": "authorize", "token_endpoint": "token", "userinfo_endpoint": "userinfo", "jwks_uri": "keys",
}

// DescribedAt is where the identity provider of a connection describes itself
// (OpenID Connect Discovery 1.0 4): an Okta org at its domain, another provider
// where the options say, unless they hold the description already (recorded). An
// issuer that is given changes none of it. Of Entra ID it is the keys of the
// directory. It is "" for all others.
func (c *Connection) DescribedAt() string {
	text := func(name string) string {
		s, _ := c.Options[name].(string)
		return s
	}
	switch {
	case c.Options["oidc_metadata"] != nil, c.Options["thumbprints"] != nil:
		return ""
	case c.Strategy == "okta" && text("domain") != "":
		return "https://" + text("domain") + "/.well-known/openid-configuration"
	case c.Strategy == "oidc":
		return text("discovery_url")
	case c.Strategy == "waad" && text("tenant_domain") != "":
		return "https://login.microsoftonline.com/" + url.PathEscape(text("tenant_domain")) + "/discovery/v2.0/keys"
	}
	return ""
}

// Describe keeps what the identity provider says where the connection is
// DescribedAt: its metadata, but of Entra ID the thumbprints of its certificates.
func (c *Connection) Describe(said map[string]any) {
	if c.Strategy != "waad" {
		c.Options["oidc_metadata"] = said
		return
	}
	thumbprints := []any{}
	keys, _ := said["keys"].([]any)
	for _, key := range keys {
		o, _ := key.(map[string]any)
		text, _ := o["x5t"].(string) // RFC 7517 4.8
		if sum, err := base64.RawURLEncoding.DecodeString(text); err == nil && len(sum) == sha1.Size {
			thumbprints = append(thumbprints, hex.EncodeToString(sum))
		}
	}
	if len(thumbprints) > 0 {
		c.Options["thumbprints"] = thumbprints
	}
}

// settleOkta completes a connection to an Okta org. Without its metadata it gets
// what every org says of itself (recorded).
func (c *Connection) settleOkta() {
	domain, _ := c.Options["domain"].(string)
	if domain == "" {
		return
	}
	base := "https://" + domain
	for name, path := range oktaEndpoints {
		if c.Options[name] == nil {
			c.Options[name] = base + "/oauth2/v1/" + path
		}
	}
	if c.Options["issuer"] == nil {
		c.Options["issuer"] = base
	}
	c.lacking(map[string]any{"oidc_metadata": oktaMetadata(base)})
	if metadata, ok := c.Options["oidc_metadata"].(map[string]any); ok {
		complete(metadata, unsaid())
	}
}

// unsaid is what a provider means that does not say otherwise (OpenID Connect
// Discovery 1.0 3), but for request_uri_parameter_supported, which is true there
// and false in Auth0's metadata (recorded).
func unsaid() map[string]any {
	return map[string]any{
		"claims_parameter_supported": false, "request_parameter_supported": false,
		"request_uri_parameter_supported": false, "require_request_uri_registration": false,
	}
}

//go:embed okta_metadata.json
var oktaMetadataJSON string

func oktaMetadata(base string) any {
	v, err := value.Decode([]byte(strings.ReplaceAll(oktaMetadataJSON, "https://ORG", base)))
	if err != nil {
		return nil // a test reads it
	}
	return v
}

// settleOIDC takes from the provider's metadata what the options leave open.
// Without metadata they stay open.
func (c *Connection) settleOIDC() {
	metadata, _ := c.Options["oidc_metadata"].(map[string]any)
	if metadata == nil {
		return
	}
	for name := range oktaEndpoints {
		if v, ok := c.Options[name]; ok && v == nil {
			c.Options[name] = metadata[name]
		}
	}
	complete(metadata, unsaid())
}

// signInEndpoint finds where people are sent in the metadata of a federation
// (WS-Federation 1.2, 3.1), "" where it does not say.
func signInEndpoint(metadata any) string {
	text, _ := metadata.(string)
	dec := xml.NewDecoder(strings.NewReader(text))
	within := 0
	for {
		token, err := dec.Token()
		if err != nil {
			return ""
		}
		switch t := token.(type) {
		case xml.StartElement:
			if t.Name.Local == "PassiveRequestorEndpoint" {
				within++
			}
			if t.Name.Local == "Address" && within > 0 {
				var address string
				if dec.DecodeElement(&address, &t) != nil {
					return ""
				}
				return strings.TrimSpace(address)
			}
		case xml.EndElement:
			if t.Name.Local == "PassiveRequestorEndpoint" {
				within--
			}
		}
	}
}

// settleCertificate shows what is in the certificate that the other side signs
// with. One that cannot be read shows nothing.
func (c *Connection) settleCertificate() {
	text, _ := c.Options["signingCert"].(string)
	if text == "" {
		return
	}
	if plain, err := base64.StdEncoding.DecodeString(text); err == nil {
		text = string(plain)
	}
	block, _ := pem.Decode([]byte(text))
	if block == nil {
		return
	}
	cert, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		return
	}
	sum := sha1.Sum(cert.Raw) //nolint:gosec // how Auth0 names certificates; nothing is protected by it
	c.Options["cert"] = strings.TrimSpace(text)
	c.Options["expires"] = FormatTime(cert.NotAfter)
	c.Options["thumbprints"] = []any{hex.EncodeToString(sum[:])}
	subject := map[string]any{}
	for name, values := range map[string][]string{
		"countryName": cert.Subject.Country, "stateOrProvinceName": cert.Subject.Province, "localityName": cert.Subject.Locality,
		"organizationName": cert.Subject.Organization, "organizationalUnitName": cert.Subject.OrganizationalUnit,
	} {
		if len(values) > 0 {
			subject[name] = values[0]
		}
	}
	if cert.Subject.CommonName != "" {
		subject["commonName"] = cert.Subject.CommonName
	}
	c.Options["subject"] = subject
}

// hiddenOptions are the options that nobody may read by accident, by their paths.
var hiddenOptions = []string{
	"client_secret", "app_secret", "consumerSecret", "twilio_token", "api_key", "apiKey", "secret", "password",
	"gateway_authentication.secret", "decryptionKey", "signing_key.key", "signingKey", "configuration", "customHeaders",
	"admin_access_token", "admin_refresh_token", "ext_access_token", "ext_refresh_token",
}
