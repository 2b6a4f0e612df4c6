package okta

import (
	"maps"
	"net/http"
	"slices"

	"github.com/lanyard-id/lanyard/internal/directory"
	"github.com/lanyard-id/lanyard/internal/importer"
	"github.com/lanyard-id/lanyard/internal/provision"
	"github.com/lanyard-id/lanyard/internal/reconcile"
	"github.com/lanyard-id/lanyard/internal/web"
)

// inboundProvisioning is the feature of identity sources.
const inboundProvisioning = "INBOUND_PROVISIONING"

// startSource makes an identity source of a new application of that kind, with
// the settings that Okta's begin with.
func (a *API) startSource(r *http.Request, app *directory.App) error {
	if a.Sources == nil || app.Name != importer.AppName {
		return nil
	}
	settings := reconcile.OktaSettings()
	settings.Sourcing.Users = app.SourcesProfiles()
	_, err := a.Sources.PutSource(r.Context(), actor(r), app.Label, &importer.Source{
		Meta: directory.Meta{ID: app.ID, Realm: app.Realm}, Settings: settings,
	})
	return err
}

// keepSource takes over what a changed application says of its identity source:
// whether it sources people. Okta shows that by a feature, and lets it be changed
// in its console only. Here the API changes it too, or a source could not be set
// up by program.
func (a *API) keepSource(r *http.Request, app *directory.App, body object) error {
	if a.Sources == nil || app.Name != importer.AppName || body["features"] == nil {
		return nil
	}
	return a.editSource(r, app, func(s *reconcile.Settings) error {
		s.Sourcing.Users = app.SourcesProfiles()
		return nil
	})
}

// tellSource tells an identity source which custom attributes its profile has after
// a change of its schema. Those that only its settings name stay.
func (a *API) tellSource(r *http.Request, app *directory.App, changed directory.SchemaChange) error {
	if a.Sources == nil || app.Name != importer.AppName {
		return nil
	}
	_, shape, err := a.Directory.AppSchema(r.Context(), a.Realm, app.ID)
	if err != nil {
		return err
	}
	return a.editSource(r, app, func(s *reconcile.Settings) error {
		names := slices.DeleteFunc(slices.Clone(s.Attributes), func(name string) bool { return slices.Contains(changed.Remove, name) })
		for _, attribute := range shape.Custom() {
			if !slices.Contains(names, attribute.Name) {
				names = append(names, attribute.Name)
			}
		}
		s.Attributes = names
		return nil
	})
}

// editSource stores what change makes of the settings of a source, unless it is an
// error.
func (a *API) editSource(r *http.Request, app *directory.App, change func(*reconcile.Settings) error) error {
	s, err := a.Sources.Source(r.Context(), app.ID)
	if err != nil {
		return err
	}
	after := *s
	after.Settings.Mapping = maps.Clone(s.Settings.Mapping)
	if err := change(&after.Settings); err != nil {
		return err
	}
	_, err = a.Sources.PutSource(r.Context(), actor(r), app.Label, &after)
	return err
}

// sourceApp returns the identity source that the application of a path is, nil
// when it is none.
func (a *API) sourceApp(r *http.Request, id string) (*importer.Source, *directory.App, error) {
	app, err := a.Directory.App(r.Context(), a.Realm, id)
	if err != nil || a.Sources == nil || app.Name != importer.AppName {
		return nil, nil, err
	}
	s, err := a.Sources.Source(r.Context(), app.ID)
	return s, app, err
}

func (a *API) getInbound(w http.ResponseWriter, r *http.Request, s *importer.Source, app *directory.App) error {
	if name := r.PathValue("feature"); name != inboundProvisioning {
		return missing(name, "ApplicationFeature")
	}
	return web.WriteJSON(w, http.StatusOK, inboundFeature(a.base(r), s, app))
}

// setInbound is PUT /apps/{id}/features/INBOUND_PROVISIONING: how people of an
// identity source are named and matched, and what is confirmed by itself. What
// the body does not name stays.
func (a *API) setInbound(w http.ResponseWriter, r *http.Request, app *directory.App) error {
	if name := r.PathValue("feature"); name != inboundProvisioning {
		return missing(name, "ApplicationFeature")
	}
	body, err := readObject(r)
	if err != nil {
		return err
	}
	rules, err := body.path("importRules", "userCreateAndMatch")
	if err != nil {
		return err
	}
	settings, err := body.object("importSettings")
	if err != nil {
		return err
	}
	err = a.editSource(r, app, func(s *reconcile.Settings) error {
		if err := rules.matchRules(s); err != nil {
			return err
		}
		return settings.importSettings(s)
	})
	if err != nil {
		return refusedSettings("settings", err)
	}
	s, err := a.Sources.Source(r.Context(), app.ID)
	if err != nil {
		return err
	}
	return a.getInbound(w, r, s, app)
}

// matchRules reads userCreateAndMatch (Okta OpenAPI 2026.06.3,
// CapabilitiesImportRulesUserCreateAndMatchObject).
func (o object) matchRules(s *reconcile.Settings) error {
	f := bodyFields{of: o}
	s.Match.Partial = f.flag("allowPartialMatch", s.Match.Partial)
	s.Confirm.Exact = f.flag("autoConfirmExactMatch", s.Confirm.Exact)
	s.Confirm.Partial = f.flag("autoConfirmPartialMatch", s.Confirm.Partial)
	s.Confirm.New = f.flag("autoConfirmNewUsers", s.Confirm.New)
	s.Activate = f.flag("autoActivateNewUsers", s.Activate)
	switch criteria := f.text("exactMatchCriteria", ""); criteria {
	case "":
	case matchUsername:
		s.Match.Exact = nil
	case matchEmail:
		s.Match.Exact = []reconcile.Criterion{{Attribute: "email"}}
	default:
		f.keep(wrongValue("exactMatchCriteria"))
	}
	return f.err
}

// What exact matches are made by.
const (
	matchUsername = "USERNAME"
	matchEmail    = "EMAIL"
)

func wrongValue(field string) *apiError {
	return invalid(field, field+": The field has an invalid value")
}

// The formats of usernames. That which the source gives is, in Okta's terms, a
// custom one too.
const (
	emailFormat  = "EMAIL"
	customFormat = "CUSTOM"
	asGiven      = "appuser.userName"
)

// importSettings reads importSettings: the format of usernames, and the schedule.
func (o object) importSettings(s *reconcile.Settings) error {
	name, err := o.object("username")
	if err != nil {
		return err
	}
	if err := name.usernameFormat(s); err != nil {
		return err
	}
	schedule, err := o.object("schedule")
	if err != nil {
		return err
	}
	return schedule.noSchedule()
}

// usernameFormat reads how people are called, in the spelling of recorded answers
// or of the description.
func (o object) usernameFormat(s *reconcile.Settings) error {
	format, err := o.text("userNameFormat")
	if err == nil && format == "" {
		format, err = o.text("usernameFormat")
	}
	if err != nil {
		return err
	}
	expression, err := o.text("userNameExpression")
	if err != nil {
		return err
	}
	switch {
	case format == "":
	case format == emailFormat:
		s.UserName = reconcile.UserNameEmail
	case format != customFormat:
		return wrongValue("usernameFormat")
	case expression == "":
		return invalid("userNameExpression", "userNameExpression: The field cannot be left blank")
	case expression == asGiven:
		s.UserName = reconcile.UserNameAsGiven
	default:
		s.UserName = expression
	}
	return nil
}

// noSchedule refuses a schedule: nothing is fetched for an identity source that is
// loaded, so it would do nothing.
func (o object) noSchedule() error {
	status, err := o.text("status")
	switch {
	case err != nil:
		return err
	case status == "ENABLED":
		return invalid("schedule", "schedule: imports from an identity source are started through its API")
	case status != "" && status != "DISABLED":
		return wrongValue("status")
	}
	return nil
}

// inboundFeature is the wire form of the feature. Real answers spell it
// userNameFormat, where the description has usernameFormat (okta.md 3.3).
func inboundFeature(base string, s *importer.Source, app *directory.App) web.Object {
	set := s.Settings
	username := web.Object{{Key: "userNameFormat", Value: customFormat}, {Key: "userNameExpression", Value: set.UserName}}
	switch set.UserName {
	case reconcile.UserNameEmail:
		username = web.Object{{Key: "userNameFormat", Value: emailFormat}}
	case reconcile.UserNameAsGiven:
		username[1].Value = asGiven
	}
	criteria := matchUsername
	if slices.ContainsFunc(set.Match.Exact, func(c reconcile.Criterion) bool { return c.Attribute == "email" }) {
		criteria = matchEmail
	}
	status := "DISABLED"
	if app.Status == directory.On {
		status = "ENABLED"
	}
	return web.Object{
		{Key: "name", Value: inboundProvisioning},
		{Key: "status", Value: status},
		{Key: "description", Value: "In-bound user provisioning settings from an application to Okta"},
		{Key: "capabilities", Value: web.Object{
			{Key: "importSettings", Value: web.Object{
				{Key: "username", Value: username},
				{Key: "schedule", Value: web.Object{{Key: "status", Value: "DISABLED"}}},
			}},
			{Key: "importRules", Value: web.Object{{Key: "userCreateAndMatch", Value: web.Object{
				{Key: "exactMatchCriteria", Value: criteria},
				{Key: "allowPartialMatch", Value: set.Match.Partial},
				{Key: "autoConfirmPartialMatch", Value: set.Confirm.Partial},
				{Key: "autoConfirmExactMatch", Value: set.Confirm.Exact},
				{Key: "autoConfirmNewUsers", Value: set.Confirm.New},
				{Key: "autoActivateNewUsers", Value: set.Activate},
			}}}},
		}},
		{Key: "_links", Value: web.Object{hintedLink("self", appURL(base, app.ID)+"/features/"+inboundProvisioning, "GET", "PUT")}},
	}
}

// sourceRows are the rows of the mapping of an identity source, to attributes of
// the org's people: those of the same name, unless its settings say otherwise.
func (a *API) sourceRows(r *http.Request, s *importer.Source) (map[string]reconcile.Mapping, error) {
	known, err := a.Directory.Schema(r.Context(), a.Realm, "default")
	if err != nil {
		return nil, err
	}
	shape, err := a.sourceShape(r, s)
	if err != nil {
		return nil, err
	}
	rows := map[string]reconcile.Mapping{}
	add := func(name string) {
		if _, ok := known.Attribute(name); ok {
			rows[name] = reconcile.Mapping{Value: "appuser." + name}
		}
	}
	for _, attribute := range shape.Attributes() {
		add(attribute.Name)
	}
	for _, name := range shape.more {
		add(name)
	}
	for name, m := range s.Settings.Mapping {
		rows[name] = m
		if m.Value == string(reconcile.None) {
			delete(rows, name)
		}
	}
	return rows, nil
}

// sourceMapping is the wire form of the mapping of an identity source. rows is
// nil in lists, which leave the properties out.
func sourceMapping(base string, app *directory.App, rows map[string]reconcile.Mapping) web.Object {
	ofUser, ofApp := mappingEnds(base, app)
	out := web.Object{{Key: "id", Value: provision.MappingID(app.ID)}, {Key: "source", Value: ofApp}, {Key: "target", Value: ofUser}}
	if rows != nil {
		properties := web.Object{}
		for _, name := range slices.Sorted(maps.Keys(rows)) {
			apply := provision.ApplyAlways
			if rows[name].Create {
				apply = provision.ApplyOnCreate
			}
			properties = append(properties, web.Field{Key: name, Value: web.Object{
				{Key: "expression", Value: rows[name].Value}, {Key: "pushStatus", Value: pushStatuses[apply]},
			}})
		}
		out = append(out, web.Field{Key: "properties", Value: properties})
	}
	return append(out, web.Field{Key: "_links", Value: web.Object{link("self", base+mappingsPath+"/"+provision.MappingID(app.ID), "")}})
}

func (a *API) getSourceMapping(w http.ResponseWriter, r *http.Request, s *importer.Source, app *directory.App) error {
	rows, err := a.sourceRows(r, s)
	if err != nil {
		return err
	}
	return web.WriteJSON(w, http.StatusOK, sourceMapping(a.base(r), app, rows))
}

// setSourceMapping is POST /mappings/{id} of an identity source.
func (a *API) setSourceMapping(w http.ResponseWriter, r *http.Request, app *directory.App) error {
	body, err := readObject(r)
	if err != nil {
		return err
	}
	properties, err := body.object("properties")
	if err != nil {
		return err
	}
	known, err := a.Directory.Schema(r.Context(), a.Realm, "default")
	if err != nil {
		return err
	}
	change := map[string]reconcile.Mapping{}
	for name := range properties {
		if _, ok := known.Attribute(name); !ok || name == "login" {
			return undefined(name)
		}
		if change[name], err = properties.sourceRow(name); err != nil {
			return err
		}
	}
	err = a.editSource(r, app, func(s *reconcile.Settings) error {
		if s.Mapping == nil {
			s.Mapping = map[string]reconcile.Mapping{}
		}
		maps.Copy(s.Mapping, change)
		return nil
	})
	if err != nil {
		return refusedSettings("properties", err)
	}
	s, err := a.Sources.Source(r.Context(), app.ID)
	if err != nil {
		return err
	}
	return a.getSourceMapping(w, r, s, app)
}

// sourceRow reads one property of a mapping; without an expression the attribute
// is left alone.
func (o object) sourceRow(name string) (m reconcile.Mapping, err error) {
	property, err := o.object(name)
	if err != nil {
		return m, err
	}
	if property["expression"] == nil {
		return reconcile.Mapping{Value: string(reconcile.None)}, nil
	}
	if m.Value, err = property.text("expression"); err != nil {
		return m, err
	}
	status, err := property.text("pushStatus")
	if err != nil {
		return m, err
	}
	switch status {
	case "", pushStatuses[provision.ApplyAlways]:
	case pushStatuses[provision.ApplyOnCreate]:
		m.Create = true
	default:
		return m, wrongValue("pushStatus")
	}
	return m, nil
}
