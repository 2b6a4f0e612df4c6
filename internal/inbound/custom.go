package inbound

import (
	"strings"

	"github.com/lanyard-id/lanyard/internal/scim"
	"github.com/lanyard-id/lanyard/internal/tenant"
)

// extended adds the schemas that a mapping names and no RFC has, such as that of
// custom attributes of an Okta application. A row says nothing of types, so their
// attributes are texts. A schema that contradicts itself is left out, and its rows
// do nothing.
func extended(types *scim.Types, rows []tenant.MappingRow) *scim.Types {
	var schemas []scim.Schema
	for _, row := range rows {
		urn, name, ok := customAttribute(row.SCIM, types.Named("User"))
		if !ok {
			continue
		}
		i := 0
		for i < len(schemas) && !strings.EqualFold(schemas[i].ID, urn) {
			i++
		}
		if i == len(schemas) {
			schemas = append(schemas, scim.Schema{ID: urn, Name: "User", Description: "Attributes that the connection's mapping names"})
		}
		if attributeNamed(schemas[i].Attributes, name) == nil {
			schemas[i].Attributes = append(schemas[i].Attributes, scim.Attribute{Name: name, Type: scim.String})
		}
	}
	for _, schema := range schemas {
		if more, err := types.Extend("User", scim.Extension{Schema: schema}); err == nil {
			types = more
		}
	}
	return types
}

// customAttribute takes the SCIM side of a row apart that names an attribute of
// an unknown schema: URN:attribute, or with a dot behind a URN that ends with
// User, as Auth0 writes it (recorded for the enterprise extension).
func customAttribute(text string, users *scim.ResourceType) (urn, name string, ok bool) {
	if _, ok := cutPrefixFold(text, "urn:"); !ok {
		return "", "", false
	}
	known := []string{users.Schema.ID}
	for _, e := range users.Extensions {
		known = append(known, e.Schema.ID)
	}
	for _, id := range known {
		if _, ok := cutPrefixFold(text, id); ok {
			return "", "", false
		}
	}
	i := strings.LastIndexByte(text, ':')
	urn, name = text[:i], text[i+1:]
	if head, tail, dotted := strings.Cut(name, "."); dotted && strings.EqualFold(head, "User") {
		urn, name = urn+":"+head, tail
	}
	return urn, name, plainName(name) && strings.Count(urn, ":") >= 2
}

// plainName reports whether a text can name an attribute (RFC 7643 2.1).
func plainName(name string) bool {
	for i, c := range name {
		letter := 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z'
		rest := '0' <= c && c <= '9' || c == '_' || c == '-' || c == '$'
		if !letter && (i == 0 || !rest) {
			return false
		}
	}
	return name != ""
}
