package okta_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"time"

	"github.com/lanyard-id/lanyard/internal/directory"
	"github.com/lanyard-id/lanyard/internal/web/webtest"
)

// collections are the paths whose answers show objects, by what they show.
var collections = []struct {
	kind string
	path *regexp.Regexp
}{
	{"users", regexp.MustCompile(`^/api/v1/(users(/[^/]+)?|groups/[^/]+/users)$`)},
	{"groups", regexp.MustCompile(`^/api/v1/(groups(/[^/]+)?|users/[^/]+/groups)$`)},
	{"apps", regexp.MustCompile(`^/api/v1/apps(/[^/]+)?$`)},
	{"policies", regexp.MustCompile(`^/api/v1/policies(/[^/]+)?$`)},
}

func kindOf(path string) string {
	for _, c := range collections {
		if c.path.MatchString(path) {
			return c.kind
		}
	}
	return ""
}

// seed makes what the org had before the recording began: objects that are
// answered but were not created, in the order in which they show up, and the
// custom attributes of users.
func (p *player) seed() {
	p.t.Helper()
	p.seedAttributes()
	p.seedFactors()
	p.seedSources()
	made := map[string]bool{}
	for _, i := range p.r.Interactions {
		kind := kindOf(i.Path())
		if i.Status >= http.StatusMultipleChoices || kind == "" {
			continue
		}
		for _, text := range objects(i.Body) {
			var o struct{ ID string }
			if err := json.Unmarshal(text, &o); err != nil || o.ID == "" || made[o.ID] {
				continue
			}
			made[o.ID] = true
			if i.Method != http.MethodPost { // else it was made then
				p.seedObject(kind, text)
			}
		}
	}
	p.seedMore()
}

// seedMore adds a person where a list of everybody went on after its last
// recorded page.
func (p *player) seedMore() {
	p.t.Helper()
	for _, i := range p.r.Interactions {
		if i.Path() == "/api/v1/users" && i.Method == http.MethodGet && cursor(i.Header.Values("Link")) != "" {
			p.ok(http.StatusOK, http.MethodPost, "/api/v1/users",
				`{"profile":{"firstName":"One","lastName":"More","email":"one.more@example.com","login":"one.more@example.com"}}`)
			return
		}
	}
}

// objects returns the objects of an answer that has one or a list.
func objects(body string) []json.RawMessage {
	var list []json.RawMessage
	if json.Unmarshal([]byte(body), &list) == nil {
		return list
	}
	return []json.RawMessage{json.RawMessage(body)}
}

// seedObject makes one object like a recorded one, through the API, or finds
// it among those that every org has. What cannot be made shows as a difference
// later on.
func (p *player) seedObject(kind string, recorded json.RawMessage) {
	p.t.Helper()
	if !p.api.Serves(http.MethodGet, "/api/v1/"+kind) {
		return
	}
	theirs, err := parseTree(string(recorded))
	if err != nil {
		return
	}
	for _, query := range lookups(kind, theirs) {
		for _, text := range objects(p.call(http.MethodGet, "/api/v1/"+kind+query, "").body) {
			if ours, err := parseTree(string(text)); err == nil && ours.name() == theirs.name() {
				p.ids.learn(string(recorded), string(text))
				return
			}
		}
	}
	if kind == "groups" {
		p.seedGroupAttributes(theirs.get("profile"))
	}
	query, body := seedRequest(kind, recorded)
	if body == "" || !p.api.Serves(http.MethodPost, "/api/v1/"+kind) {
		return
	}
	got := p.call(http.MethodPost, "/api/v1/"+kind+query, body)
	if got.status != http.StatusOK {
		return
	}
	p.ids.learn(string(recorded), got.body)
	if kind == "users" {
		p.backdate(theirs.get("id").text, recorded)
	}
}

// backdate gives a person the times that the API does not let one set, or
// takes them away: an org's first administrator was never activated.
func (p *player) backdate(id string, recorded json.RawMessage) {
	p.t.Helper()
	var times struct{ Activated, StatusChanged, LastLogin, PasswordChanged time.Time }
	if err := json.Unmarshal(recorded, &times); err != nil {
		p.t.Fatal(err)
	}
	ctx := context.Background()
	err := p.dir.Store.Update(ctx, func(tx directory.Tx) error {
		a, err := tx.Account(directory.OktaRealm, p.ids.ours(id))
		if err != nil {
			return err
		}
		a.Activated, a.StatusChanged, a.LastLogin, a.PasswordChanged = times.Activated, times.StatusChanged, times.LastLogin, times.PasswordChanged
		a.Version++
		return tx.UpdateAccount(a, a.Keys(directory.Okta))
	})
	if err != nil {
		p.t.Fatal(err)
	}
}

// lookups are the queries that find the objects which every org has.
func lookups(kind string, o *tree) []string {
	switch kind {
	case "groups", "apps":
		return []string{""}
	case "policies":
		return []string{"?type=" + o.get("type").text}
	}
	return nil
}

// password is that of people whose recording does not tell theirs.
const password = "Sesame4you"

// seedRequest returns the query and body that make an object like a recorded
// one.
func seedRequest(kind string, recorded json.RawMessage) (query, body string) {
	var o map[string]json.RawMessage
	if err := json.Unmarshal(recorded, &o); err != nil {
		return "", ""
	}
	status := strings.Trim(string(o["status"]), `"`)
	request := map[string]any{}
	switch kind {
	case "users":
		request["profile"] = o["profile"]
		if credentials := credentialsLike(o["credentials"]); credentials != nil {
			request["credentials"] = credentials
		}
		query = fmt.Sprintf("?activate=%v", status != "STAGED")
	case "groups":
		request["profile"] = o["profile"]
	default:
		for _, key := range []string{"id", "orn", "status", "created", "lastUpdated", "_links", "_embedded", "features", "system", "universalLogout"} {
			delete(o, key)
		}
		for key, v := range o {
			request[key] = v
		}
		query = fmt.Sprintf("?activate=%v", status == "ACTIVE")
	}
	text, err := json.Marshal(request)
	if err != nil {
		return "", ""
	}
	return query, string(text)
}

// credentialsLike returns credentials that look like the recorded ones when
// they are answered: secrets are never answered.
func credentialsLike(recorded json.RawMessage) map[string]any {
	var c struct {
		Password         *struct{}
		RecoveryQuestion *struct{ Question string } `json:"recovery_question"`
		Provider         json.RawMessage
	}
	if len(recorded) == 0 || json.Unmarshal(recorded, &c) != nil {
		return nil
	}
	out := map[string]any{}
	if c.Password != nil {
		out["password"] = map[string]any{"value": password}
	}
	if c.RecoveryQuestion != nil {
		out["recovery_question"] = map[string]any{"question": c.RecoveryQuestion.Question, "answer": "an answer"}
	}
	return out
}

// Paths of the schemas that say which attributes an org has of its own.
const (
	userSchema  = "/api/v1/meta/schemas/user/default"
	groupSchema = "/api/v1/meta/schemas/group/default"
)

// seedAttributes adds the custom attributes that the first schema shows and no
// earlier request added.
func (p *player) seedAttributes() {
	p.t.Helper()
	added := map[string]bool{}
	for _, i := range p.r.Interactions {
		if i.Path() != userSchema {
			continue
		}
		if request := custom(i.Request); request != nil {
			for _, name := range request.keys {
				added[name] = true
			}
		}
		shown := custom(i.Body)
		if shown == nil {
			continue
		}
		missing := &tree{kind: '{'}
		for n, name := range shown.keys {
			if !added[name] {
				missing.keys, missing.items = append(missing.keys, name), append(missing.items, writable(shown.items[n]))
			}
		}
		p.addAttributes(userSchema, missing)
		return
	}
}

// custom returns the custom attributes of a schema, nil when it has none.
func custom(schema string) *tree {
	t, err := parseTree(schema)
	if err != nil {
		return nil
	}
	return t.get("definitions").get("custom").get("properties")
}

// writable is an attribute in the form that one sends: UNIQUE_VALIDATED is
// what Okta makes of true.
func writable(attribute *tree) *tree {
	if unique := attribute.get("unique"); unique != nil && unique.kind == 's' {
		*unique = tree{kind: 'v', text: "true"}
	}
	return attribute
}

// seedGroupAttributes adds the attributes that a group's profile shows.
func (p *player) seedGroupAttributes(profile *tree) {
	p.t.Helper()
	if profile == nil {
		return
	}
	missing := &tree{kind: '{'}
	for i := range profile.keys {
		if !baseAttributes[profile.keys[i]] {
			missing.keys = append(missing.keys, profile.keys[i])
			missing.items = append(missing.items, &tree{
				kind: '{', keys: []string{"title", "type"},
				items: []*tree{{kind: 's', text: profile.keys[i]}, {kind: 's', text: "string"}},
			})
		}
	}
	p.addAttributes(groupSchema, missing)
}

// addAttributes adds one attribute after the other: Okta shows them in the
// order in which they came.
func (p *player) addAttributes(schema string, attributes *tree) {
	p.t.Helper()
	if !p.api.Serves(http.MethodPost, schema) {
		return
	}
	for n, name := range attributes.keys {
		p.ok(http.StatusOK, http.MethodPost, schema,
			fmt.Sprintf(`{"definitions":{"custom":{"id":"#custom","type":"object","properties":{%q:%s}}}}`, name, attributes.items[n].json()))
	}
}

// seedFactors sets the factors of a classic org to the status in which the
// recording finds them.
func (p *player) seedFactors() {
	p.t.Helper()
	done := map[string]bool{}
	for _, i := range p.r.Interactions {
		path := i.Path()
		if !strings.HasPrefix(path, "/api/v1/org/factors/") || done[path] || !p.api.Serves(i.Method, path) {
			continue
		}
		done[path] = true
		operation := map[bool]string{true: "activate", false: "deactivate"}[strings.Contains(i.Body, `"ACTIVE"`)]
		if i.Method == http.MethodGet {
			p.call(http.MethodPost, path+"/lifecycle/"+operation, "")
		}
	}
}

// request returns the body to send: the recorded one, or, where the recording
// lost it (2020), one that fits the answer.
func (p *player) request(i webtest.Interaction) string {
	if i.Request != "" || i.Method != http.MethodPost && i.Method != http.MethodPut || i.Body == "" || i.Status >= http.StatusBadRequest {
		return i.Request
	}
	var o struct {
		Type             json.RawMessage
		RecoveryQuestion *struct{ Question string } `json:"recovery_question"`
		Credentials      json.RawMessage
		ID               string
	}
	if json.Unmarshal([]byte(i.Body), &o) != nil {
		return ""
	}
	path := i.Path()
	answer := json.RawMessage(i.Body)
	var request any
	switch {
	case kindOf(path) != "":
		_, body := seedRequest(kindOf(path), answer)
		return body
	case strings.HasSuffix(path, "/roles"):
		request = map[string]any{"type": o.Type}
	case strings.HasSuffix(path, "/users"):
		request = map[string]any{"id": o.ID, "scope": "USER", "credentials": o.Credentials}
	case strings.HasSuffix(path, "/change_recovery_question"):
		request = map[string]any{
			"password":          map[string]any{"value": password},
			"recovery_question": map[string]any{"question": o.RecoveryQuestion.Question, "answer": "an answer"},
		}
	case strings.HasSuffix(path, "/forgot_password_recovery_question"):
		request = map[string]any{
			"password":          map[string]any{"value": password + "2"},
			"recovery_question": map[string]any{"answer": "an answer"},
		}
	default:
		return ""
	}
	text, err := json.Marshal(request)
	if err != nil {
		p.t.Fatal(err)
	}
	return string(text)
}

// sourcePath is a path of an identity source: its id, and what comes behind.
var sourcePath = regexp.MustCompile(`^/api/v1/identity-sources/([^/]+)/(users|groups)?/?([^/]*)`)

// seedSources makes the identity sources of a recording, and the people and
// groups of theirs that were there before it began.
func (p *player) seedSources() {
	p.t.Helper()
	const profile = `,"profile":{"userName":"old@example.com","email":"old@example.com","firstName":"Old","lastName":"One"}}`
	done := map[string]bool{}
	made := func(key string) bool {
		was := done[key]
		done[key] = true
		return was
	}
	for _, i := range p.r.Interactions {
		m := sourcePath.FindStringSubmatch(i.Path())
		if m == nil {
			continue
		}
		if !made(m[1]) {
			p.ids.add(m[1], strings.TrimPrefix(p.source(), "/api/v1/identity-sources/"))
		}
		path := p.ids.ours("/api/v1/identity-sources/" + m[1] + "/" + m[2])
		switch {
		case i.Status >= http.StatusMultipleChoices:
		case i.Method == http.MethodPost && m[3] == "":
			var o struct{ ID, ExternalID string }
			_ = json.Unmarshal([]byte(i.Body), &o)
			done[o.ID], done[o.ExternalID] = true, true // it is made then
		case m[3] == "" || made(m[3]):
		case m[2] == "groups":
			p.ok(http.StatusOK, http.MethodPost, path, fmt.Sprintf(`{"externalId":%q,"profile":{"displayName":"Old"}}`, m[3]))
		case m[2] == "users":
			body := fmt.Sprintf(`{"externalId":%q`, m[3]) + profile
			if i.Method == http.MethodGet {
				body = i.Body
			}
			p.ok(http.StatusOK, http.MethodPost, path, body)
		}
	}
}
