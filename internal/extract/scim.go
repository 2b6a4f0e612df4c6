package extract

import (
	"context"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/lanyard-id/lanyard/internal/strict"
	"github.com/lanyard-id/lanyard/internal/value"
)

// scimOrigin is the list of users of a SCIM server (RFC 7644 3.4.2).
type scimOrigin struct{ apiOrigin }

// The ways in which SCIM servers go on.
const (
	scimByIndex  = "index"  // RFC 7644 3.4.2.4
	scimByCursor = "cursor" // RFC 9865
)

// defaultSCIMPage is how many users are asked for at a time: what most servers
// allow.
const defaultSCIMPage = 100

// scim reads scim.
func (s *section) scim(n *yaml.Node) origin {
	o := &scimOrigin{apiOrigin{path: "/Users", query: map[string]string{}}}
	paging, size, most := scimByIndex, defaultSCIMPage, defaultMostPages
	var filter string
	var attributes []string
	written := s.Mapping(n, "scim", map[string]strict.Field{
		"connection": s.Text(&o.connection),
		"path":       s.urlPath(&o.path),
		"filter":     s.Text(&filter),
		"attributes": s.Texts(&attributes),
		"paging":     s.Choice(&paging, scimByIndex, scimByCursor),
		"size":       s.AtLeast(&size, 1),
		"most":       s.AtLeast(&most, 1),
	})
	s.required(n, "scim", written, "connection")
	if filter != "" {
		o.query["filter"] = filter
	}
	if len(attributes) > 0 {
		o.query["attributes"] = strings.Join(attributes, ",")
	}
	o.headers = map[string]string{"Accept": "application/scim+json, application/json;q=0.9"}
	o.items, o.noneIsEmpty, o.shape = value.Pointer{"Resources"}, true, flattenSCIM
	o.pages = pages{
		by: byOffset, parameter: "startIndex", first: 1, size: size, sizeParameter: "count",
		total: value.Pointer{"totalResults"}, most: most,
	}
	if paging == scimByCursor {
		o.pages.by, o.pages.parameter, o.pages.at = byCursor, "cursor", value.Pointer{"nextCursor"}
		o.pages.totalOptional = true
		// The first page is asked for by an empty cursor (RFC 9865 2.1).
		o.query["cursor"] = ""
	}
	return o
}

func (o *scimOrigin) open(ctx context.Context, env Env) (Reader, error) {
	return o.apiOrigin.open(ctx, env)
}

// enterprise is the URN of the extension that every server knows (RFC 7643 4.3).
const enterprise = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"

// flattenSCIM gives a user's attributes names without structure:
//
//	userName                        as it is
//	name.givenName                  of a complex attribute
//	emails, emails.work             of a multi-valued one: the primary, else the first value; the first of a type
//	addresses.work.locality         of one without values
//	groups                          all values, where there are neither types nor a primary one; of
//	                                e-mail addresses and phone numbers always one
//	enterprise.department           of the enterprise extension; other extensions go by their URN
//
// The schemas are left out: they say nothing of a person.
func flattenSCIM(user map[string]any) map[string]any {
	row := make(map[string]any, 2*len(user))
	for name, v := range user {
		switch {
		case name == "schemas":
		case strings.EqualFold(name, enterprise):
			flattenInto(row, "enterprise", v)
		default:
			flattenInto(row, name, v)
		}
	}
	return row
}

func flattenInto(row map[string]any, name string, v any) {
	switch v := v.(type) {
	case map[string]any:
		for sub, inner := range v {
			flattenInto(row, name+"."+sub, inner)
		}
	case []any:
		flattenList(row, name, v)
	default:
		row[name] = v
	}
}

// flattenList adds a multi-valued attribute (RFC 7643 2.4).
func flattenList(row map[string]any, name string, list []any) {
	var values []any
	var primary any
	typed, marked := false, false
	for _, item := range list {
		element, ok := item.(map[string]any)
		if !ok {
			values = append(values, item)
			continue
		}
		kind, _ := element["type"].(string)
		v, hasValue := element["value"]
		switch {
		case hasValue && kind != "":
			typed = true
			setOnce(row, name+"."+kind, v)
		case kind != "":
			for sub, inner := range element {
				if sub != "type" && sub != "primary" {
					setOnce(row, name+"."+kind+"."+sub, inner)
				}
			}
		}
		if !hasValue {
			continue
		}
		values = append(values, v)
		if element["primary"] == true && !marked {
			primary, marked = v, true
		}
	}
	switch {
	case len(values) == 0:
	case marked:
		row[name] = primary
	case typed, name == "emails", name == "phoneNumbers": // many servers leave the types out
		row[name] = values[0]
	default:
		row[name] = values
	}
}

func setOnce(row map[string]any, name string, v any) {
	if _, there := row[name]; !there {
		row[name] = v
	}
}
