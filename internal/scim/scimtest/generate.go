// Package scimtest compares PATCH as internal/scim applies it with what others
// make of it: it makes patches, judges outcomes, and holds the list of the
// differences that a clause of the RFCs explains (differences.yaml). Who the
// others are and how they are called is left to what uses it.
package scimtest

import (
	"math/rand/v2"
	"strings"

	"github.com/lanyard-id/lanyard/internal/scim"
)

// Patch is one resource and the operations on it.
type Patch struct {
	Type       string // "User" or "Group"
	Resource   scim.Resource
	Operations []Operation
}

// Operation is an operation and what kind it is, in the words that
// differences.yaml explains.
type Operation struct {
	Body   map[string]any
	Op     string
	Form   string
	Target string
	Value  string
	Traits []string
}

// Patches makes n patches. Equal seeds give equal patches.
func Patches(seed uint64, n int) []Patch {
	list := make([]Patch, n)
	for i := range list {
		g := generator{rand.New(rand.NewPCG(seed, uint64(i)))} //nolint:gosec // made cases, which must be the same every time
		list[i] = g.patch()
	}
	return list
}

type generator struct{ *rand.Rand }

func (g generator) chance(percent int) bool { return g.IntN(100) < percent }

func (g generator) one(texts ...string) string { return texts[g.IntN(len(texts))] }

func (g generator) patch() Patch {
	p := Patch{Type: "User", Resource: g.user()}
	if g.chance(25) {
		p = Patch{Type: "Group", Resource: g.group()}
	}
	for range 1 + g.IntN(3) {
		p.Operations = append(p.Operations, g.operation(p.Type))
	}
	return p
}

func (g generator) user() scim.Resource {
	r := scim.Resource{"schemas": []any{scim.UserSchema}, "id": "u1", "userName": g.word(), "meta": map[string]any{"resourceType": "User"}}
	if g.chance(50) {
		r["title"] = g.word()
	}
	if g.chance(50) {
		r["active"] = g.chance(50)
	}
	if g.chance(50) {
		r["name"] = g.name()
	}
	for _, attribute := range []string{"emails", "phoneNumbers"} {
		if g.chance(60) {
			r[attribute] = g.elements(attribute)
		}
	}
	if g.chance(40) {
		r[scim.EnterpriseSchema] = g.enterprise()
		r["schemas"] = append(r["schemas"].([]any), scim.EnterpriseSchema)
	}
	if g.chance(20) {
		r["groups"] = []any{map[string]any{"value": "g1"}}
	}
	return r
}

func (g generator) group() scim.Resource {
	r := scim.Resource{"schemas": []any{scim.GroupSchema}, "id": "g1", "displayName": g.word(), "meta": map[string]any{"resourceType": "Group"}}
	if g.chance(70) {
		r["members"] = g.elements("members")
	}
	return r
}

func (g generator) word() string { return g.one("ann", "bob", "cat", "dan", "eve") }

func (g generator) name() map[string]any {
	name := map[string]any{g.one("givenName", "familyName"): g.word()}
	if g.chance(50) {
		name["formatted"] = g.word()
	}
	return name
}

func (g generator) enterprise() map[string]any {
	object := map[string]any{g.one("department", "costCenter"): g.word()}
	if g.chance(40) {
		object["manager"] = map[string]any{"value": g.word()}
	}
	return object
}

// elements makes values of a multi-valued attribute that are all different.
func (g generator) elements(attribute string) []any {
	var list []any
	used := map[string]bool{}
	for range 1 + g.IntN(3) {
		e := g.element(attribute)
		key := e["value"].(string)
		if used[key] {
			continue
		}
		used[key] = true
		delete(e, "primary")
		list = append(list, e)
	}
	if attribute != "members" && g.chance(40) {
		list[0].(map[string]any)["primary"] = true
	}
	return list
}

func (g generator) element(attribute string) map[string]any {
	e := map[string]any{"value": g.word()}
	if attribute == "members" {
		if g.chance(40) {
			e["display"] = g.word()
		}
		return e
	}
	e["type"] = g.one("work", "home", "other")
	if g.chance(10) {
		e["primary"] = true
	}
	return e
}

// target is an attribute that operations are made for.
type target struct{ path, kind, attribute string }

var userTargets = []target{
	{"title", "single", ""},
	{"nickName", "single", ""},
	{"active", "boolean", ""},
	{"userName", "required", ""},
	{"name", "complex", "name"},
	{"name.givenName", "sub", ""},
	{"name.formatted", "sub", ""},
	{"emails", "multi", "emails"},
	{"phoneNumbers", "multi", "phoneNumbers"},
	{"emails", "multi", "emails"},
	{"emails.type", "sub of all", ""},
	{scim.UserSchema + ":title", "single", ""},
	{scim.UserSchema + ":name.givenName", "sub", ""},
	{scim.EnterpriseSchema + ":department", "single", ""},
	{scim.EnterpriseSchema + ":manager", "complex", "manager"},
	{scim.EnterpriseSchema + ":manager.value", "sub", ""},
	{scim.EnterpriseSchema, "extension", ""},
	{"id", "readOnly", ""},
	{"groups", "readOnly", "groups"},
	{"meta.version", "readOnly", ""},
	{"nope", "unknown", ""},
	{"name.nope", "unknown", ""},
	{"urn:example:x:y", "unknown", ""},
}

var groupTargets = []target{
	{"members", "members", "members"},
	{"members", "members", "members"},
	{"members", "members", "members"},
	{"displayName", "required", ""},
	{"externalId", "single", ""},
	{scim.GroupSchema + ":displayName", "required", ""},
	{"id", "readOnly", ""},
	{"nope", "unknown", ""},
}

func (g generator) operation(typ string) Operation {
	targets := userTargets
	if typ == "Group" {
		targets = groupTargets
	}
	t := targets[g.IntN(len(targets))]
	o := Operation{Op: g.one("add", "replace", "remove"), Target: t.kind, Value: "fits"}
	o.Body = map[string]any{"op": o.Op}
	switch {
	case g.chance(15):
		g.whole(&o, typ)
	case (t.kind == "multi" || t.kind == "members") && g.chance(60):
		g.selected(&o, t)
	default:
		o.Form = "path"
		o.Body["path"] = t.path
		switch {
		case strings.HasPrefix(t.path, scim.UserSchema), strings.HasPrefix(t.path, scim.GroupSchema):
			o.Traits = append(o.Traits, "core URN")
		case strings.HasPrefix(t.path, scim.EnterpriseSchema):
			o.Traits = append(o.Traits, "extension URN")
		}
		g.value(&o, g.fitting(t))
	}
	if path, ok := o.Body["path"].(string); ok && g.chance(5) && !strings.Contains(path, ":") {
		o.Body["path"] = g.otherCase(path)
		if o.Body["path"] != path {
			o.Traits = append(o.Traits, "case")
		}
	}
	return o
}

// otherCase changes the case of the attribute name in front.
func (g generator) otherCase(path string) string {
	end := strings.IndexAny(path, "[.")
	if end < 0 {
		end = len(path)
	}
	return g.one(strings.ToUpper(path[:end]), strings.ToLower(path[:end])) + path[end:]
}

// fitting makes a value of the right type for a target.
func (g generator) fitting(t target) any {
	switch t.kind {
	case "boolean":
		return g.chance(50)
	case "complex":
		if t.attribute == "manager" {
			return map[string]any{"value": g.word()}
		}
		return g.name()
	case "extension":
		return g.enterprise()
	case "multi", "members":
		var list []any
		for range 1 + g.IntN(2) {
			list = append(list, g.element(t.attribute))
		}
		return list
	case "sub of all":
		return g.one("work", "home", "other")
	case "readOnly":
		if t.attribute == "groups" {
			return []any{map[string]any{"value": g.word()}}
		}
	}
	return g.word()
}

// value gives an operation its value: mostly the fitting one.
func (g generator) value(o *Operation, fitting any) {
	if o.Op == "remove" {
		o.Value = "none"
		if g.chance(8) {
			o.Value = "given"
			o.Body["value"] = fitting
		}
		return
	}
	switch g.IntN(20) {
	case 0:
		o.Value, o.Body["value"] = "null", nil
	case 1:
		o.Value, o.Body["value"] = "empty text", ""
	case 2:
		o.Value, o.Body["value"] = "wrong", g.wrong(fitting)
	case 3:
		o.Value = "none"
	case 4:
		if list, ok := fitting.([]any); ok {
			o.Value, o.Body["value"] = "lone", list[0]
			break
		}
		o.Body["value"] = fitting
	case 5:
		if _, ok := fitting.([]any); ok {
			o.Value, o.Body["value"] = "empty list", []any{}
			break
		}
		o.Body["value"] = fitting
	default:
		o.Body["value"] = fitting
	}
	g.primary(o)
}

// primary notes whether a value says that it is the primary one.
func (g generator) primary(o *Operation) {
	count := 0
	var look func(v any)
	look = func(v any) {
		switch v := v.(type) {
		case []any:
			for _, e := range v {
				look(e)
			}
		case map[string]any:
			if v["primary"] == true {
				count++
			}
			for _, e := range v {
				look(e)
			}
		}
	}
	look(o.Body["value"])
	if count > 0 {
		o.Traits = append(o.Traits, "primary")
	}
}

func (g generator) wrong(fitting any) any {
	switch fitting.(type) {
	case bool:
		return g.one("yes", "1")
	case string:
		return []any{true, []any{"x"}, map[string]any{"x": "y"}}[g.IntN(3)]
	case []any:
		return []any{"x", []any{"x"}, []any{true}}[g.IntN(3)]
	}
	return []any{"x", true, []any{"x"}}[g.IntN(3)]
}

// filters select elements; those that are equalities say so.
var filters = []struct{ text, trait string }{
	{`type eq "work"`, "equality"},
	{`type eq "home"`, "equality"},
	{`type eq "WORK"`, "filter case"},
	{`value eq "ann"`, "equality"},
	{`value eq "zoe"`, "equality"},
	{`type eq "work" and value eq "ann"`, "equalities"},
	{`type eq "other" and primary eq true`, "equalities"},
	{`primary eq true`, "equality"},
	{`type eq "work" or type eq "home"`, "no equality"},
	{`value co "a"`, "no equality"},
	{`not (type eq "work")`, "no equality"},
	{`type pr`, "no equality"},
	{`nope eq "x"`, "unknown in filter"},
	{`type gt "h" and value sw "b"`, "no equality"},
}

var memberFilters = []struct{ text, trait string }{
	{`value eq "ann"`, "equality"},
	{`value eq "bob"`, "equality"},
	{`value eq "zoe"`, "equality"},
	{`value eq "ann" or value eq "bob"`, "no equality"},
	{`value eq "ANN"`, "filter case"},
	{`display pr`, "no equality"},
	{`display eq "ann"`, "equality"},
}

// selected makes an operation with a value filter.
func (g generator) selected(o *Operation, t target) {
	among, subs := filters, []string{"value", "type", "display", "primary"}
	if t.kind == "members" {
		among, subs = memberFilters, []string{"value", "display"}
	}
	f := among[g.IntN(len(among))]
	o.Traits = append(o.Traits, f.trait)
	path := t.path + "[" + f.text + "]"
	if g.chance(40) {
		o.Form = "path[filter]"
		o.Body["path"] = path
		g.value(o, g.element(t.attribute))
		return
	}
	sub := subs[g.IntN(len(subs))]
	o.Form = "path[filter].sub"
	o.Body["path"] = path + "." + sub
	var fitting any = g.word()
	switch sub {
	case "type":
		fitting = g.one("work", "home", "other")
	case "primary":
		fitting = true
		o.Traits = append(o.Traits, "primary")
	}
	if sub == "value" && t.kind == "members" {
		o.Traits = append(o.Traits, "immutable")
	}
	g.value(o, fitting)
}

// whole makes an operation without a path.
func (g generator) whole(o *Operation, typ string) {
	o.Form, o.Target = "none", "resource"
	object := map[string]any{}
	if typ == "Group" {
		object["displayName"] = g.word()
		if g.chance(50) {
			object["members"] = g.elements("members")
			o.Traits = append(o.Traits, "list inside")
		}
		if g.chance(20) {
			object["id"] = "g2"
			o.Traits = append(o.Traits, "readOnly inside")
		}
	} else {
		g.userAttributes(o, object)
	}
	if g.chance(8) {
		object["nope"] = "x"
		o.Traits = append(o.Traits, "unknown inside")
	}
	g.value(o, object)
}

func (g generator) userAttributes(o *Operation, object map[string]any) {
	for range 1 + g.IntN(2) {
		switch g.IntN(7) {
		case 0:
			object["title"] = g.word()
		case 1:
			object["active"] = g.chance(50)
		case 2:
			object["name"] = g.name()
			o.Traits = append(o.Traits, "complex inside")
		case 3:
			object["emails"] = g.elements("emails")
			o.Traits = append(o.Traits, "list inside")
		case 4:
			object[scim.EnterpriseSchema] = g.enterprise()
			o.Traits = append(o.Traits, "extension inside")
		case 5:
			object["name."+g.one("givenName", "formatted")] = g.word()
			o.Traits = append(o.Traits, "dotted key")
		case 6:
			object[scim.EnterpriseSchema+":department"] = g.word()
			o.Traits = append(o.Traits, "full name")
		}
	}
}
