package directory

import (
	"encoding/json"
	"maps"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/lanyard-id/lanyard/internal/value"
)

// Attribute is the definition of one profile attribute, in the terms of Okta's
// schema API. Its JSON form is how custom attributes are stored.
type Attribute struct {
	Name        string        `json:"name"`
	Title       string        `json:"title,omitempty"`
	Description string        `json:"description,omitempty"`
	Type        AttributeType `json:"type"`
	Required    bool          `json:"required,omitempty"`
	Format      string        `json:"format,omitempty"` // "email", "uri", "country-code" ...
	Unique      bool          `json:"unique,omitempty"` // no two accounts of the realm may share a value
	Mutability  string        `json:"mutability,omitempty"`
	Scope       string        `json:"scope,omitempty"`
	Min         int           `json:"minLength,omitempty"` // characters; 0 is no limit
	Max         int           `json:"maxLength,omitempty"`
	Minimum     json.Number   `json:"minimum,omitempty"` // of numbers
	Maximum     json.Number   `json:"maximum,omitempty"`
	Pattern     string        `json:"pattern,omitempty"` // the whole value must match
	Enum        []any         `json:"enum,omitempty"`    // strings and numbers
	OneOf       []Choice      `json:"oneOf,omitempty"`   // names for the values of Enum
	Items       *Items        `json:"items,omitempty"`   // of arrays
	Default     any           `json:"default,omitempty"` // of new accounts that do not say

	ExternalName      string       `json:"externalName,omitempty"`
	ExternalNamespace string       `json:"externalNamespace,omitempty"`
	Master            *Master      `json:"master,omitempty"`
	Permissions       []Permission `json:"permissions,omitempty"`

	// most limits values that the published schema does not limit.
	most    int
	pattern *regexp.Regexp // compiled Pattern
}

// Choice is the display name of a value.
type Choice struct {
	Const any    `json:"const"`
	Title string `json:"title"`
}

// Items says what an array holds.
type Items struct {
	Type  AttributeType `json:"type"`
	Enum  []any         `json:"enum,omitempty"`
	OneOf []Choice      `json:"oneOf,omitempty"`
}

// Sourced reports whether sources of profiles decide the attribute.
func (a *Attribute) Sourced() bool {
	return a.Master == nil || a.Master.Type == "" || a.Master.Type == "PROFILE_MASTER"
}

// Master says which source decides the value of an attribute.
type Master struct {
	Type     string           `json:"type"` // PROFILE_MASTER, OKTA, OVERRIDE
	Priority []MasterPriority `json:"priority,omitempty"`
}

// MasterPriority is one source of a Master of type OVERRIDE.
type MasterPriority struct {
	Type  string `json:"type"`
	Value string `json:"value,omitempty"`
}

// Permission is what somebody may do with an attribute.
type Permission struct {
	Principal string `json:"principal"` // SELF
	Action    string `json:"action"`    // READ_WRITE, READ_ONLY, HIDE
}

// AttributeType is the JSON type of an attribute's values.
type AttributeType string

// The attribute types.
const (
	TextType    AttributeType = "string"
	BoolType    AttributeType = "boolean"
	NumberType  AttributeType = "number"
	IntegerType AttributeType = "integer"
	ArrayType   AttributeType = "array"
)

// What users themselves may do with a base attribute.
const (
	readWrite      = "READ_WRITE"
	readOnlyBySelf = "READ_ONLY"
	hidden         = "HIDE"
)

// OktaProfile is the base schema of an Okta user (recorded; limits beyond the
// published ones: Okta OpenAPI 2026.06.3, UserProfile). First and last name are
// required, as they are in an org that has not changed its schema.
var OktaProfile = []Attribute{
	base("login", "Username", readOnlyBySelf, Attribute{Required: true, Min: 5, Max: 100}),
	base("firstName", "First name", readWrite, Attribute{Required: true, Min: 1, Max: 50}),
	base("lastName", "Last name", readWrite, Attribute{Required: true, Min: 1, Max: 50}),
	base("middleName", "Middle name", readOnlyBySelf, Attribute{}),
	base("honorificPrefix", "Honorific prefix", readOnlyBySelf, Attribute{}),
	base("honorificSuffix", "Honorific suffix", readOnlyBySelf, Attribute{}),
	base("email", "Primary email", readWrite, Attribute{Required: true, Format: "email", most: 100}),
	base("title", "Title", readOnlyBySelf, Attribute{}),
	base("displayName", "Display name", readOnlyBySelf, Attribute{}),
	base("nickName", "Nickname", readOnlyBySelf, Attribute{}),
	base("profileUrl", "Profile Url", readOnlyBySelf, Attribute{Format: "uri"}),
	base("secondEmail", "Secondary email", readWrite, Attribute{Format: "email", most: 100}),
	base("mobilePhone", "Mobile phone", readWrite, Attribute{Max: 100}),
	base("primaryPhone", "Primary phone", hidden, Attribute{Max: 100}),
	base("streetAddress", "Street address", hidden, Attribute{most: 1024}),
	base("city", "City", hidden, Attribute{most: 128}),
	base("state", "State", hidden, Attribute{most: 128}),
	base("zipCode", "Zip code", hidden, Attribute{most: 50}),
	base("countryCode", "Country code", hidden, Attribute{Format: "country-code", most: 2}),
	base("postalAddress", "Postal Address", hidden, Attribute{most: 4096}),
	base("preferredLanguage", "Preferred language", readOnlyBySelf, Attribute{Format: "language-code"}),
	base("locale", "Locale", readOnlyBySelf, Attribute{Format: "locale"}),
	base("timezone", "Time zone", readOnlyBySelf, Attribute{Format: "timezone"}),
	base("userType", "User type", readOnlyBySelf, Attribute{}),
	base("employeeNumber", "Employee number", readOnlyBySelf, Attribute{}),
	base("costCenter", "Cost center", readOnlyBySelf, Attribute{}),
	base("organization", "Organization", readOnlyBySelf, Attribute{}),
	base("division", "Division", readOnlyBySelf, Attribute{}),
	base("department", "Department", readOnlyBySelf, Attribute{}),
	base("managerId", "ManagerId", readOnlyBySelf, Attribute{}),
	base("manager", "Manager", readOnlyBySelf, Attribute{}),
}

// oktaGroupProfile is the base schema of an Okta group.
var oktaGroupProfile = []Attribute{
	base("name", "Name", readWrite, Attribute{Required: true, Min: 1, Max: 255}),
	base("description", "Description", readWrite, Attribute{Max: 1024}),
}

// base completes the definition of a base attribute: all are texts.
func base(name, title, action string, a Attribute) Attribute {
	a.Name, a.Title, a.Type, a.Mutability, a.Scope = name, title, TextType, "READ_WRITE", "NONE"
	a.Permissions = []Permission{{Principal: "SELF", Action: action}}
	return a
}

// check returns what is wrong with a value of the attribute; nil is no value.
func (a Attribute) check(v any) Violations {
	if v == nil || v == "" {
		if a.Required {
			return Violations{{Field: a.Name, Rule: Blank}}
		}
		return nil
	}
	if !a.Type.holds(v) {
		return Violations{{Field: a.Name, Rule: WrongType}}
	}
	switch v := v.(type) {
	case string:
		return a.checkText(v)
	case json.Number:
		return a.checkNumber(v)
	case []any:
		return a.checkItems(v)
	}
	return nil
}

func (a *Attribute) checkText(text string) Violations {
	n := utf8.RuneCountInString(text)
	switch {
	case a.Max > 0 && n > a.Max:
		return Violations{{Field: a.Name, Rule: TooLong, Limit: a.Max}}
	case a.most > 0 && n > a.most:
		return Violations{{Field: a.Name, Rule: TooLong, Limit: a.most}}
	case n < a.Min:
		return Violations{{Field: a.Name, Rule: TooShort, Limit: a.Min}}
	case a.pattern != nil && !a.pattern.MatchString(text), a.email() && !LooksLikeEmail(text):
		return Violations{{Field: a.Name, Rule: Pattern}}
	case !allowed(a.Enum, text):
		return Violations{{Field: a.Name, Rule: WrongValue}}
	}
	return nil
}

// email reports whether values must look like an e-mail address: the login
// too, unless the schema sets a pattern for it.
func (a *Attribute) email() bool {
	return a.Format == "email" || a.Name == "login" && a.Pattern == ""
}

func (a *Attribute) checkNumber(n json.Number) Violations {
	low := a.Minimum != "" && value.CompareNumbers(n, a.Minimum) < 0
	high := a.Maximum != "" && value.CompareNumbers(n, a.Maximum) > 0
	if low || high || !allowed(a.Enum, n) {
		return Violations{{Field: a.Name, Rule: WrongValue}}
	}
	return nil
}

func (a *Attribute) checkItems(list []any) Violations {
	if a.Items == nil {
		return nil
	}
	for _, v := range list {
		if !a.Items.Type.holds(v) {
			return Violations{{Field: a.Name, Rule: WrongType}}
		}
		if !allowed(a.Items.Enum, v) {
			return Violations{{Field: a.Name, Rule: WrongValue}}
		}
	}
	return nil
}

// allowed reports whether a value is one of an enumeration; an empty one
// allows all.
func allowed(enum []any, v any) bool {
	return len(enum) == 0 || slices.ContainsFunc(enum, func(one any) bool { return sameScalar(one, v) })
}

func sameScalar(a, b any) bool {
	x, isNumber := a.(json.Number)
	y, both := b.(json.Number)
	if isNumber && both {
		return value.CompareNumbers(x, y) == 0
	}
	return a == b
}

func (t AttributeType) holds(v any) bool {
	switch v := v.(type) {
	case string:
		return t == TextType
	case bool:
		return t == BoolType
	case json.Number:
		return t == NumberType || t == IntegerType && !strings.ContainsAny(v.String(), ".eE")
	case []any:
		return t == ArrayType
	}
	return false
}

// LooksLikeEmail reports whether s has the form local@domain, without blanks.
// Deliverability is not our business.
func LooksLikeEmail(s string) bool {
	at := strings.LastIndexByte(s, '@')
	if at < 1 || at == len(s)-1 || strings.ContainsAny(s, " \t\r\n\"<>") {
		return false
	}
	local, domain := s[:at], s[at+1:]
	return !strings.Contains(local, "@") && !strings.HasPrefix(domain, ".") && !strings.HasSuffix(domain, ".") && !strings.Contains(domain, "..")
}

// compact drops null values: an attribute without a value is an absent one.
func compact(profile map[string]any) map[string]any {
	out := make(map[string]any, len(profile))
	for k, v := range profile {
		if v != nil {
			out[k] = v
		}
	}
	return out
}

// checkProfile returns everything wrong with a profile by a schema, attributes
// that it does not define included.
func (s *Shape) checkProfile(profile map[string]any) Violations {
	var out Violations
	for i := range s.attributes {
		a := &s.attributes[i]
		out = append(out, a.check(profile[a.Name])...)
	}
	for _, name := range slices.Sorted(maps.Keys(profile)) {
		if _, ok := s.index[name]; !ok && profile[name] != nil {
			out = append(out, Violation{Field: name, Rule: Undefined})
		}
	}
	return out
}
