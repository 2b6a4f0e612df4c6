package scim_test

import (
	"cmp"
	"context"
	"crypto/sha256"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/lanyard-id/lanyard/internal/fault"
	"github.com/lanyard-id/lanyard/internal/scim"
	"github.com/lanyard-id/lanyard/internal/value"
	webscim "github.com/lanyard-id/lanyard/internal/web/scim"
)

// memory is a backend that keeps resources in memory by the rules of
// internal/scim alone. One connection, con_1, has an endpoint.
type memory struct {
	types *scim.Types
	now   func() time.Time

	mu       sync.Mutex
	config   webscim.Config
	flagged  scim.Leniency
	tokens   map[string][]string // the methods that a token permits; nil: all
	me       string
	kept     map[string][]scim.Resource // by type, in the order of their creation
	number   int
	bodies   bool // patches are answered with a body
	lastList scim.Query
}

const (
	token      = "tok_1.secret"
	otherToken = "tok_2.secret"
)

func newMemory() *memory {
	device := scim.Definition{Name: "Device", Endpoint: "/Devices", Schema: scim.Schema{ID: "urn:example:Device", Name: "Device", Attributes: []scim.Attribute{
		{Name: "displayName", Type: scim.String, Required: true}, {Name: "serial", Type: scim.String, Mutability: scim.Immutable},
	}}}
	types, err := scim.Standard().With(device)
	if err != nil {
		panic(err)
	}
	return &memory{
		types: types, now: func() time.Time { return time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC) },
		tokens: map[string][]string{token: nil, otherToken: nil}, kept: map[string][]scim.Resource{},
		config: webscim.Config{Actor: "tok_1", Features: scim.Features{
			Patch: true, Bulk: true, BulkOperations: 10, BulkPayload: 4000, Filter: true, FilterResults: 200, Sort: true, ETag: true,
			Cursor: true, DefaultMethod: "index", DefaultPageSize: 5, MaxPageSize: 10, CursorTimeout: time.Hour,
		}},
	}
}

func (m *memory) Open(_ context.Context, connection, presented string) (webscim.Endpoint, error) {
	if connection != "con_1" {
		return nil, fault.New(fault.NotFound, "there is no such connection")
	}
	methods, ok := m.tokens[presented]
	if !ok {
		return nil, fault.New(fault.Unauthorized, "the token is wrong")
	}
	return &memoryEndpoint{m, methods, m.config}, nil
}

func (m *memory) Features(_ context.Context, connection string) (scim.Features, error) {
	if connection != "con_1" {
		return scim.Features{}, fault.New(fault.NotFound, "there is no such connection")
	}
	return m.config.Features, nil
}

type memoryEndpoint struct {
	*memory
	methods []string
	config  webscim.Config
}

func (e *memoryEndpoint) Types() *scim.Types     { return e.types }
func (e *memoryEndpoint) Config() webscim.Config { return e.config }

func (e *memoryEndpoint) WithFlag() webscim.Endpoint {
	c := *e
	c.config.Leniency = e.flagged
	return &c
}

func (e *memoryEndpoint) Me(context.Context) (*scim.ResourceType, string, error) {
	return e.types.Named("User"), e.me, nil
}

func (e *memoryEndpoint) Allow(method string, typ *scim.ResourceType) error {
	if e.methods != nil && !slices.Contains(e.methods, method) {
		return fault.New(fault.Forbidden, "the token has no scope for %s %s", method, typ.Endpoint)
	}
	return nil
}

func (e *memoryEndpoint) Get(_ context.Context, typ *scim.ResourceType, id string, _ scim.Projection) (scim.Resource, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	i, err := e.find(typ, id)
	if err != nil {
		return nil, err
	}
	return e.kept[typ.Name][i], nil
}

func (m *memory) find(typ *scim.ResourceType, id string) (int, error) {
	i := slices.IndexFunc(m.kept[typ.Name], func(r scim.Resource) bool { return r["id"] == id })
	if i < 0 {
		return 0, fault.New(fault.NotFound, "there is no %s with this id", typ.Name)
	}
	return i, nil
}

func (e *memoryEndpoint) List(_ context.Context, typ *scim.ResourceType, q scim.Query) (scim.Page, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.lastList = q
	var all []scim.Resource
	for _, r := range e.kept[typ.Name] {
		if q.Filter.Match(r) {
			all = append(all, r)
		}
	}
	if q.SortBy != "" {
		if err := typ.Sort(all, q.SortBy, q.Descending); err != nil {
			return scim.Page{}, err
		}
	}
	page := scim.Page{Total: len(all)}
	from := q.StartIndex - 1
	if q.Cursor != nil {
		from = 0
		_, _ = fmt.Sscan(*q.Cursor, &from)
		if next := from + q.Count; next < len(all) {
			page.Next = fmt.Sprint(next)
		}
		if from > 0 {
			page.Previous = fmt.Sprint(max(0, from-q.Count))
		}
	}
	from = min(from, len(all))
	for _, r := range all[from:min(len(all), from+q.Count)] {
		page.Resources = append(page.Resources, value.Clone(r).(map[string]any))
	}
	return page, nil
}

func (e *memoryEndpoint) Create(_ context.Context, typ *scim.ResourceType, body map[string]any) (scim.Resource, []scim.Note, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	r, notes, err := typ.Read(body, e.config.Leniency)
	if err != nil {
		return nil, notes, err
	}
	if err := e.unique(typ, r, ""); err != nil {
		return nil, notes, err
	}
	e.number++
	r = e.stamp(typ, r, strings.ToLower(typ.Name[:1])+"|"+fmt.Sprint(e.number), e.now())
	e.kept[typ.Name] = append(e.kept[typ.Name], r)
	return r, notes, nil
}

func (m *memory) unique(typ *scim.ResourceType, r scim.Resource, id string) error {
	for _, other := range m.kept[typ.Name] {
		name, _ := r["userName"].(string)
		taken, _ := other["userName"].(string)
		if other["id"] != id && name != "" && strings.EqualFold(name, taken) {
			return scim.Fail(scim.Uniqueness, "userName is taken")
		}
	}
	return nil
}

func (m *memory) stamp(typ *scim.ResourceType, r scim.Resource, id string, created time.Time) scim.Resource {
	meta := scim.Meta{Created: created, LastModified: m.now()}
	content := fmt.Sprint(typ.Stamp(r, id, scim.Meta{})) // maps are printed in the order of their keys
	meta.Version = fmt.Sprintf(`W/"%x"`, sha256.Sum256([]byte(content)))
	return typ.Stamp(r, id, meta)
}

func (e *memoryEndpoint) Replace(_ context.Context, typ *scim.ResourceType, id string, body map[string]any, ifMatch string) (scim.Resource, []scim.Note, error) {
	return e.change(typ, id, ifMatch, func(current scim.Resource) (scim.Resource, []scim.Note, error) {
		return typ.Replace(current, body, e.config.Leniency)
	})
}

func (e *memoryEndpoint) Patch(_ context.Context, typ *scim.ResourceType, id string, ops []scim.Operation, ifMatch string) (scim.Resource, []scim.Note, error) {
	r, notes, err := e.change(typ, id, ifMatch, func(current scim.Resource) (scim.Resource, []scim.Note, error) {
		return typ.Patch(current, ops, e.config.Leniency)
	})
	if !e.bodies {
		r = nil
	}
	return r, notes, err
}

func (e *memoryEndpoint) change(typ *scim.ResourceType, id, ifMatch string, f func(scim.Resource) (scim.Resource, []scim.Note, error)) (scim.Resource, []scim.Note, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	i, err := e.find(typ, id)
	if err != nil {
		return nil, nil, err
	}
	current := e.kept[typ.Name][i]
	if err := e.match(current, ifMatch); err != nil {
		return nil, nil, err
	}
	r, notes, err := f(current)
	if err != nil {
		return nil, notes, err
	}
	if err := e.unique(typ, r, id); err != nil {
		return nil, notes, err
	}
	r = e.stamp(typ, r, id, e.now())
	e.kept[typ.Name] = slices.Clone(e.kept[typ.Name])
	e.kept[typ.Name][i] = r
	return r, notes, nil
}

func (m *memory) match(current scim.Resource, ifMatch string) error {
	meta, _ := current["meta"].(map[string]any)
	version, _ := meta["version"].(string)
	if ifMatch != "" && !scim.Matches(ifMatch, version) {
		return fault.New(fault.Stale, "the resource has changed")
	}
	return nil
}

func (e *memoryEndpoint) Delete(_ context.Context, typ *scim.ResourceType, id, ifMatch string) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	i, err := e.find(typ, id)
	if err != nil {
		return err
	}
	if err := e.match(e.kept[typ.Name][i], ifMatch); err != nil {
		return err
	}
	e.kept[typ.Name] = slices.Delete(slices.Clone(e.kept[typ.Name]), i, i+1)
	return nil
}

// fill keeps n users, user01 and so on, from the last to the first.
func (m *memory) fill(t *testing.T, n int) {
	t.Helper()
	e := &memoryEndpoint{m, nil, m.config}
	for i := range n {
		body := map[string]any{"schemas": []any{scim.UserSchema}, "userName": fmt.Sprintf("user%02d", n-i)}
		if _, _, err := e.Create(t.Context(), m.types.Named("User"), body); err != nil {
			t.Fatal(err)
		}
	}
}

// names returns what is kept of a type, by name.
func (m *memory) names(typ string) []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	out := []string{}
	for _, r := range m.kept[typ] {
		name, _ := r["userName"].(string)
		group, _ := r["displayName"].(string)
		out = append(out, cmp.Or(name, group))
	}
	return out
}

// The methods of a token that may only read.
var readOnly = []string{http.MethodGet}
