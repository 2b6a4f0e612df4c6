package auth0

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/lanyard-id/lanyard/internal/directory"
	"github.com/lanyard-id/lanyard/internal/tenant"
	"github.com/lanyard-id/lanyard/internal/web"
)

// property describes one member of a request body, with the words that Auth0
// adds to what it complains about (Auth0's OpenAPI document).
type property struct {
	typ      string // string, boolean, integer, object, array; empty: any
	nullable bool
	format   string // one of formats
	pattern  *regexp.Regexp
	enum     []string
	min, max int // characters, items, properties, or the value of an integer; 0 is no limit
	about    string

	items    *property           // of an array
	members  map[string]property // of an object; nil: any
	required []string            // of members
}

// formats are the checks of texts that have a name in Auth0's description.
var formats = map[string]func(string) bool{
	"email":                    directory.LooksLikeEmail,
	"organization-name":        func(s string) bool { return orgNamePattern.MatchString(s) && !strings.HasPrefix(s, "org_") },
	"strict-https-uri-or-null": isHTTPS,
	"html-color":               regexp.MustCompile(`^#[0-9a-fA-F]{3}([0-9a-fA-F]{3})?$`).MatchString,
	"role-id":                  regexp.MustCompile(`^rol_[A-Za-z0-9]{16}$`).MatchString,
	"connection-id":            connectionIDPattern.MatchString,
	"client-grant-id":          regexp.MustCompile(`^cgr_[A-Za-z0-9]{16}$`).MatchString,
}

func isHTTPS(s string) bool {
	u, err := url.Parse(s)
	return err == nil && u.Scheme == "https" && u.Host != ""
}

var (
	phonePattern  = regexp.MustCompile(`^\+[0-9]{1,15}$`)
	userIDPattern = regexp.MustCompile(`^\S*$`)

	orgNamePattern      = regexp.MustCompile(`^[a-z0-9][a-z0-9_-]*$`)
	connectionIDPattern = regexp.MustCompile(`^con_[A-Za-z0-9]{16}$`)
)

var createProperties = map[string]property{
	"email":          {typ: "string", format: "email", about: "The user's email"},
	"phone_number":   {typ: "string", pattern: phonePattern, about: "The user's phone number (following the E.164 recommendation)"},
	"user_metadata":  {typ: "object", about: "Data related to the user that does not affect the application's core functionality"},
	"blocked":        {typ: "boolean", about: "Whether this user was blocked by an administrator (true) or not (false)"},
	"email_verified": {typ: "boolean", about: "Whether this email address is verified (true) or unverified (false)"},
	"phone_verified": {typ: "boolean", about: "Whether this phone number has been verified (true) or not (false)"},
	"app_metadata":   {typ: "object", about: "Data related to the user that does affect the application's core functionality"},
	"given_name":     {typ: "string", min: 1, max: 150, about: "The user's given name(s)"},
	"family_name":    {typ: "string", min: 1, max: 150, about: "The user's family name(s)"},
	"name":           {typ: "string", min: 1, max: 300, about: "The user's full name"},
	"nickname":       {typ: "string", min: 1, max: 300, about: "The user's nickname"},
	"picture":        {typ: "string", about: "A URI pointing to the user's picture"},
	"user_id":        {typ: "string", max: 255, pattern: userIDPattern, about: "The external user's id provided by the identity provider"},
	"connection":     {typ: "string", min: 1, about: "Name of the connection this user should be created in"},
	"password":       {typ: "string", min: 1, about: "Initial password for this user. Only valid for auth0 connection strategy"},
	"verify_email":   {typ: "boolean", about: "Whether the user will receive a verification email after creation (true) or no email (false)"},
	"username":       {typ: "string", min: 1, max: 128, about: "The user's username. Only valid if the connection requires a username"},
}

var updateProperties = map[string]property{
	"email":               {typ: "string", nullable: true, format: "email", about: "Email address of this user"},
	"phone_number":        {typ: "string", nullable: true, pattern: phonePattern, about: "The user's phone number (following the E.164 recommendation)"},
	"user_metadata":       {typ: "object", nullable: true, about: "User metadata to which this user has read/write access"},
	"blocked":             {typ: "boolean", about: "Whether this user was blocked by an administrator (true) or not (false)"},
	"email_verified":      {typ: "boolean", about: "Whether this email address is verified (true) or unverified (false)"},
	"phone_verified":      {typ: "boolean", about: "Whether this phone number has been verified (true) or not (false)"},
	"app_metadata":        {typ: "object", nullable: true, about: "User metadata to which this user has read-only access"},
	"given_name":          {typ: "string", nullable: true, min: 1, max: 150, about: "Given name/first name/forename of this user"},
	"family_name":         {typ: "string", nullable: true, min: 1, max: 150, about: "Family name/last name/surname of this user"},
	"name":                {typ: "string", nullable: true, min: 1, max: 300, about: "Name of this user"},
	"nickname":            {typ: "string", nullable: true, min: 1, max: 300, about: "Preferred nickname or alias of this user"},
	"picture":             {typ: "string", nullable: true, about: "URL to picture, photo, or avatar of this user"},
	"verify_email":        {typ: "boolean", about: "Whether this user will receive a verification email after creation (true) or no email (false)"},
	"verify_phone_number": {typ: "boolean", about: "Whether this user will receive a text after changing the phone number (true) or no text (false)"},
	"password":            {typ: "string", nullable: true, min: 1, about: "New password for this user. Only valid for database connections"},
	"connection":          {typ: "string", min: 1, about: "Name of the connection to target for this user update"},
	"client_id":           {typ: "string", min: 1, about: "Auth0 client ID. Only valid when updating email address"},
	"username":            {typ: "string", nullable: true, min: 1, max: 128, about: "The user's username. Only valid if the connection requires a username"},
}

// payload is a checked request body.
type payload map[string]any

// readPayload reads a JSON object and checks it; Auth0 reports the first
// mistake only.
func readPayload(r *http.Request, properties map[string]property, required ...string) (payload, error) {
	v, err := web.ReadJSON(r, web.MaxBody)
	if err != nil {
		return nil, err
	}
	body := property{typ: "object", members: properties, required: required}
	if m := body.check("", v); m != nil {
		return nil, badBody(m.String())
	}
	return v.(map[string]any), nil
}

// readItems is readPayload for a body that is an array of objects.
func readItems(r *http.Request, item property) ([]payload, error) {
	v, err := web.ReadJSON(r, web.MaxBody)
	if err != nil {
		return nil, err
	}
	if m := (property{typ: "array", items: &item}).check("", v); m != nil {
		return nil, badBody(m.String())
	}
	return payloads(v), nil
}

// mistake is what is wrong with a value, in the words of the validator that
// Auth0 uses, and where.
type mistake struct{ wrong, path, about string }

func (m *mistake) String() string {
	switch {
	case m.path == "":
		return "'" + m.wrong + "'."
	case m.about == "":
		return "'" + m.wrong + "' on property " + m.path + "."
	}
	return "'" + m.wrong + "' on property " + m.path + " (" + strings.TrimSuffix(m.about, ".") + ")."
}

// check returns the first mistake in a value, nil for none.
func (p property) check(path string, v any) *mistake {
	wrong := func(format string, args ...any) *mistake {
		return &mistake{fmt.Sprintf(format, args...), path, p.about}
	}
	if v == nil && p.nullable {
		return nil
	}
	if got := typeOf(v); got != p.typ && p.typ != "" {
		return wrong("Expected type %s but found type %s", p.typ, got)
	}
	switch v := v.(type) {
	case string:
		if text := p.checkText(v); text != "" {
			return wrong("%s", text)
		}
	case json.Number:
		if n, _ := v.Int64(); n < int64(p.min) {
			return wrong("Value %s is less than minimum %d", v, p.min)
		} else if p.max > 0 && n > int64(p.max) {
			return wrong("Value %s is greater than maximum %d", v, p.max)
		}
	case []any:
		if len(v) < p.min {
			return wrong("Array is too short (%d), minimum %d", len(v), p.min)
		}
		if p.max > 0 && len(v) > p.max {
			return wrong("Array is too long (%d), maximum %d", len(v), p.max)
		}
		return p.checkItems(path, v)
	case map[string]any:
		if p.max > 0 && len(v) > p.max {
			return wrong("Too many properties defined (%d), maximum %d", len(v), p.max)
		}
		return p.checkMembers(path, v)
	}
	return nil
}

func (p property) checkItems(path string, list []any) *mistake {
	if p.items == nil {
		return nil
	}
	for i, item := range list {
		if m := p.items.check(within(path, strconv.Itoa(i)), item); m != nil {
			return m
		}
	}
	return nil
}

func (p property) checkMembers(path string, object map[string]any) *mistake {
	for _, name := range p.required {
		if _, ok := object[name]; !ok {
			return &mistake{"Missing required property: " + name, path, p.about}
		}
	}
	for _, name := range slices.Sorted(maps.Keys(object)) {
		member, ok := p.members[name]
		switch {
		case ok:
			if m := member.check(within(path, name), object[name]); m != nil {
				return m
			}
		case p.items != nil: // an object with any members of one sort
			if m := p.items.check(within(path, name), object[name]); m != nil {
				return m
			}
		case p.members != nil:
			return &mistake{"Additional properties not allowed: " + name, path, p.about}
		}
	}
	return nil
}

func within(path, name string) string {
	if path == "" {
		return name
	}
	return path + "." + name
}

// checkText returns what is wrong with a text, "" for nothing.
func (p property) checkText(s string) string {
	n := utf8.RuneCountInString(s)
	switch {
	case n < p.min:
		return fmt.Sprintf("String is too short (%d chars), minimum %d", n, p.min)
	case p.max > 0 && n > p.max:
		return fmt.Sprintf("String is too long (%d chars), maximum %d", n, p.max)
	case p.format != "" && !formats[p.format](s):
		return "Object didn't pass validation for format " + p.format + ": " + s
	case p.pattern != nil && !p.pattern.MatchString(s):
		return "String does not match pattern " + p.pattern.String() + ": " + s
	case p.enum != nil && !slices.Contains(p.enum, s):
		return "No enum match for: " + s
	}
	return ""
}

func typeOf(v any) string {
	switch v := v.(type) {
	case nil:
		return "null"
	case string:
		return "string"
	case bool:
		return "boolean"
	case json.Number:
		if strings.ContainsAny(v.String(), ".eE") {
			return "number"
		}
		return "integer"
	case []any:
		return "array"
	}
	return "object"
}

func (p payload) text(name string) string {
	s, _ := p[name].(string)
	return s
}

// has reports whether the body names a member.
func (p payload) has(name string) bool {
	_, ok := p[name]
	return ok
}

// given returns a member that is a string, nil when it is absent. Null stands
// for the empty text.
func (p payload) given(name string) *string {
	if !p.has(name) {
		return nil
	}
	s := p.text(name)
	return &s
}

// number returns a member that is an integer, 0 when it is absent.
func (p payload) number(name string) int64 {
	n, _ := p[name].(json.Number)
	i, _ := n.Int64()
	return i
}

// texts returns a member that is an array of strings.
func (p payload) texts(name string) []string {
	list, _ := p[name].([]any)
	out := make([]string, 0, len(list))
	for _, v := range list {
		s, _ := v.(string)
		out = append(out, s)
	}
	return out
}

// object returns a member that is an object, empty when it is absent.
func (p payload) object(name string) payload {
	m, _ := p[name].(map[string]any)
	return m
}

// objects returns a member that is an array of objects.
func (p payload) objects(name string) []payload { return payloads(p[name]) }

func payloads(v any) []payload {
	list, _ := v.([]any)
	out := make([]payload, 0, len(list))
	for _, v := range list {
		m, _ := v.(map[string]any)
		out = append(out, m)
	}
	return out
}

// flag returns a boolean member, nil when it is absent.
func (p payload) flag(name string) *bool {
	b, ok := p[name].(bool)
	if !ok {
		return nil
	}
	return &b
}

// metadata returns a member that is an object. Null stands for the empty
// object, which clears.
func (p payload) metadata(name string) map[string]any {
	v, ok := p[name]
	if !ok {
		return nil
	}
	m, _ := v.(map[string]any)
	if m == nil {
		return map[string]any{}
	}
	return m
}

// profile returns the attributes that the body names, in the directory's
// names. Addresses and user names of databases are kept in lower case.
func (p payload) profile() map[string]any {
	out := map[string]any{}
	for _, name := range rootAttributes {
		v, ok := p[name]
		if !ok {
			continue
		}
		if s, isText := v.(string); isText && (name == "email" || name == "username") {
			v = strings.ToLower(s)
		}
		out[tenant.ProfileAttribute(name)] = v
	}
	return out
}
