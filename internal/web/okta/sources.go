package okta

import (
	"context"
	"errors"
	"maps"
	"net/http"
	"slices"

	"github.com/lanyard-id/lanyard/internal/directory"
	"github.com/lanyard-id/lanyard/internal/fault"
	"github.com/lanyard-id/lanyard/internal/importer"
	"github.com/lanyard-id/lanyard/internal/web"
)

// Sources are the identity sources of the org; *importer.Importer is one.
type Sources interface {
	Sources(ctx context.Context) ([]*importer.Source, error)
	Source(ctx context.Context, id string) (*importer.Source, error)
	PutSource(ctx context.Context, actor directory.Actor, label string, s *importer.Source) (*importer.Source, error)

	CreateSession(ctx context.Context, actor directory.Actor, source string, t importer.Type) (*importer.Session, error)
	Sessions(ctx context.Context, q importer.SessionQuery) ([]*importer.Session, error)
	Session(ctx context.Context, source, id string) (*importer.Session, error)
	CancelSession(ctx context.Context, actor directory.Actor, source, id string) error
	Load(ctx context.Context, actor directory.Actor, source, session string, b importer.Batch) error
	Trigger(ctx context.Context, actor directory.Actor, source, session string) (*importer.Session, error)

	User(ctx context.Context, source, externalID string) (*importer.User, error)
	CreateUser(ctx context.Context, actor directory.Actor, source string, r importer.Record) (*importer.User, error)
	PutUser(ctx context.Context, actor directory.Actor, source string, r importer.Record) (*importer.User, error)
	PatchUser(ctx context.Context, actor directory.Actor, source string, r importer.Record) (*importer.User, error)
	DeleteUser(ctx context.Context, actor directory.Actor, source, externalID string) error

	Group(ctx context.Context, source, ref string) (*importer.Group, error)
	CreateGroup(ctx context.Context, actor directory.Actor, source string, r importer.Record) (*importer.Group, error)
	PutGroup(ctx context.Context, actor directory.Actor, source, ref string, profile map[string]any) (*importer.Group, error)
	DeleteGroup(ctx context.Context, actor directory.Actor, source, ref string) error
	GroupMembers(ctx context.Context, source, group, after string, limit int) ([]string, error)
	AddGroupMembers(ctx context.Context, actor directory.Actor, source, group string, members []string) error
	RemoveGroupMember(ctx context.Context, actor directory.Actor, source, group, member string) error
}

// The scopes of identity sources.
const (
	readSources   = "okta.identitySources.read"
	manageSources = "okta.identitySources.manage"
)

const sourcesPath = basePath + "/identity-sources"

// sourceRoutes lists the paths of identity sources (okta.md 3.1).
func (a *API) sourceRoutes() {
	source := sourcesPath + "/{id}"
	a.route(source+"/sessions",
		method{"GET", readSources, a.listImportSessions},
		method{"POST", manageSources, a.createImportSession})
	session := source + "/sessions/{session}"
	a.route(session,
		method{"GET", readSources, a.getImportSession},
		method{"DELETE", manageSources, a.cancelImportSession})
	for _, name := range slices.Sorted(maps.Keys(bulkLoads)) {
		a.route(session+"/"+name, method{"POST", manageSources, a.load(bulkLoads[name])})
	}
	a.route(session+"/start-import", method{"POST", manageSources, a.startImport})
	a.sourceUserRoutes(source)
	a.sourceGroupRoutes(source)
}

// source answers for the identity source of a call, or says that it is none. An
// org without the feature has none at all (okta.md 1.2: E0000015).
func (a *API) source(r *http.Request) (*importer.Source, error) {
	if a.Sources == nil {
		return nil, problem("E0000015")
	}
	return a.Sources.Source(r.Context(), r.PathValue("id"))
}

// activeStates are those of sessions that are listed (Okta developer docs,
// Anything-as-a-Source).
var activeStates = []importer.State{importer.Created, importer.InProgress, importer.Triggered}

// listImportSessions is GET /identity-sources/{id}/sessions: those that are not
// over, the newest first. There is no paging (recorded).
func (a *API) listImportSessions(w http.ResponseWriter, r *http.Request) error {
	s, err := a.source(r)
	if err != nil {
		return err
	}
	list, err := a.Sources.Sessions(r.Context(), importer.SessionQuery{Realm: a.Realm, Source: s.ID, States: activeStates})
	if err != nil {
		return err
	}
	return writeList(w, r, list, func(_ *http.Request, s *importer.Session) web.Object { return importSession(s) })
}

// createImportSession is POST /identity-sources/{id}/sessions. A body is ignored:
// the type of import is read-only, and always INCREMENTAL.
func (a *API) createImportSession(w http.ResponseWriter, r *http.Request) error {
	s, err := a.source(r)
	if err != nil {
		return err
	}
	session, err := a.Sources.CreateSession(r.Context(), actor(r), s.ID, importer.Incremental)
	if err != nil {
		return err
	}
	return web.WriteJSON(w, a.SourceStatuses.CreateSession, importSession(session))
}

func (a *API) getImportSession(w http.ResponseWriter, r *http.Request) error {
	s, err := a.source(r)
	if err != nil {
		return err
	}
	session, err := a.Sources.Session(r.Context(), s.ID, r.PathValue("session"))
	if err != nil {
		return err
	}
	return web.WriteJSON(w, http.StatusOK, importSession(session))
}

func (a *API) cancelImportSession(w http.ResponseWriter, r *http.Request) error {
	s, err := a.source(r)
	if err != nil {
		return err
	}
	if err := a.Sources.CancelSession(r.Context(), actor(r), s.ID, r.PathValue("session")); err != nil {
		return err
	}
	return noContent(w)
}

// startImport is POST /identity-sources/{id}/sessions/{session}/start-import. It
// answers one session, where the description's example has a list (recorded).
func (a *API) startImport(w http.ResponseWriter, r *http.Request) error {
	s, err := a.source(r)
	if err != nil {
		return err
	}
	session, err := a.Sources.Trigger(r.Context(), actor(r), s.ID, r.PathValue("session"))
	if err != nil {
		return err
	}
	return web.WriteJSON(w, http.StatusOK, importSession(session))
}

// importSession is the wire form of a session (recorded). Sessions of other types
// are ours, and Okta knows one type only.
func importSession(s *importer.Session) web.Object {
	return web.Object{
		{Key: "id", Value: s.ID},
		{Key: "identitySourceId", Value: s.Source},
		{Key: "status", Value: string(s.State)},
		{Key: "importType", Value: string(importer.Incremental)},
		{Key: "created", Value: date(s.Created)},
		{Key: "lastUpdated", Value: date(s.Updated)},
	}
}

// SourceStatuses are statuses of identity sources that recordings and the
// description have differently.
type SourceStatuses struct {
	CreateSession int // 201 as recorded (the default); 200 by the description
	DeleteGroup   int // 200 as recorded (the default); 204 by the description
}

// sessionRefusals says how Okta words that a session refuses something. That of a
// cancellation is recorded, that of a second session is relied on by Okta's
// provider for Terraform; no recording shows the others.
var sessionRefusals = map[importer.Refusal]apiError{
	importer.NotCancelable:  {object: "importSessionId", causes: []string{"Only a session that is in CREATED or IN_PROGRESS status can be canceled."}},
	importer.NotLoadable:    {object: "importSessionId", causes: []string{"Only a session that is in CREATED or IN_PROGRESS status can be loaded with data."}},
	importer.NotTriggerable: {object: "importSessionId", causes: []string{"Only a session that is in IN_PROGRESS status can be triggered."}},
	importer.TooManyLoads:   {object: "importSessionId", causes: []string{"Only 50 bulk requests are allowed in an import session."}},
	importer.TooSoon:        {object: "identitySourceId", causes: []string{secondSession}},
	importer.OneCreated:     {object: "identitySourceId", causes: []string{secondSession}},
	importer.InactiveSource: {object: "identitySourceId", causes: []string{"The application of the identity source is not active."}},
}

const secondSession = "Only one active import session per identity source is allowed to be created every 5 minutes."

// sourceRefusal words an error of an identity source, nil when it is none. What
// no session has the id of is a bad request here, not a 404 (okta.md 3.1).
func sourceRefusal(err error) *apiError {
	var refused importer.Refusal
	if errors.As(err, &refused) {
		e, ok := sessionRefusals[refused]
		if !ok {
			e = apiError{object: "identitySourceId", causes: []string{fault.Public(err)}}
		}
		e.code = "E0000001"
		e.causes = slices.Clone(e.causes)
		return e.because(err)
	}
	var lost *directory.Missing
	if errors.As(err, &lost) && lost.Noun == importer.SessionNoun {
		return invalid("importSessionId", "The import session ID is invalid.").because(err)
	}
	return nil
}
