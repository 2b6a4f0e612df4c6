package inbound_test

import (
	"context"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/lanyard-id/lanyard/internal/directory"
	"github.com/lanyard-id/lanyard/internal/directory/directorytest"
	"github.com/lanyard-id/lanyard/internal/fault"
	"github.com/lanyard-id/lanyard/internal/filter"
	"github.com/lanyard-id/lanyard/internal/inbound"
	"github.com/lanyard-id/lanyard/internal/scim"
	"github.com/lanyard-id/lanyard/internal/store/sqlite/sqlitetest"
	"github.com/lanyard-id/lanyard/internal/tenant"
	"github.com/lanyard-id/lanyard/internal/value"
)

// bench is a tenant with one connection, "acme" with the strategy okta.
type bench struct {
	t       testing.TB
	ctx     context.Context
	clock   *directorytest.Clock
	dir     *directory.Directory
	tenant  *tenant.Tenant
	service *inbound.Service
}

const acme = "con_acme000000000000"

var operator = directory.System("test")

func newBench(t testing.TB, limits ...inbound.Limits) *bench {
	t.Helper()
	ctx := context.Background()
	db := sqlitetest.Open(t)
	c := directorytest.NewClock(time.Date(2026, time.March, 4, 5, 6, 7, 0, time.UTC))
	d := directory.New(db.Directory())
	d.Clock = c.Now
	d.IDs = &directory.IDs{Clock: c.Now, Random: rand.NewChaCha8([32]byte{})}
	if err := d.AddRealm(ctx, directory.Realm{ID: directory.Auth0Realm, Kind: directory.Auth0, Name: "example"}); err != nil {
		t.Fatalf("AddRealm: %v", err)
	}
	limit := inbound.Auth0Limits()
	if len(limits) > 0 {
		limit = limits[0]
	}
	tn := tenant.New(d, directory.Auth0Realm)
	b := &bench{t: t, ctx: ctx, clock: c, dir: d, tenant: tn, service: inbound.New(tn, limit)}
	b.connect(acme, "acme", "okta")
	b.enable(acme, tenant.SCIMSettings{})
	return b
}

// connect adds a connection.
func (b *bench) connect(id, name, strategy string) {
	b.t.Helper()
	c := &tenant.Connection{Meta: directory.Meta{ID: id, Realm: directory.Auth0Realm}, Name: name, Strategy: strategy}
	err := b.dir.Store.Update(b.ctx, func(tx directory.Tx) error {
		return b.dir.InsertObject(tx, c, directory.Event{At: b.dir.Now(), Actor: operator, Kind: "auth0.connection.create"})
	})
	b.must(err)
}

func (b *bench) enable(id string, s tenant.SCIMSettings) {
	b.t.Helper()
	_, _, err := b.tenant.EnableSCIM(b.ctx, operator, id, s)
	b.must(err)
}

// policy changes the policy of acme.
func (b *bench) policy(change func(*tenant.SCIMPolicy)) {
	b.t.Helper()
	c, _, err := b.tenant.SCIMConfig(b.ctx, acme)
	b.must(err)
	p := c.Policy
	change(&p)
	_, _, err = b.tenant.SetSCIMPolicy(b.ctx, operator, acme, p)
	b.must(err)
}

func (b *bench) must(err error) {
	b.t.Helper()
	if err != nil {
		b.t.Fatal(err)
	}
}

// open opens acme with a new token of all scopes.
func (b *bench) open() *client {
	b.t.Helper()
	e, err := b.service.Inside(b.ctx, acme)
	b.must(err)
	return &client{b: b, Endpoint: e}
}

// client calls an endpoint.
type client struct {
	*inbound.Endpoint
	b *bench
}

func (c *client) typ(name string) *scim.ResourceType { return c.Types().Named(name) }

func (c *client) create(typ, body string) (scim.Resource, string, error) {
	c.b.t.Helper()
	c.b.clock.Step(time.Second)
	r, notes, err := c.Create(c.b.ctx, c.typ(typ), object(c.b.t, body))
	return r, words(notes), err
}

func (c *client) mustCreate(typ, body string) scim.Resource {
	c.b.t.Helper()
	r, _, err := c.create(typ, body)
	c.b.must(err)
	return r
}

func (c *client) replace(typ string, r scim.Resource, body string) (scim.Resource, string, error) {
	c.b.t.Helper()
	c.b.clock.Step(time.Second)
	out, notes, err := c.Replace(c.b.ctx, c.typ(typ), id(r), object(c.b.t, body), "")
	return out, words(notes), err
}

func (c *client) patch(typ string, r scim.Resource, operations string) (scim.Resource, string, error) {
	c.b.t.Helper()
	c.b.clock.Step(time.Second)
	ops, _, err := scim.ParsePatch(object(c.b.t, `{"schemas":["`+scim.PatchMessage+`"],"Operations":`+operations+`}`), c.Leniency())
	c.b.must(err)
	out, notes, err := c.Patch(c.b.ctx, c.typ(typ), id(r), ops, "")
	return out, words(notes), err
}

func (c *client) get(typ, id string) scim.Resource {
	c.b.t.Helper()
	r, err := c.Get(c.b.ctx, c.typ(typ), id, scim.Projection{})
	c.b.must(err)
	return r
}

// query is a list request of the whole, or of what a filter selects.
func (c *client) query(typ, text string) scim.Query {
	c.b.t.Helper()
	q := scim.Query{StartIndex: 1, Count: 100}
	if text != "" {
		e, _, err := filter.ParseSCIM(text, c.Leniency().Syntax)
		c.b.must(err)
		q.Filter, err = c.typ(typ).Compile(e)
		c.b.must(err)
	}
	return q
}

func (c *client) find(typ, text string) string {
	c.b.t.Helper()
	page, err := c.List(c.b.ctx, c.typ(typ), c.query(typ, text))
	c.b.must(err)
	if page.Total != len(page.Resources) {
		c.b.t.Errorf("%s: total %d, but %d resources", text, page.Total, len(page.Resources))
	}
	return names(page.Resources)
}

// account returns the account behind a resource.
func (b *bench) account(r scim.Resource) *directory.Account {
	b.t.Helper()
	a, err := b.dir.Account(b.ctx, directory.Auth0Realm, id(r))
	b.must(err)
	return a
}

func id(r scim.Resource) string {
	s, _ := r["id"].(string)
	return s
}

// names are the userNames or displayNames of resources.
func names(list []scim.Resource) string {
	out := make([]string, len(list))
	for i, r := range list {
		name, ok := r["userName"].(string)
		if !ok {
			name, _ = r["displayName"].(string)
		}
		out[i] = name
	}
	return strings.Join(out, " ")
}

func members(r scim.Resource) string {
	list, _ := r["members"].([]any)
	out := make([]string, len(list))
	for i, m := range list {
		out[i], _ = m.(map[string]any)["value"].(string)
	}
	return strings.Join(out, " ")
}

func object(t testing.TB, text string) map[string]any {
	t.Helper()
	v, err := value.Decode([]byte(text))
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	o, _ := v.(map[string]any)
	return o
}

func words(notes []scim.Note) string {
	var out []string
	for _, n := range notes {
		out = append(out, string(n))
	}
	return strings.Join(out, "; ")
}

// status is what an error is answered with.
func status(err error) int {
	if err == nil {
		return 0
	}
	return scim.Describe(err).Status
}

// user is the body of a POST.
func user(userName, externalID string, more ...string) string {
	body := `{"schemas":["` + scim.UserSchema + `"],"userName":"` + userName + `"`
	if externalID != "" {
		body += `,"externalId":"` + externalID + `"`
	}
	for _, m := range more {
		body += "," + m
	}
	return body + "}"
}

func group(name string, members ...string) string {
	body := `{"schemas":["` + scim.GroupSchema + `"],"displayName":"` + name + `","members":[`
	for i, m := range members {
		if i > 0 {
			body += ","
		}
		body += `{"value":"` + m + `"}`
	}
	return body + "]}"
}

func isKind(err error, k fault.Kind) bool { return fault.Is(err, k) }
