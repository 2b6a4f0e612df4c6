package drivertest

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"strings"
	"sync"

	"github.com/lanyard-id/lanyard/internal/engine"
	"github.com/lanyard-id/lanyard/internal/openapi"
	"github.com/lanyard-id/lanyard/internal/value"
)

// Target serves the package's API from memory and counts. It outlives the
// processes that call it.
type Target struct {
	mu      sync.Mutex
	next    int
	items   map[string]map[string]any // by id
	keys    map[string]string         // ids by Idempotency-Key
	asked   map[string]int            // calls by step, look-ups apart
	effects map[string]int            // changes by step
}

func newTarget() *Target {
	return &Target{
		items: map[string]map[string]any{"known": {"id": "known", "name": "known"}},
		keys:  map[string]string{}, asked: map[string]int{}, effects: map[string]int{},
	}
}

// serve makes one call.
func (t *Target) serve(c *engine.Call) *engine.Answer {
	t.mu.Lock()
	defer t.mu.Unlock()
	if c.Purpose == engine.ForStep {
		t.asked[c.Step]++
	}
	status, body := t.handle(c)
	a := &engine.Answer{Status: status, Header: map[string][]string{"Content-Type": {"application/json"}}, URL: "http://items.test" + c.Request.Path}
	if body != nil {
		data, err := value.Encode(body)
		if err != nil {
			return &engine.Answer{Failure: &engine.Failure{Kind: "internal", Message: err.Error()}}
		}
		a.SetBody(data)
	}
	return a
}

func (t *Target) handle(c *engine.Call) (status int, body any) {
	id := strings.TrimPrefix(c.Request.Path, "/items/")
	switch c.Operation.ID {
	case "findItems":
		return http.StatusOK, t.find(c.Request)
	case "getItem":
		if item, ok := t.items[id]; ok {
			return http.StatusOK, maps.Clone(item)
		}
		return http.StatusNotFound, map[string]any{"error": "not found"}
	case "putItem", "patchItem":
		t.effects[c.Step]++
		item := decode(c.Request.Body)
		item["id"] = id
		t.items[id] = item
		return http.StatusOK, maps.Clone(item)
	case "deleteItem":
		if _, ok := t.items[id]; !ok {
			return http.StatusNotFound, map[string]any{"error": "not found"}
		}
		t.effects[c.Step]++
		delete(t.items, id)
		return http.StatusNoContent, nil
	case "createBusy":
		if t.asked[c.Step] == 1 {
			return http.StatusServiceUnavailable, map[string]any{"error": "busy"}
		}
	case "createUnique":
		if found := t.named(decode(c.Request.Body)["name"]); found != nil {
			return http.StatusConflict, found
		}
	}
	return t.create(c)
}

// create makes an item, or returns that of an Idempotency-Key seen before.
func (t *Target) create(c *engine.Call) (status int, body any) {
	key := strings.Join(c.Request.Header["Idempotency-Key"], "")
	if id, ok := t.keys[key]; ok && key != "" {
		return http.StatusCreated, maps.Clone(t.items[id])
	}
	t.next++
	t.effects[c.Step]++
	item := decode(c.Request.Body)
	id := fmt.Sprintf("%s-%d", item["name"], t.next)
	item["id"] = id
	t.items[id], t.keys[key] = item, id
	return http.StatusCreated, maps.Clone(item)
}

func (t *Target) find(r *openapi.Request) any {
	query, err := url.ParseQuery(r.Query)
	if err != nil {
		return map[string]any{"items": []any{}}
	}
	found := []any{}
	if item := t.named(query.Get("name")); item != nil {
		found = append(found, item)
	}
	return map[string]any{"items": found}
}

// named returns a copy of the item of a name, nil without one.
func (t *Target) named(name any) map[string]any {
	for _, item := range t.items {
		if item["name"] == name {
			return maps.Clone(item)
		}
	}
	return nil
}

// counts returns how often each step was asked for and how often it changed something.
func (t *Target) counts() (asked, effects map[string]int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return maps.Clone(t.asked), maps.Clone(t.effects)
}

// made returns the item of a name as a step's outputs would have it, nil
// without one.
func (t *Target) made(name string) map[string]any {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.named(name)
}

func decode(body []byte) map[string]any {
	out := map[string]any{}
	if v, err := value.Decode(json.RawMessage(body)); err == nil {
		if object, ok := v.(map[string]any); ok {
			out = object
		}
	}
	return out
}
