package auth0

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/lanyard-id/lanyard/internal/directory"
	"github.com/lanyard-id/lanyard/internal/web"
)

// property describes one member of a request body, with the words that Auth0
// adds to what it complains about (Auth0's OpenAPI document).
type property struct {
	typ      string // string, boolean, object
	nullable bool
	format   string // email
	pattern  *regexp.Regexp
	min, max int // characters; 0 is no limit
	about    string
}

var (
	phonePattern  = regexp.MustCompile(`^\+[0-9]{1,15}$`)
	userIDPattern = regexp.MustCompile(`^\S*$`)
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
	p, ok := v.(map[string]any)
	if !ok {
		return nil, badBody(fmt.Sprintf("'Expected type object but found type %s'.", typeOf(v)))
	}
	for _, name := range required {
		if _, ok := p[name]; !ok {
			return nil, badBody("'Missing required property: " + name + "'.")
		}
	}
	for _, name := range slices.Sorted(maps.Keys(p)) {
		property, ok := properties[name]
		if !ok {
			return nil, badBody("'Additional properties not allowed: " + name + "'.")
		}
		if wrong := property.check(p[name]); wrong != "" {
			return nil, badBody(fmt.Sprintf("'%s' on property %s (%s).", wrong, name, property.about))
		}
	}
	return p, nil
}

// check returns what is wrong with a value, "" for nothing.
func (p property) check(v any) string {
	if v == nil && p.nullable {
		return ""
	}
	if got := typeOf(v); got != p.typ {
		return "Expected type " + p.typ + " but found type " + got
	}
	s, ok := v.(string)
	if !ok {
		return ""
	}
	n := utf8.RuneCountInString(s)
	switch {
	case n < p.min:
		return fmt.Sprintf("String is too short (%d chars), minimum %d", n, p.min)
	case p.max > 0 && n > p.max:
		return fmt.Sprintf("String is too long (%d chars), maximum %d", n, p.max)
	case p.format == "email" && !directory.LooksLikeEmail(s):
		return "Object didn't pass validation for format email: " + s
	case p.pattern != nil && !p.pattern.MatchString(s):
		return "String does not match pattern " + p.pattern.String() + ": " + s
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
	for name, canonical := range attributes {
		v, ok := p[name]
		if !ok {
			continue
		}
		if s, isText := v.(string); isText && (name == "email" || name == "username") {
			v = strings.ToLower(s)
		}
		out[canonical] = v
	}
	return out
}
