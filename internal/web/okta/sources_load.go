package okta

import (
	"bytes"
	"io"
	"maps"
	"net/http"
	"slices"

	"github.com/lanyard-id/lanyard/internal/directory"
	"github.com/lanyard-id/lanyard/internal/importer"
	"github.com/lanyard-id/lanyard/internal/web"
)

// The limits of bulk requests (okta.md 3.2). That of 50 requests is the session's.
const (
	maxBulk      = 200        // entities
	maxBulkBytes = 200 * 1024 // Okta says 200 KB
)

// Lengths of ids and names in a source (okta.md 7).
const (
	maxUserExternalID  = 512
	maxGroupExternalID = 255
	maxGroupName       = 255
	maxGroupText       = 1024
)

// bulkLoads are the requests that load data into a session, by the last segment of
// their path.
var bulkLoads = map[string]func(body object, shape *sourceShape) (importer.Batch, error){
	"bulk-upsert":                   readUsersToUpsert,
	"bulk-delete":                   readUsersToDelete,
	"bulk-groups-upsert":            readGroupsToUpsert,
	"bulk-groups-delete":            readGroupsToDelete,
	"bulk-group-memberships-upsert": readMemberships(func(b *importer.Batch) *[]importer.Membership { return &b.Memberships }),
	"bulk-group-memberships-delete": readMemberships(func(b *importer.Batch) *[]importer.Membership { return &b.DeleteMemberships }),
}

// load is POST to one of the paths of bulkLoads. A request is taken or refused as
// a whole: nothing of one with an entry that cannot be read is loaded.
func (a *API) load(read func(object, *sourceShape) (importer.Batch, error)) web.Handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		s, err := a.source(r)
		if err != nil {
			return err
		}
		if _, err := a.Sources.Session(r.Context(), s.ID, r.PathValue("session")); err != nil {
			return err
		}
		body, err := readBulk(r)
		if err != nil {
			return err
		}
		shape, err := a.sourceShape(r, s)
		if err != nil {
			return err
		}
		batch, err := read(body, shape)
		if err != nil {
			return err
		}
		if err := a.Sources.Load(r.Context(), actor(r), s.ID, r.PathValue("session"), batch); err != nil {
			return err
		}
		w.WriteHeader(http.StatusAccepted)
		return nil
	}
}

// readBulk reads a body within the limit of bulk requests.
func readBulk(r *http.Request) (object, error) {
	text, err := web.ReadBody(r, maxBulkBytes)
	if err != nil {
		return nil, problem("E0000003").because(err)
	}
	again := r.Clone(r.Context())
	again.Body = io.NopCloser(bytes.NewReader(text))
	return readObject(again)
}

// entries returns the list that a bulk request has under a name: 1 to 200 of them.
func (o object) entries(name string) ([]any, error) {
	list, ok := o[name].([]any)
	switch {
	case o[name] != nil && !ok:
		return nil, problem("E0000003")
	case len(list) == 0:
		return nil, invalid(name, name+": The field cannot be left blank")
	case len(list) > maxBulk:
		return nil, validation(directory.Violations{{Field: name, Rule: directory.TooMany, Limit: maxBulk}})
	}
	return list, nil
}

// id reads an external id.
func (o object) id(name string, most int) (string, error) {
	id, err := o.text(name)
	if err != nil {
		return "", err
	}
	return id, checkID(name, id, most)
}

func checkID(name, id string, most int) error {
	var v directory.Violations
	switch {
	case id == "":
		v = directory.Violations{{Field: name, Rule: directory.Blank}}
	case len([]rune(id)) > most:
		v = directory.Violations{{Field: name, Rule: directory.TooLong, Limit: most}}
	default:
		return nil
	}
	return validation(v)
}

// users checks the type of entities, which can be USERS only, and returns them.
func (o object) users() ([]any, error) {
	kind, err := o.text("entityType")
	if err != nil {
		return nil, err
	}
	if kind != "USERS" {
		return nil, problem("E0000003") // not E0000001 (okta.md 3.1)
	}
	return o.entries("profiles")
}

// eachEntry reads the entries of a list one by one; all of them are objects.
func eachEntry[T any](list []any, read func(object) (T, error)) ([]T, error) {
	out := make([]T, 0, len(list))
	for _, v := range list {
		o, ok := v.(map[string]any)
		if !ok {
			return nil, problem("E0000003")
		}
		one, err := read(o)
		if err != nil {
			return nil, err
		}
		out = append(out, one)
	}
	return out, nil
}

func readUsersToUpsert(body object, shape *sourceShape) (b importer.Batch, err error) {
	list, err := body.users()
	if err != nil {
		return b, err
	}
	b.Users, err = eachEntry(list, func(o object) (importer.Record, error) { return o.sourceUser(shape) })
	return b, err
}

func readUsersToDelete(body object, _ *sourceShape) (b importer.Batch, err error) {
	list, err := body.users()
	if err != nil {
		return b, err
	}
	b.DeleteUsers, err = eachEntry(list, func(o object) (string, error) { return o.id("externalId", maxUserExternalID) })
	return b, err
}

func readGroupsToUpsert(body object, _ *sourceShape) (b importer.Batch, err error) {
	list, err := body.entries("profiles")
	if err != nil {
		return b, err
	}
	b.Groups, err = eachEntry(list, object.sourceGroup)
	return b, err
}

func readGroupsToDelete(body object, _ *sourceShape) (b importer.Batch, err error) {
	if _, err := body.entries("externalIds"); err != nil {
		return b, err
	}
	b.DeleteGroups, err = body.ids("externalIds", maxGroupExternalID)
	return b, err
}

// ids reads a list of external ids.
func (o object) ids(name string, most int) ([]string, error) {
	ids, err := o.texts(name)
	if err != nil {
		return nil, err
	}
	for _, id := range ids {
		if err := checkID(name, id, most); err != nil {
			return nil, err
		}
	}
	return ids, nil
}

func readMemberships(into func(*importer.Batch) *[]importer.Membership) func(object, *sourceShape) (importer.Batch, error) {
	return func(body object, _ *sourceShape) (b importer.Batch, err error) {
		list, err := body.entries("memberships")
		if err != nil {
			return b, err
		}
		*into(&b), err = eachEntry(list, func(o object) (m importer.Membership, err error) {
			if m.Group, err = o.id("groupExternalId", maxGroupExternalID); err != nil {
				return m, err
			}
			m.Members, err = o.ids("memberExternalIds", maxUserExternalID)
			return m, err
		})
		return b, err
	}
}

// sourceShape is what the profile of a source may hold.
type sourceShape struct {
	*directory.Shape
	more []string // attributes that only the settings of the source name
}

// sourceShape reads what people of a source may have: its schema, and what
// lanyard.yaml adds to it.
func (a *API) sourceShape(r *http.Request, s *importer.Source) (*sourceShape, error) {
	_, shape, err := a.Directory.AppSchema(r.Context(), a.Realm, s.ID)
	if err != nil {
		return nil, err
	}
	out := &sourceShape{Shape: shape}
	named := slices.AppendSeq(slices.Clone(s.Settings.Attributes), maps.Keys(s.Settings.Profile))
	slices.Sort(named) // answers have one order
	for _, name := range slices.Compact(named) {
		if _, ok := shape.Attribute(name); !ok {
			out.more = append(out.more, name)
		}
	}
	return out, nil
}

// check words what is wrong with a profile. All its attributes are texts
// (okta.md 3.1).
func (s *sourceShape) check(profile object) error {
	v := s.CheckGiven(profile)
	v = slices.DeleteFunc(v, func(one directory.Violation) bool {
		return one.Rule == directory.Undefined && slices.Contains(s.more, one.Field)
	})
	for _, name := range slices.Sorted(maps.Keys(profile)) {
		if _, text := profile[name].(string); !text && profile[name] != nil && !slices.ContainsFunc(v, func(one directory.Violation) bool { return one.Field == name }) {
			v = append(v, directory.Violation{Field: name, Rule: directory.WrongType})
		}
	}
	if len(v) == 0 {
		return nil
	}
	return validation(v)
}

// sourceUser reads a person: an external id and a profile.
func (o object) sourceUser(shape *sourceShape) (rec importer.Record, err error) {
	if rec.ExternalID, err = o.id("externalId", maxUserExternalID); err != nil {
		return rec, err
	}
	rec.Profile, err = o.sourceProfile(shape)
	return rec, err
}

func (o object) sourceProfile(shape *sourceShape) (map[string]any, error) {
	profile, err := o.object("profile")
	if err != nil {
		return nil, err
	}
	if profile == nil {
		return nil, invalid("profile", "profile: The field cannot be left blank")
	}
	return profile, shape.check(profile)
}

// sourceGroup reads a group: an external id and a profile.
func (o object) sourceGroup() (rec importer.Record, err error) {
	if rec.ExternalID, err = o.id("externalId", maxGroupExternalID); err != nil {
		return rec, err
	}
	rec.Profile, err = o.groupProfile()
	return rec, err
}

// groupProfile reads the profile of a group of a source.
func (o object) groupProfile() (map[string]any, error) {
	profile, err := o.object("profile")
	if err != nil {
		return nil, err
	}
	var v directory.Violations
	limit := func(name string, most int) {
		text, isText := profile[name].(string)
		switch {
		case profile[name] != nil && !isText:
			v = append(v, directory.Violation{Field: name, Rule: directory.WrongType})
		case len([]rune(text)) > most:
			v = append(v, directory.Violation{Field: name, Rule: directory.TooLong, Limit: most})
		}
	}
	if profile["displayName"] == nil || profile["displayName"] == "" {
		v = append(v, directory.Violation{Field: "displayName", Rule: directory.Blank})
	}
	limit("displayName", maxGroupName)
	limit("description", maxGroupText)
	for _, name := range slices.Sorted(maps.Keys(profile)) {
		if name != "displayName" && name != "description" {
			v = append(v, directory.Violation{Field: name, Rule: directory.Undefined, Noun: directory.GroupNoun})
		}
	}
	if len(v) > 0 {
		return nil, validation(v)
	}
	return profile, nil
}
