package directory

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"unicode/utf8"
)

// Attribute is the definition of one profile attribute.
type Attribute struct {
	Name     string
	Type     AttributeType
	Required bool
	Email    bool // must look like an e-mail address
	Min, Max int  // characters; 0 is no limit
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

// OktaProfile is the base schema of an Okta user (Okta OpenAPI 2026.06.3,
// UserProfile) in the order of the documentation. First and last name are
// required, as they are in an org that has not changed its schema.
var OktaProfile = []Attribute{
	{Name: "login", Type: TextType, Required: true, Email: true, Min: 5, Max: 100},
	{Name: "email", Type: TextType, Required: true, Email: true, Min: 5, Max: 100},
	{Name: "secondEmail", Type: TextType, Email: true, Max: 100},
	{Name: "firstName", Type: TextType, Required: true, Min: 1, Max: 50},
	{Name: "lastName", Type: TextType, Required: true, Min: 1, Max: 50},
	{Name: "middleName", Type: TextType},
	{Name: "honorificPrefix", Type: TextType},
	{Name: "honorificSuffix", Type: TextType},
	{Name: "title", Type: TextType},
	{Name: "displayName", Type: TextType},
	{Name: "nickName", Type: TextType},
	{Name: "profileUrl", Type: TextType},
	{Name: "primaryPhone", Type: TextType, Max: 100},
	{Name: "mobilePhone", Type: TextType, Max: 100},
	{Name: "streetAddress", Type: TextType, Max: 1024},
	{Name: "city", Type: TextType, Max: 128},
	{Name: "state", Type: TextType, Max: 128},
	{Name: "zipCode", Type: TextType, Max: 50},
	{Name: "countryCode", Type: TextType, Max: 2},
	{Name: "postalAddress", Type: TextType, Max: 4096},
	{Name: "preferredLanguage", Type: TextType},
	{Name: "locale", Type: TextType},
	{Name: "timezone", Type: TextType},
	{Name: "userType", Type: TextType},
	{Name: "employeeNumber", Type: TextType},
	{Name: "costCenter", Type: TextType},
	{Name: "organization", Type: TextType},
	{Name: "division", Type: TextType},
	{Name: "department", Type: TextType},
	{Name: "managerId", Type: TextType},
	{Name: "manager", Type: TextType},
}

// oktaGroupProfile is the base schema of an Okta group. Other attributes are
// taken as custom ones.
var oktaGroupProfile = []Attribute{
	{Name: "name", Type: TextType, Required: true, Min: 1, Max: 255},
	{Name: "description", Type: TextType, Max: 1024},
}

// checkProfile returns everything wrong with a profile. Attributes outside the
// schema are violations when closed.
func checkProfile(schema []Attribute, profile map[string]any, closed bool) Violations {
	var out Violations
	for _, a := range schema {
		out = append(out, a.check(profile[a.Name])...)
	}
	if !closed {
		return out
	}
	for _, name := range slices.Sorted(maps.Keys(profile)) {
		if !slices.ContainsFunc(schema, func(a Attribute) bool { return a.Name == name }) {
			out = append(out, Violation{Field: name, Rule: Undefined})
		}
	}
	return out
}

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
	text, ok := v.(string)
	if !ok {
		return nil
	}
	n := utf8.RuneCountInString(text)
	switch {
	case a.Max > 0 && n > a.Max:
		return Violations{{Field: a.Name, Rule: TooLong, Limit: a.Max}}
	case n < a.Min:
		return Violations{{Field: a.Name, Rule: TooShort, Limit: a.Min}}
	case a.Email && !LooksLikeEmail(text):
		return Violations{{Field: a.Name, Rule: Pattern}}
	}
	return nil
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
