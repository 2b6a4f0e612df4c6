package okta

import (
	"encoding/json"
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/lanyard-id/lanyard/internal/directory"
	"github.com/lanyard-id/lanyard/internal/importer"
	"github.com/lanyard-id/lanyard/internal/web"
)

// The scopes of schemas and user types.
const (
	readSchemas     = "okta.schemas.read"
	manageSchemas   = "okta.schemas.manage"
	readUserTypes   = "okta.userTypes.read"
	manageUserTypes = "okta.userTypes.manage"
)

const (
	userSchemas = basePath + "/meta/schemas/user"
	groupSchema = basePath + "/meta/schemas/group/default"
	appSchemas  = basePath + "/meta/schemas/apps"
	userTypes   = basePath + "/meta/types/user"
)

// schemaRoutes lists the paths of user types and schemas.
func (a *API) schemaRoutes() {
	a.route(userSchemas+"/{id}",
		method{"GET", readSchemas, a.getUserSchema},
		method{"POST", manageSchemas, a.updateUserSchema})
	a.route(userSchemas + "/linkedObjects") // not the id of a schema, and not served
	a.route(groupSchema,
		method{"GET", readSchemas, a.getGroupSchema},
		method{"POST", manageSchemas, a.updateGroupSchema})
	a.route(appSchemas+"/{id}/default",
		method{"GET", readSchemas, a.getAppSchema},
		method{"POST", manageSchemas, a.updateAppSchema})
	a.route(userTypes,
		method{"GET", readUserTypes, a.listUserTypes},
		method{"POST", manageUserTypes, a.createUserType})
	a.route(userTypes+"/{id}",
		method{"GET", readUserTypes, a.getUserType},
		method{"POST", manageUserTypes, a.updateUserType},
		method{"PUT", manageUserTypes, a.replaceUserType},
		method{"DELETE", manageUserTypes, a.deleteUserType})
}

func (a *API) getUserSchema(w http.ResponseWriter, r *http.Request) error {
	shape, err := a.Directory.Schema(r.Context(), a.Realm, r.PathValue("id"))
	if err != nil {
		return err
	}
	id := shape.Schema.ID
	t, err := a.Directory.UserType(r.Context(), a.Realm, "oty"+strings.TrimPrefix(id, "osc"))
	if err != nil {
		return err
	}
	base := a.base(r)
	uri := id
	if t.Default() {
		uri = "default"
	}
	return web.WriteJSON(w, http.StatusOK, schema(shape, web.Object{
		{Key: "id", Value: base + "/meta/schemas/user/" + uri},
		{Key: "$schema", Value: jsonSchema},
		{Key: "name", Value: t.Name},
		{Key: "title", Value: t.DisplayName},
		{Key: "description", Value: t.Description},
	}, web.Object{
		related("self", base+userSchemas+"/"+id),
		related("type", base+userTypes+"/"+t.ID),
	}))
}

// updateUserSchema is POST /meta/schemas/user/{id}: custom attributes to set or,
// with null, to remove, and what may be changed of base ones. The rest of a
// schema is read-only and ignored, so that a client may send back what it got.
func (a *API) updateUserSchema(w http.ResponseWriter, r *http.Request) error {
	change, err := readSchemaChange(r)
	if err != nil {
		return err
	}
	if err := a.Directory.EditSchema(r.Context(), actor(r), a.Realm, r.PathValue("id"), change); err != nil {
		return err
	}
	return a.getUserSchema(w, r)
}

func (a *API) getGroupSchema(w http.ResponseWriter, r *http.Request) error {
	shape, err := a.Directory.Schema(r.Context(), a.Realm, directory.GroupSchema)
	if err != nil {
		return err
	}
	base := a.base(r)
	return web.WriteJSON(w, http.StatusOK, schema(shape, web.Object{
		{Key: "id", Value: base + "/meta/schemas/group/default"},
		{Key: "$schema", Value: jsonSchema},
		{Key: "name", Value: "group"},
		{Key: "title", Value: "Okta group"},
		{Key: "description", Value: "Okta group profile template"},
	}, web.Object{related("self", base+groupSchema)}))
}

// updateGroupSchema is POST /meta/schemas/group/default. Base attributes of
// groups cannot be changed, whatever is sent.
func (a *API) updateGroupSchema(w http.ResponseWriter, r *http.Request) error {
	change, err := readSchemaChange(r)
	if err != nil {
		return err
	}
	change.Base = nil
	if err := a.Directory.EditSchema(r.Context(), actor(r), a.Realm, directory.GroupSchema, change); err != nil {
		return err
	}
	return a.getGroupSchema(w, r)
}

func (a *API) getAppSchema(w http.ResponseWriter, r *http.Request) error {
	app, shape, err := a.Directory.AppSchema(r.Context(), a.Realm, r.PathValue("id"))
	if err != nil {
		return err
	}
	base := a.base(r)
	return web.WriteJSON(w, http.StatusOK, schema(shape, web.Object{
		{Key: "id", Value: base + "/meta/schemas/apps/" + app.ID + "/default"},
		{Key: "$schema", Value: jsonSchema},
		{Key: "name", Value: app.Name},
		{Key: "title", Value: app.Label + " User"},
		{Key: "description", Value: ""},
	}, web.Object{related("self", base+appSchemas+"/"+app.ID+"/default")}))
}

// updateAppSchema is POST /meta/schemas/apps/{id}/default: custom attributes to
// set or, with null, to remove. Attributes of an identity source are texts.
func (a *API) updateAppSchema(w http.ResponseWriter, r *http.Request) error {
	change, err := readSchemaChange(r)
	if err != nil {
		return err
	}
	app, err := a.Directory.App(r.Context(), a.Realm, r.PathValue("id"))
	if err != nil {
		return err
	}
	if app.Name == importer.AppName {
		for _, attribute := range change.Set {
			if attribute.Type != directory.TextType && attribute.Type != "" {
				return validation(directory.Violations{{Field: attribute.Name, Rule: directory.WrongType}})
			}
		}
	}
	if err := a.Directory.EditAppSchema(r.Context(), actor(r), a.Realm, app.ID, change); err != nil {
		return err
	}
	if err := a.tellSource(r, app, change); err != nil {
		return err
	}
	return a.getAppSchema(w, r)
}

const jsonSchema = "http://json-schema.org/draft-04/schema#"

// related is a link as schemas have them.
func related(rel, href string) web.Field {
	return web.Field{Key: rel, Value: web.Object{
		{Key: "rel", Value: rel}, {Key: "href", Value: href}, {Key: "method", Value: "GET"},
	}}
}

// schema is the wire form of a schema in the recorded order; head comes first.
func schema(s *directory.Shape, head, links web.Object) web.Object {
	ref := func(part string) web.Object {
		return web.Object{{Key: "$ref", Value: "#/definitions/" + part}}
	}
	all := []web.Object{ref("custom"), ref("base")}
	return append(head,
		web.Field{Key: "lastUpdated", Value: date(s.Schema.Updated)},
		web.Field{Key: "created", Value: date(s.Schema.Created)},
		web.Field{Key: "definitions", Value: web.Object{
			definition("custom", s.Custom()), definition("base", s.Base()),
		}},
		web.Field{Key: "type", Value: "object"},
		web.Field{Key: "properties", Value: web.Object{
			{Key: "profile", Value: web.Object{{Key: "allOf", Value: all}}},
		}},
		web.Field{Key: "_links", Value: links},
	)
}

func definition(name string, attributes []directory.Attribute) web.Field {
	properties, required := web.Object{}, []string{}
	for _, a := range attributes {
		properties = append(properties, web.Field{Key: a.Name, Value: property(a)})
		if a.Required {
			required = append(required, a.Name)
		}
	}
	return web.Field{Key: name, Value: web.Object{
		{Key: "id", Value: "#" + name}, {Key: "type", Value: "object"},
		{Key: "properties", Value: properties}, {Key: "required", Value: required},
	}}
}

// property is the wire form of an attribute. Where recordings show the order of
// keys it is theirs. A profile master is not shown (recorded).
func property(a directory.Attribute) web.Object {
	var o web.Object
	add := func(shown bool, key string, v any) {
		if shown {
			o = append(o, web.Field{Key: key, Value: v})
		}
	}
	add(true, "title", a.Title)
	add(a.Description != "", "description", a.Description)
	add(true, "type", a.Type)
	add(a.Required, "required", true)
	add(a.Format != "", "format", a.Format)
	add(a.Unique, "unique", uniqueValidated)
	add(a.Mutability != "", "mutability", a.Mutability)
	add(a.Scope != "", "scope", a.Scope)
	add(a.Min > 0, "minLength", a.Min)
	add(a.Max > 0, "maxLength", a.Max)
	add(a.Minimum != "", "minimum", a.Minimum)
	add(a.Maximum != "", "maximum", a.Maximum)
	add(a.Pattern != "", "pattern", a.Pattern)
	add(a.Enum != nil, "enum", a.Enum)
	add(a.OneOf != nil, "oneOf", a.OneOf)
	add(a.Items != nil, "items", a.Items)
	add(a.Default != nil, "default", a.Default)
	add(a.ExternalName != "", "externalName", a.ExternalName)
	add(a.ExternalNamespace != "", "externalNamespace", a.ExternalNamespace)
	add(a.Permissions != nil, "permissions", a.Permissions)
	add(a.Master != nil && a.Master.Type != "PROFILE_MASTER", "master", a.Master)
	return o
}

const uniqueValidated = "UNIQUE_VALIDATED"

// readSchemaChange reads the definitions of a schema.
func readSchemaChange(r *http.Request) (directory.SchemaChange, error) {
	var c directory.SchemaChange
	body, err := readObject(r)
	if err != nil {
		return c, err
	}
	definitions, err := body.object("definitions")
	if err != nil {
		return c, err
	}
	custom, err := definitions.properties("custom")
	if err != nil {
		return c, err
	}
	for _, name := range slices.Sorted(maps.Keys(custom)) {
		if custom[name] == nil {
			c.Remove = append(c.Remove, name)
			continue
		}
		a, err := custom.attribute(name)
		if err != nil {
			return c, err
		}
		c.Set = append(c.Set, a)
	}
	base, err := definitions.properties("base")
	if err != nil {
		return c, err
	}
	for name := range base {
		change, err := base.baseChange(name)
		if err != nil {
			return c, err
		}
		if c.Base == nil {
			c.Base = map[string]directory.BaseChange{}
		}
		c.Base[name] = change
	}
	return c, nil
}

// properties returns the members of one part of the definitions.
func (o object) properties(part string) (object, error) {
	definition, err := o.object(part)
	if err != nil {
		return nil, err
	}
	return definition.object("properties")
}

// wireAttribute is an attribute as it is sent. Unknown members are ignored.
type wireAttribute struct {
	Title             string                  `json:"title"`
	Description       string                  `json:"description"`
	Type              directory.AttributeType `json:"type"`
	Required          *bool                   `json:"required"`
	Format            string                  `json:"format"`
	Unique            any                     `json:"unique"`
	Mutability        string                  `json:"mutability"`
	Scope             string                  `json:"scope"`
	Min               int                     `json:"minLength"`
	Max               int                     `json:"maxLength"`
	Minimum           json.Number             `json:"minimum"`
	Maximum           json.Number             `json:"maximum"`
	Pattern           *string                 `json:"pattern"`
	Enum              []any                   `json:"enum"`
	OneOf             []directory.Choice      `json:"oneOf"`
	Items             *directory.Items        `json:"items"`
	Default           any                     `json:"default"`
	ExternalName      string                  `json:"externalName"`
	ExternalNamespace string                  `json:"externalNamespace"`
	Permissions       []directory.Permission  `json:"permissions"`
	Master            *directory.Master       `json:"master"`
}

// attribute reads the definition of a custom attribute.
func (o object) attribute(name string) (directory.Attribute, error) {
	var wire wireAttribute
	if err := o.into(name, &wire); err != nil {
		return directory.Attribute{}, err
	}
	a := directory.Attribute{
		Name: name, Title: wire.Title, Description: wire.Description, Type: wire.Type, Format: wire.Format,
		Mutability: wire.Mutability, Scope: wire.Scope, Min: wire.Min, Max: wire.Max,
		Minimum: wire.Minimum, Maximum: wire.Maximum, Enum: wire.Enum, OneOf: wire.OneOf, Items: wire.Items,
		Default: wire.Default, ExternalName: wire.ExternalName, ExternalNamespace: wire.ExternalNamespace,
		Permissions: wire.Permissions, Master: wire.Master,
	}
	a.Required = wire.Required != nil && *wire.Required
	if wire.Pattern != nil {
		a.Pattern = *wire.Pattern
	}
	switch wire.Unique {
	case nil, false, "NOT_UNIQUE":
	case true, uniqueValidated:
		a.Unique = true
	default:
		return a, invalid(name, name+": unique has an invalid value")
	}
	return a, nil
}

// baseChange reads what may be changed of a base attribute.
func (o object) baseChange(name string) (directory.BaseChange, error) {
	var wire wireAttribute
	if err := o.into(name, &wire); err != nil {
		return directory.BaseChange{}, err
	}
	return directory.BaseChange{Required: wire.Required, Pattern: wire.Pattern, Permissions: wire.Permissions, Master: wire.Master}, nil
}

// into reads a member into a struct, without losing digits.
func (o object) into(name string, v any) error {
	text, err := json.Marshal(o[name])
	if err != nil {
		return problem("E0000003").because(err)
	}
	dec := json.NewDecoder(strings.NewReader(string(text)))
	dec.UseNumber()
	if err := dec.Decode(v); err != nil {
		return problem("E0000003").because(err)
	}
	return nil
}
