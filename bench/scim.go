//go:build unix

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"

	"github.com/lanyard-id/lanyard/internal/directory"
	"github.com/lanyard-id/lanyard/internal/store/sqlite"
)

// The connection that is measured, its pages, and how many people a large group
// of it takes.
const (
	benchConnection = "bench"
	scimPage        = 100
	hugeGroup       = 200_000
)

// aPatch is how many members one PATCH may name (Auth0's limit).
const aPatch = 1000

// scimQuestions are asked of a connection with few people and with many.
var scimQuestions = []question{
	{"scim-lookup", "GET Users?filter=userName eq", 6_000, "3,000/s, the same for 1,000 people"},
	{"scim-page", "GET a page of 100 users", 800, "500/s"},
	{"scim-create", "POST a user", 4_000, "1,500/s"},
	{"scim-join", "PATCH one member into a group of half", 300, "10 ms, whatever its size"},
}

// compareSCIM prints how fast lanyard serve answers as the SCIM endpoint of an
// enterprise connection, beside net/http with a map.
func (o *options) compareSCIM(ctx context.Context, out io.Writer) error {
	t, err := o.serveTable(out, "as a SCIM endpoint, SQLite with full sync, %d clients on the same processors (one for PATCH)")
	if err != nil {
		return err
	}
	row := func(title, people string, f figures, bar string) {
		fmt.Fprintf(t, "%s\t%s\t%.0f\t%.1f\t%.1f\t%s\t\n", title, people, f.Rate, f.P50, f.P99, bar)
	}
	for _, people := range []int{fewPeople, manyPeople} {
		_, err := o.measureConnection(ctx, people, scimQuestions, func(q question, f figures) { row(q.title, fmt.Sprint(people), f, q.bar) })
		if err != nil {
			return err
		}
	}
	err = o.withServer(ctx, func(target string) error {
		for _, q := range scimQuestions {
			f, err := o.ask(ctx, q, target)
			if err != nil {
				return err
			}
			row("net/http: "+q.title, "-", f, "")
		}
		return nil
	})
	if err != nil {
		return err
	}
	if err := t.Flush(); err != nil {
		return err
	}
	enlist := []question{{"scim-enlist", "", hugeGroup / aPatch, ""}}
	memory, err := o.measureConnection(ctx, hugeGroup, enlist, func(_ question, f figures) {
		seconds := float64(f.Runs) / f.Rate
		fmt.Fprintf(out, "A group of %d members by PATCH, %d at a time: %.1f s (bar: 60 s), p99 %.0f ms a PATCH.\n", hugeGroup, aPatch, seconds, f.P99)
	})
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "Peak memory of lanyard serve with %d people: %.0f MB. Best of %d rounds.\n\n", hugeGroup, memory, o.rounds)
	return nil
}

// measureConnection fills a connection, serves it and asks questions. It
// returns the most memory that the server held, in MB.
func (o *options) measureConnection(ctx context.Context, people int, questions []question, report func(question, figures)) (float64, error) {
	folder, err := os.MkdirTemp("", "lanyard-bench-")
	if err != nil {
		return 0, err
	}
	defer func() { _ = os.RemoveAll(folder) }() // a temporary folder
	if err := fillConnection(ctx, filepath.Join(folder, "lanyard.db"), people); err != nil {
		return 0, err
	}
	return o.served(ctx, folder, func(at addresses) error {
		c, err := readCredentials(folder)
		if err != nil {
			return err
		}
		endpoint, token, err := connect(ctx, at.Auth0, c)
		if err != nil {
			return err
		}
		for _, q := range questions {
			f, err := o.ask(ctx, q, fmt.Sprintf("%s?token=%s&people=%d", endpoint, url.QueryEscape("Bearer "+token), people))
			if err != nil {
				return err
			}
			report(q, f)
		}
		return nil
	})
}

// connect makes the connection of the bench with a SCIM endpoint, as an
// administrator does by the Management API, and returns where it is and a token.
func connect(ctx context.Context, base string, c credentials) (endpoint, token string, err error) {
	a := &org{base: base, client: http.DefaultClient}
	var access struct {
		Token string `json:"access_token"`
	}
	err = a.exchange(ctx, "/oauth/token", map[string]any{
		"grant_type": "client_credentials", "client_id": c.Auth0ClientID, "client_secret": c.Auth0ClientSecret, "audience": base + "/api/v2/",
	}, &access)
	if err != nil {
		return "", "", err
	}
	a.token = "Bearer " + access.Token
	var connection struct{ ID string }
	err = a.exchange(ctx, "/api/v2/connections", map[string]any{
		"name": benchConnection, "strategy": "okta", "options": map[string]any{"domain": "bench.okta.com", "client_id": "bench", "client_secret": "bench"},
	}, &connection)
	if err != nil {
		return "", "", err
	}
	configuration := "/api/v2/connections/" + connection.ID + "/scim-configuration"
	if err := a.exchange(ctx, configuration, map[string]any{}, &struct{}{}); err != nil {
		return "", "", err
	}
	var made struct{ Token string }
	err = a.exchange(ctx, configuration+"/tokens", map[string]any{"scopes": []string{"get:users", "post:users", "patch:groups"}}, &made)
	return base + "/scim/v2/connections/" + connection.ID, made.Token, err
}

// exchange posts a body and reads the answer.
func (g *org) exchange(ctx context.Context, path string, body, into any) error {
	text, err := json.Marshal(body)
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, g.base+path, bytes.NewReader(text))
	if err != nil {
		return err
	}
	req.Header.Set("Authorization", g.token)
	req.Header.Set("Content-Type", "application/json")
	resp, err := g.client.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err != nil {
		return err
	}
	if resp.StatusCode/100 != 2 {
		return fmt.Errorf("POST %s: %s %s", path, resp.Status, answer)
	}
	return json.Unmarshal(answer, into)
}

// benchAccount is a person of the connection, as a SCIM client has made it.
func benchAccount(i int) *directory.Account {
	return &directory.Account{
		ID: scimID(i), Realm: directory.Auth0Realm, Connection: benchConnection,
		Provider: directory.Provider{Type: "okta", Name: benchConnection},
		Profile:  map[string]any{"email": login(i), "displayName": "Ada Lovelace", "firstName": "Ada", "lastName": fmt.Sprintf("Lovelace%d", i)},
		Resource: scimUser(i),
	}
}

func scimID(i int) string { return "okta|" + benchConnection + "|" + personID(i) }

func scimUser(i int) map[string]any {
	return map[string]any{
		"userName": login(i), "externalId": personID(i), "active": true, "displayName": "Ada Lovelace",
		"name":   map[string]any{"givenName": "Ada", "familyName": fmt.Sprintf("Lovelace%d", i)},
		"emails": []any{map[string]any{"primary": true, "value": login(i)}},
	}
}

// The groups of the bench: every other person, so that there is somebody to add,
// and nobody.
const (
	groupOfHalf = "grp_benchhalf"
	groupOfNone = "grp_benchnone"
)

// fillConnection makes a directory whose connection has people, and a group of
// half of them.
func fillConnection(ctx context.Context, path string, people int) error {
	db, err := sqlite.Open(ctx, path)
	if err != nil {
		return err
	}
	d := directory.New(db.Directory())
	actor := directory.System("bench")
	err = directory.Seed(ctx, d)
	if err == nil {
		_, err = round(ctx, 0, people, 64, func(ctx context.Context, i int) error {
			return d.Store.Update(ctx, func(tx directory.Tx) error { return d.CreateConnected(tx, actor, benchAccount(i)) })
		})
	}
	if err == nil {
		err = d.Store.Update(ctx, func(tx directory.Tx) error { return fillGroups(d, tx, actor, people) })
	}
	return errors.Join(err, db.Close())
}

func fillGroups(d *directory.Directory, tx directory.Tx, actor directory.Actor, people int) error {
	groups := map[string][]string{groupOfHalf: nil, groupOfNone: nil}
	for i := range min(people, manyPeople) / 2 { // every other one is free to be added
		groups[groupOfHalf] = append(groups[groupOfHalf], scimID(2*i))
	}
	for id, members := range groups {
		g := &directory.Group{
			ID: id, Realm: directory.Auth0Realm, Connection: benchConnection,
			Profile: map[string]any{"name": id}, Resource: map[string]any{"displayName": id},
		}
		if err := d.CreateConnectedGroup(tx, actor, g); err != nil {
			return err
		}
		if _, err := d.Enlist(tx, actor, g, members); err != nil {
			return err
		}
	}
	return nil
}

func measureSCIMLookup(ctx context.Context, o *options) (any, error) {
	return o.asking(ctx, func(ctx context.Context, g *org, i int) error {
		filter := url.QueryEscape(`userName eq "` + login(g.spread(i)) + `"`)
		return g.call(ctx, http.MethodGet, "/Users?filter="+filter+"&startIndex=1&count=100", nil)
	})
}

func measureSCIMPage(ctx context.Context, o *options) (any, error) {
	return o.asking(ctx, func(ctx context.Context, g *org, i int) error {
		return g.call(ctx, http.MethodGet, fmt.Sprintf("/Users?startIndex=%d&count=%d", 1+g.spread(i), scimPage), nil)
	})
}

func measureSCIMCreate(ctx context.Context, o *options) (any, error) {
	return o.asking(ctx, func(ctx context.Context, g *org, i int) error {
		user := scimUser(hugeGroup + i)
		user["schemas"] = []string{"urn:ietf:params:scim:schemas:core:2.0:User"}
		body, err := json.Marshal(user)
		if err != nil {
			return err
		}
		return g.call(ctx, http.MethodPost, "/Users", body)
	})
}

// measureSCIMJoin adds one member after the other, as Okta does.
func measureSCIMJoin(ctx context.Context, o *options) (any, error) {
	o.at = 1
	return o.asking(ctx, func(ctx context.Context, g *org, i int) error {
		return g.patch(ctx, groupOfHalf, scimID((2*i+1)%g.people))
	})
}

// measureSCIMEnlist fills the empty group in one round.
func measureSCIMEnlist(ctx context.Context, o *options) (any, error) {
	o.at, o.rounds = 1, 1
	g, err := newOrg(o)
	if err != nil {
		return nil, err
	}
	defer g.client.CloseIdleConnections()
	f, err := round(ctx, 0, o.runs, o.at, func(ctx context.Context, i int) error {
		members := make([]string, aPatch)
		for n := range members {
			members[n] = scimID(i*aPatch + n)
		}
		return g.patch(ctx, groupOfNone, members...)
	})
	f.Memory = peakMemory()
	return f, err
}

// patch adds members to a group.
func (g *org) patch(ctx context.Context, group string, members ...string) error {
	values := make([]map[string]string, len(members))
	for i, id := range members {
		values[i] = map[string]string{"value": id}
	}
	body, err := json.Marshal(map[string]any{
		"schemas":    []string{"urn:ietf:params:scim:api:messages:2.0:PatchOp"},
		"Operations": []map[string]any{{"op": "add", "path": "members", "value": values}},
	})
	if err != nil {
		return err
	}
	return g.call(ctx, http.MethodPatch, "/Groups/"+group, body)
}
