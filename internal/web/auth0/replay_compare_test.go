package auth0_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strings"

	"github.com/lanyard-id/lanyard/internal/value"
	"github.com/lanyard-id/lanyard/internal/web/webtest"
)

// recordedTenant is the tenant of the recordings.
const recordedTenant = "https://go-auth0-dev.eu.auth0.com"

// random are members whose values are made up.
var random = []string{
	"client_secret", "cert", "token", "ticket_url", "invitation_url", "provisioning_ticket_url", "location",
	"pkcs", "fingerprint", "thumbprint", "recovery_code", "ticket", "next", "verification_txt", "ticket_id",
}

// vary are texts that differ from tenant to tenant and from time to time.
var vary = []struct {
	pattern *regexp.Regexp
	by      string
}{
	{regexp.MustCompile(`^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{1,3}Z$`), "TIME"},
	{regexp.MustCompile(`go-auth0-dev(\.eu\.auth0\.com)?(\.(us|eu)\.auth0\.com)?`), "TENANT"},
}

// pages returns both answers in the form that is compared: one member of the
// object a line, in the order of keys, without what differs from tenant to
// tenant. Lists are sorted: their order is that of ids.
func (p *player) pages(i webtest.Interaction, got answer) (theirs, ours []string) {
	theirs, ours = []string{fmt.Sprint(i.Status)}, []string{fmt.Sprint(got.status)}
	sorted := rewritten(i) || p.list.reordered(i)
	if rewritten(i) && i.Status >= http.StatusBadRequest { // it was no object of that sort
		return theirs, ours
	}
	recorded, err := value.Decode([]byte(i.Body))
	have, ourErr := value.Decode([]byte(got.body))
	if err != nil || ourErr != nil {
		return append(theirs, strings.TrimSpace(i.Body)), append(ours, strings.TrimSpace(got.body))
	}
	recorded, have = p.normal("", p.ids.replace(recorded)), p.normal("", have)
	p.prune(have, recorded, p.list.gone)
	p.prune(recorded, have, p.list.newer)
	if areaOf(i.Path()) == "clients" {
		for _, v := range []any{recorded, have} {
			if o, ok := v.(map[string]any); ok { // the recorder put them in, whether they were there or not
				delete(o, "client_secret")
				delete(o, "signing_keys")
			}
		}
	}
	return append(theirs, lines(i.Body, recorded, sorted)...), append(ours, lines(got.body, have, sorted)...)
}

// lines writes a value whose text is known, so that the keys of an object, or of
// the objects of a list, stand in their order.
func lines(text string, v any, sorted bool) []string {
	switch v := v.(type) {
	case map[string]any:
		var out []string
		for _, key := range keysOf(text, v, sorted) {
			out = append(out, deeper(key, v[key])...)
		}
		return out
	case []any:
		var raw []json.RawMessage
		_ = json.Unmarshal([]byte(text), &raw) // it was decoded before
		items := make([]string, len(v))
		for n, item := range v {
			items[n] = "- " + strings.Join(lines(string(raw[n]), item, sorted), "\n  ")
		}
		slices.Sort(items)
		return items
	}
	return []string{encode(v)}
}

// deeper writes a member, one line for each value in an object.
func deeper(path string, v any) []string {
	o, ok := v.(map[string]any)
	if !ok || len(o) == 0 {
		return []string{path + ": " + encode(v)}
	}
	var out []string
	for _, key := range slices.Sorted(maps.Keys(o)) {
		out = append(out, deeper(path+"."+key, o[key])...)
	}
	return out
}

// keysOf returns the keys that are in an object, in the order of its text.
func keysOf(text string, v map[string]any, sorted bool) []string {
	if sorted {
		return slices.Sorted(maps.Keys(v))
	}
	var keys []string
	dec := json.NewDecoder(strings.NewReader(text))
	_, _ = dec.Token() // the brace
	for dec.More() {
		key, _ := dec.Token()
		var rest json.RawMessage
		if err := dec.Decode(&rest); err != nil {
			return slices.Sorted(maps.Keys(v))
		}
		if _, ok := v[fmt.Sprint(key)]; ok {
			keys = append(keys, fmt.Sprint(key))
		}
	}
	return keys
}

func isObject(v any) bool {
	_, ok := v.(map[string]any)
	return ok
}

func encode(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		return err.Error()
	}
	return string(b)
}

// normal takes out of a value what is made up. Lists of objects are sorted.
func (p *player) normal(key string, v any) any {
	switch v := v.(type) {
	case string:
		if slices.Contains(random, key) {
			return "RANDOM"
		}
		for _, one := range vary {
			v = one.pattern.ReplaceAllString(v, one.by)
		}
		return v
	case []any:
		out := make([]any, len(v))
		for n, item := range v {
			out[n] = p.normal(key, item)
		}
		if key == "enabled_clients" || len(out) > 0 && isObject(out[0]) { // in the order of ids
			slices.SortFunc(out, func(a, b any) int { return strings.Compare(encode(a), encode(b)) })
		}
		return out
	case map[string]any:
		out := map[string]any{}
		for k, item := range v {
			out[k] = p.normal(k, item)
		}
		return out
	}
	return v
}

// prune takes members that match accepts out of the second value where the first
// one lacks them.
func (p *player) prune(first, second any, match func(string) bool) {
	switch second := second.(type) {
	case map[string]any:
		other, ok := first.(map[string]any)
		if !ok {
			return
		}
		for key, item := range second {
			if _, had := other[key]; !had && match(key) {
				delete(second, key)
				continue
			}
			p.prune(other[key], item, match)
		}
	case []any:
		other, ok := first.([]any)
		for n, item := range second {
			if ok && n < len(other) {
				p.prune(other[n], item, match)
			}
		}
	}
}

// idMap knows our ids for the recorded ones.
type idMap struct {
	known    map[string]string
	replacer *strings.Replacer
}

func newIDMap() *idMap { return &idMap{map[string]string{}, strings.NewReplacer()} }

// ours writes our ids into a recorded text.
func (m *idMap) ours(text string) string { return m.replacer.Replace(text) }

// replace writes our ids into a recorded value.
func (m *idMap) replace(v any) any {
	switch v := v.(type) {
	case string:
		return m.ours(v)
	case []any:
		for n := range v {
			v[n] = m.replace(v[n])
		}
	case map[string]any:
		for k := range v {
			v[k] = m.replace(v[k])
		}
	}
	return v
}

// identifiers are the members that hold ids.
var identifiers = regexp.MustCompile(`^(id|kid|next|.*_id)$`)

// learn pairs the ids of two answers.
func (m *idMap) learn(theirs, ours string) {
	a, err := value.Decode([]byte(theirs))
	if err != nil {
		return
	}
	b, err := value.Decode([]byte(ours))
	if err != nil {
		return
	}
	m.walk("", a, b)
	pairs := make([]string, 0, 2*len(m.known))
	for _, id := range slices.SortedFunc(maps.Keys(m.known), func(a, b string) int { return len(b) - len(a) }) {
		pairs = append(pairs, id, m.known[id])
	}
	m.replacer = strings.NewReplacer(pairs...)
}

func (m *idMap) walk(key string, a, b any) {
	switch a := a.(type) {
	case map[string]any:
		other, _ := b.(map[string]any)
		for k := range a {
			m.walk(k, a[k], other[k])
		}
	case []any:
		other, _ := b.([]any)
		for n, item := range a {
			m.walk(key, item, partner(n, item, other))
		}
	case string:
		text, ok := b.(string)
		if !ok || !identifiers.MatchString(key) {
			return
		}
		// The last part of a user's id also stands alone, and a pipe is escaped in paths.
		m.add(last(a), last(text))
	}
}

func last(id string) string { return id[strings.LastIndexByte(id, '|')+1:] }

// add pairs two ids. The first pairing stays: a later other one is a difference
// that the comparison has to show.
func (m *idMap) add(theirs, ours string) {
	if _, ok := m.known[theirs]; ok || theirs == ours || theirs == "" {
		return
	}
	m.known[theirs] = ours
}

// partner finds the object of our list for one of theirs: by name, else by
// place.
func partner(n int, item any, list []any) any {
	if name := nameOf(item); name != "" {
		for _, other := range list {
			if nameOf(other) == name {
				return other
			}
		}
		return nil
	}
	if n < len(list) {
		return list[n]
	}
	return nil
}

// nameOf is what people know an object by; "" for what has no name.
func nameOf(v any) string {
	o, _ := v.(map[string]any)
	for _, key := range []string{"name", "email", "identifier"} {
		if s, ok := o[key].(string); ok {
			return s
		}
	}
	return ""
}
