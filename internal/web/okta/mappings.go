package okta

import (
	"maps"
	"net/http"
	"slices"

	"github.com/lanyard-id/lanyard/internal/directory"
	"github.com/lanyard-id/lanyard/internal/fault"
	"github.com/lanyard-id/lanyard/internal/importer"
	"github.com/lanyard-id/lanyard/internal/provision"
	"github.com/lanyard-id/lanyard/internal/web"
)

// mappingsPath is the path of profile mappings.
const mappingsPath = basePath + "/mappings"

// The scopes of profile mappings.
const (
	readMappings   = "okta.profileMappings.read"
	manageMappings = "okta.profileMappings.manage"
)

// Page sizes of profile mappings.
const (
	mappingsPage    = 20
	maxMappingsPage = 200
)

func (a *API) mappingRoutes() {
	a.route(mappingsPath, method{"GET", readMappings, a.listMappings})
	a.route(mappingsPath+"/{id}",
		method{"GET", readMappings, a.getMapping},
		method{"POST", manageMappings, a.setMapping})
}

// appOfMapping returns the id of the application that a mapping is of.
func appOfMapping(id string) string {
	const prefix = "0oa"
	return prefix + id[min(len(id), len(prefix)):]
}

// mappedApp returns the application of a mapping: those that are provisioned, and
// identity sources, have one.
func (a *API) mappedApp(r *http.Request) (*directory.App, error) {
	id := r.PathValue("id")
	app, err := a.Directory.App(r.Context(), a.Realm, appOfMapping(id))
	if err == nil && (a.Sources == nil || app.Name != importer.AppName) {
		_, err = a.provisioning.Target(r.Context(), app.ID)
	}
	if fault.Is(err, fault.NotFound) || err == nil && provision.MappingID(app.ID) != id {
		return nil, missing(id, typeNames[directory.MappingNoun])
	}
	return app, err
}

// listMappings is GET /mappings: from users to the applications that are
// provisioned, and to users from identity sources.
func (a *API) listMappings(w http.ResponseWriter, r *http.Request) error {
	p, err := a.newPage(r, mappingsPage, maxMappingsPage)
	if err != nil {
		return err
	}
	if err := p.cursor("prm", "E0000029"); err != nil {
		return err
	}
	source, target := r.URL.Query().Get("sourceId"), r.URL.Query().Get("targetId")
	for _, kv := range [][2]string{{"sourceId", source}, {"targetId", target}} {
		if kv[1] != "" {
			p.keep = append(p.keep, kv)
		}
	}
	list, err := a.mappedApps(r, source, target, p.after)
	if err != nil {
		return err
	}
	list, last := cut(list, p.limit, func(app *directory.App) string { return provision.MappingID(app.ID) })
	p.links(w, last)
	return writeList(w, r, list, func(r *http.Request, app *directory.App) web.Object {
		if app.Name == importer.AppName {
			return sourceMapping(a.base(r), app, nil)
		}
		return profileMapping(a.base(r), app, nil)
	})
}

// mappedApps returns the applications with a mapping between what source and
// target name ("" for anything), in the order of their ids, behind a mapping.
func (a *API) mappedApps(r *http.Request, source, target, after string) ([]*directory.App, error) {
	means := func(wish, id string) bool { return wish == "" || wish == id }
	var ids []string
	targets, err := a.provisioning.Targets(r.Context())
	if err != nil {
		return nil, err
	}
	for _, t := range targets {
		if means(source, directory.DefaultUserType) && means(target, t.ID) {
			ids = append(ids, t.ID)
		}
	}
	if a.Sources != nil {
		sources, err := a.Sources.Sources(r.Context())
		if err != nil {
			return nil, err
		}
		for _, s := range sources {
			if means(source, s.ID) && means(target, directory.DefaultUserType) {
				ids = append(ids, s.ID)
			}
		}
	}
	ids = slices.DeleteFunc(ids, func(id string) bool { return provision.MappingID(id) <= after })
	slices.Sort(ids)
	match := withinReach(r, nil, (*reach).app)
	var list []*directory.App
	for _, id := range slices.Compact(ids) {
		app, err := a.Directory.App(r.Context(), a.Realm, id)
		if err != nil {
			return nil, err
		}
		if match == nil || match(app) {
			list = append(list, app)
		}
	}
	return list, nil
}

func (a *API) getMapping(w http.ResponseWriter, r *http.Request) error {
	app, err := a.mappedApp(r)
	if err != nil {
		return err
	}
	s, _, err := a.sourceApp(r, app.ID)
	if err != nil {
		return err
	}
	if s != nil {
		return a.getSourceMapping(w, r, s, app)
	}
	m, err := a.provisioning.Mapping(r.Context(), app.ID)
	if err != nil {
		return err
	}
	return web.WriteJSON(w, http.StatusOK, profileMapping(a.base(r), app, m))
}

// setMapping is POST /mappings/{id}: properties are added, changed, or removed
// when their expression is null; others stay.
func (a *API) setMapping(w http.ResponseWriter, r *http.Request) error {
	app, err := a.mappedApp(r)
	if err != nil {
		return err
	}
	s, _, err := a.sourceApp(r, app.ID)
	if err != nil {
		return err
	}
	if s != nil {
		return a.setSourceMapping(w, r, app)
	}
	body, err := readObject(r)
	if err != nil {
		return err
	}
	properties, err := body.object("properties")
	if err != nil {
		return err
	}
	m, err := a.provisioning.SetMapping(r.Context(), actor(r), app.ID, func(rows provision.Mapping) (provision.Mapping, error) {
		return properties.mapped(rows)
	})
	if err != nil {
		return refusedSettings("properties", err)
	}
	return web.WriteJSON(w, http.StatusOK, profileMapping(a.base(r), app, m))
}

// pushStatuses say when a property is pushed, in Okta's words.
var pushStatuses = map[provision.Apply]string{provision.ApplyAlways: "PUSH", provision.ApplyOnCreate: "DONT_PUSH"}

// mapped carries properties out on the rows of a mapping. An attribute that the
// application's profile does not have cannot be added: where it goes is not said
// here.
func (o object) mapped(rows provision.Mapping) (provision.Mapping, error) {
	for _, name := range slices.Sorted(maps.Keys(o)) {
		property, err := o.object(name)
		if err != nil {
			return nil, err
		}
		if property == nil || property["expression"] == nil {
			if rows, err = rows.Remove(name); err != nil {
				return nil, undefined(name)
			}
			continue
		}
		row, err := knownRow(rows, name)
		if err != nil {
			return nil, err
		}
		if row.Expression, err = property.text("expression"); err != nil {
			return nil, err
		}
		status, err := property.text("pushStatus")
		if err != nil {
			return nil, err
		}
		switch status {
		case "":
		case pushStatuses[provision.ApplyAlways]:
			row.Apply = provision.ApplyAlways
		case pushStatuses[provision.ApplyOnCreate]:
			row.Apply = provision.ApplyOnCreate
		default:
			return nil, invalid("pushStatus", "pushStatus: The field has an invalid value")
		}
		rows = rows.Put(row)
	}
	return rows, nil
}

// undefined refuses an attribute that the profile of the application does not have.
func undefined(name string) error {
	return invalid("properties", "Property name '"+name+"' is not defined in profile")
}

// knownRow returns the row with a name: that of the mapping, or the one that it
// began with.
func knownRow(rows provision.Mapping, name string) (provision.Row, error) {
	for _, r := range rows {
		if r.Name == name {
			return r, nil
		}
	}
	first, err := provision.DefaultMapping()
	if err != nil {
		return provision.Row{}, err
	}
	for _, r := range first {
		if r.Name == name {
			return r, nil
		}
	}
	return provision.Row{}, undefined(name)
}

// profileMapping is the wire form of a mapping (Okta OpenAPI 2026.06.3,
// ProfileMapping); lists leave its properties out: m is nil then.
func profileMapping(base string, app *directory.App, m *provision.MappingRecord) web.Object {
	id := provision.MappingID(app.ID)
	ofUser, ofApp := mappingEnds(base, app)
	out := web.Object{{Key: "id", Value: id}, {Key: "source", Value: ofUser}, {Key: "target", Value: ofApp}}
	if m != nil {
		properties := web.Object{}
		for _, row := range m.Rows {
			properties = append(properties, web.Field{Key: row.Name, Value: web.Object{
				{Key: "expression", Value: row.Expression}, {Key: "pushStatus", Value: pushStatuses[row.Apply]},
			}})
		}
		out = append(out, web.Field{Key: "properties", Value: properties})
	}
	return append(out, web.Field{Key: "_links", Value: web.Object{link("self", base+mappingsPath+"/"+id, "")}})
}

// mappingEnds are what a mapping connects: the org's people, and those of an
// application.
func mappingEnds(base string, app *directory.App) (ofUser, ofApp web.Object) {
	meta := base + basePath + "/meta"
	ofUser = web.Object{
		{Key: "id", Value: directory.DefaultUserType}, {Key: "name", Value: "user"}, {Key: "type", Value: "user"},
		{Key: "_links", Value: web.Object{
			link("self", meta+"/types/user/"+directory.DefaultUserType, ""),
			link("schema", meta+"/schemas/user/"+directory.SchemaOf(directory.DefaultUserType), ""),
		}},
	}
	ofApp = web.Object{
		{Key: "id", Value: app.ID}, {Key: "name", Value: app.Name}, {Key: "type", Value: "appuser"},
		{Key: "_links", Value: web.Object{
			link("self", appURL(base, app.ID), ""),
			link("schema", meta+"/schemas/apps/"+app.ID+"/default", ""),
		}},
	}
	return ofUser, ofApp
}
